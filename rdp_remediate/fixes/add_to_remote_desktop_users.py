"""Let the asked local account sign in through Remote Desktop."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.user_rights import REMOTE_DESKTOP_USERS
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(faults=("auth-not-in-rdp-users",), layer="guest", order=50, permissions=RUN_COMMAND)
def add_to_remote_desktop_users(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Add the local account that was asked about to Remote Desktop Users; never to Administrators.

    Changes: the members of Remote Desktop Users (S-1-5-32-555).
    Undo: takes the account out again.
    Refuses when: the account is the domain's, whose groups may be the right place.
    """
    del facts
    sid = findings[0].evidence.get("sid")
    if not sid:
        yield Refused(
            "not_ours",
            "The account belongs to a domain; a group of the domain that may sign in to this VM is the better place for it.",
            "the owner of the VM",
        )
        return
    yield Draft(
        kind="group_member",
        target={"group": REMOTE_DESKTOP_USERS, "sid": sid},
        expected=False,
        desired=True,
        title="Add the account that was asked about to Remote Desktop Users",
        postcondition="the account is a member of Remote Desktop Users",
        risk=Risk.SENSITIVE,
        always_ask="it grants access to this VM; its owner must agree",
    )
