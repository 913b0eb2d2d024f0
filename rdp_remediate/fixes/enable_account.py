"""Enable the asked local account."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(faults=("auth-account-disabled",), layer="guest", order=50, permissions=RUN_COMMAND)
def enable_account(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Enable the local account that was asked about.

    Changes: whether the account is enabled.
    Undo: disables it again.
    Refuses when: the account is the domain's.
    """
    del facts
    sid = findings[0].evidence.get("sid")
    if not sid:
        yield Refused("not_ours", "The account belongs to a domain; it is enabled there.", "the directory team")
        return
    yield Draft(
        kind="account_enabled",
        target={"sid": sid},
        expected=False,
        desired=True,
        title="Enable the account that was asked about",
        postcondition="the account is enabled",
        risk=Risk.SENSITIVE,
        always_ask="disabling an account may be hardening or an offboarding; its owner must agree",
    )
