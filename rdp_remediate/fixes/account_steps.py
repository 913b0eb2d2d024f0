"""The one step on the asked account, which is refused where the account is not the VM's own."""

from collections.abc import Iterator, Sequence
from typing import Any

from rdp_remediate.fixes.fix import Draft, Refused, Yielded
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


def account_step(findings: Sequence[Finding], done: str, **step: Any) -> Iterator[Yielded]:
    """Yields a sensitive step on the local account that was asked about.

    Args:
        findings: The finding that names the account; a domain's account has no local SID in it.
        done: What is done to the account, for the refusal, such as `enabled`.
        step: The rest of the draft.
    """
    sid = findings[0].evidence.get("sid")
    if not sid:
        why = f"The account belongs to a domain; it is {done} there."
        yield Refused("not_ours", why, "the directory team")
        return
    yield Draft(target={"sid": sid}, risk=Risk.SENSITIVE, **step)
