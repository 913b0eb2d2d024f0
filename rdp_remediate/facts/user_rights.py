"""What the user rights of a computer mean for one account."""

from collections.abc import Iterable
from dataclasses import dataclass

from rdp_remediate.facts.accounts import Kind
from rdp_remediate.models.guest_accounts import AskedAccount

ADMINISTRATORS, REMOTE_DESKTOP_USERS = "S-1-5-32-544", "S-1-5-32-555"

_EVERY_SESSION = ("S-1-1-0", "S-1-5-11")
_REMOTE_SESSION = ("S-1-5-4", "S-1-5-14")
_NETWORK = ("S-1-5-2",)
_LOCAL_ACCOUNT, _LOCAL_ADMINISTRATOR = "S-1-5-113", "S-1-5-114"


@dataclass(frozen=True)
class Rights:
    """The rights as they meet one account.

    Attributes:
        sid: The account's SID, if it is a local one.
        member: It is known to be in Administrators or Remote Desktop Users.
        all_groups_known: False for an account of a domain, whose groups only the domain knows.
        remote: Who may sign in through Remote Desktop Services.
        denies_remote: Who of the account's groups may not.
        may_deny_remote: A group of the domain may not; whether the account is in it is not known.
        allows_remote: The account or a known group of it may.
        denies_network: Who of the account's groups may not reach the computer from the network.
        may_deny_network: As may_deny_remote.
        allows_network: None: only the domain knows.
    """

    sid: str | None
    member: bool
    all_groups_known: bool
    remote: tuple[str, ...]
    denies_remote: list[str]
    may_deny_remote: bool
    allows_remote: bool
    denies_network: list[str]
    may_deny_network: bool
    allows_network: bool | None


def rights_of(account: AskedAccount, asked: tuple[str, str], kind: Kind) -> Rights:
    """What the rights of the answer, which were read, mean for the asked account."""
    rights = account.rights or {}
    place, name = asked
    groups = set(account.groups)
    mine = {*groups, *_EVERY_SESSION, *([account.sid] if account.sid else [])}
    mine |= {name.lower(), f"{place}\\{name}".lower()}
    if kind is Kind.LOCAL:
        mine.add(_LOCAL_ACCOUNT)
        if ADMINISTRATORS in groups:
            mine.add(_LOCAL_ADMINISTRATOR)

    def held(right: str, *more: str) -> list[str]:
        return [one for one in rights.get(right, []) if one in mine or one.lower() in mine or one in more]

    def may_hold(right: str) -> bool:
        return kind is Kind.DOMAIN and _of_a_domain(rights.get(right, []))

    network = held("SeNetworkLogonRight", *_NETWORK)
    return Rights(
        sid=account.sid,
        member=bool(groups & {ADMINISTRATORS, REMOTE_DESKTOP_USERS}),
        all_groups_known=kind is Kind.LOCAL,
        remote=tuple(rights.get("SeRemoteInteractiveLogonRight", [])),
        denies_remote=held("SeDenyRemoteInteractiveLogonRight", *_REMOTE_SESSION),
        may_deny_remote=may_hold("SeDenyRemoteInteractiveLogonRight"),
        allows_remote=bool(held("SeRemoteInteractiveLogonRight", *_REMOTE_SESSION)),
        denies_network=held("SeDenyNetworkLogonRight", *_NETWORK),
        may_deny_network=may_hold("SeDenyNetworkLogonRight"),
        allows_network=True if network else (False if kind is Kind.LOCAL else None),
    )


def _of_a_domain(holders: Iterable[str]) -> bool:
    """A holder that is no built-in or well-known group."""
    return any(not one.startswith("S-1-") or one.startswith("S-1-5-21-") for one in holders)
