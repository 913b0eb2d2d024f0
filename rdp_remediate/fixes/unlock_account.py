"""Take the lockout from the asked local account."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.account_steps import account_step
from rdp_remediate.fixes.fix import RUN_COMMAND, Yielded, fix
from rdp_remediate.models.report import Finding


@fix(faults=("auth-account-locked",), layer="guest", order=51, permissions=RUN_COMMAND)
def unlock_account(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Take the lockout from the local account that was asked about.

    Changes: the account's lockout.
    Undo: none; wrong passwords lock it again.
    Refuses when: the account is the domain's.
    """
    del facts
    yield from account_step(
        findings,
        "unlocked",
        kind="account_locked",
        expected=True,
        desired=False,
        title="Take the lockout from the account that was asked about",
        postcondition="the account is not locked out",
        always_ask="whatever sends the wrong passwords must be stopped first, or the account is locked again at once",
        undoable=False,
    )
