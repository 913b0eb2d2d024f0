"""Extend the asked local account."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(faults=("auth-account-expired",), layer="guest", order=50, permissions=RUN_COMMAND)
def extend_account(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Let the local account that was asked about be used for one more week.

    Changes: the end of the account, to midnight UTC in seven days.
    Undo: writes the recorded end back.
    Refuses when: the account is the domain's.
    """
    found = findings[0].evidence
    sid, ended = found.get("sid"), found.get("expired")
    if not sid or not ended:
        yield Refused("not_ours", "The account belongs to a domain; it is extended there.", "the directory team")
        return
    until = (facts.at + timedelta(days=7)).strftime("%Y-%m-%dT00:00:00Z")
    yield Draft(
        kind="account_expires",
        target={"sid": sid},
        expected=ended,
        desired=until,
        title=f"Let the account that was asked about be used until {until[:10]}",
        postcondition=f"the account ends at {until}",
        risk=Risk.SENSITIVE,
        always_ask="somebody gave the account an end; its owner decides whether and until when it is used",
    )
