"""Give back the user right that a sign-in needs."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.accounts import asked_account
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.user_rights import ADMINISTRATORS, REMOTE_DESKTOP_USERS
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(
    faults=("auth-rdp-logon-right-missing", "auth-network-logon-denied-nla"),
    layer="guest",
    order=50,
    permissions=RUN_COMMAND,
)
def grant_sign_in_right(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Give a local user right back its default, or take out of a right to deny what denies the user.

    Changes: the holders of one user right of the local policy.
    Undo: writes the recorded holders back.
    Refuses when: the computer belongs to a domain, whose policies may decide the right, or the right to reach the computer from
        the network is meant, whose holders are not guessed.
    """
    if need(facts.guest.os).part_of_domain:
        yield Refused(
            "policy_owned",
            "On a member of a domain a group policy may decide this right.",
            "the owner of that group policy",
        )
        return
    found = findings[0].evidence
    right = str(found.get("right"))
    holders = (asked_account(facts, "rights").rights or {}).get(right, [])
    if right == "SeRemoteInteractiveLogonRight":
        wanted = sorted({*holders, ADMINISTRATORS, REMOTE_DESKTOP_USERS})
    elif right in ("SeDenyRemoteInteractiveLogonRight", "SeDenyNetworkLogonRight"):
        wanted = sorted(set(holders) - set(found.get("holders") or []))
    else:
        yield Refused(
            "by_hand", findings[0].by_hand or "Who may reach this computer is decided by hand.", "the security team"
        )
        return
    yield Draft(
        kind="user_right",
        target={"right": right},
        expected=",".join(sorted(holders)),
        desired=",".join(wanted),
        title=f"Set the holders of {right} to {', '.join(wanted) or 'nobody'}",
        postcondition=f"{right} is held by {', '.join(wanted) or 'nobody'}",
        risk=Risk.SENSITIVE,
        always_ask="a user right is taken or denied to harden a computer; the security team must agree",
    )
