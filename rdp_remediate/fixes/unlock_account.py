"""Take the lockout from the asked local account."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(faults=("auth-account-locked",), layer="guest", order=51, permissions=RUN_COMMAND)
def unlock_account(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Take the lockout from the local account that was asked about.

    Changes: the account's lockout.
    Undo: none; wrong passwords lock it again.
    Refuses when: the account is the domain's.
    """
    del facts
    sid = findings[0].evidence.get("sid")
    if not sid:
        yield Refused("not_ours", "The account belongs to a domain; it is unlocked there.", "the directory team")
        return
    yield Draft(
        kind="account_locked",
        target={"sid": sid},
        expected=True,
        desired=False,
        title="Take the lockout from the account that was asked about",
        postcondition="the account is not locked out",
        risk=Risk.SENSITIVE,
        always_ask="whatever sends the wrong passwords must be stopped first, or the account is locked again at once",
        undoable=False,
    )
