"""Enable the asked local account."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.account_steps import account_step
from rdp_remediate.fixes.fix import RUN_COMMAND, Yielded, fix
from rdp_remediate.models.report import Finding


@fix(faults=("auth-account-disabled",), layer="guest", order=50, permissions=RUN_COMMAND)
def enable_account(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Enable the local account that was asked about.

    Changes: whether the account is enabled.
    Undo: disables it again.
    Refuses when: the account is the domain's.
    """
    del facts
    yield from account_step(
        findings,
        "enabled",
        kind="account_enabled",
        expected=False,
        desired=True,
        title="Enable the account that was asked about",
        postcondition="the account is enabled",
        always_ask="disabling an account may be hardening or an offboarding; its owner must agree",
    )
