"""Is it known why Windows refused the asked user?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, passed, skipped, unexplained
from rdp_remediate.facts.accounts import REFUSED, RESTRICTED, asked_name, last_refusal
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop

_REASONLESS = (REFUSED, RESTRICTED, "C00000DC", "C00002EE", "C0000413")
"""Reasons that name no cause; whatever else Windows says is judged by another check, C0000225 by nobody."""


@check(hop=Hop.GUEST_AUTH, faults=(), requires=("vm_is_running",))
def last_refusal_is_explained(facts: Facts) -> Outcome:
    """Windows did not refuse the asked user without a reason.

    Why: while the last attempt of the user ended in a refusal whose cause cannot be told, an answer from the RDP port is no proof
        that this user gets in.
    Evidence: the asked user's last refusal (Security 4625) and the sign-ins after it.
    By hand: look at the event 4625 itself, at the client's own message and, for accounts of Microsoft Entra ID, at the sign-in logs
        of the tenant.
    See: https://learn.microsoft.com/windows/security/threat-protection/auditing/event-4625
    """
    if asked_name(facts) is None:
        return skipped("nobody was asked about")
    refusal = last_refusal(facts)
    if refusal is None or refusal.reason not in _REASONLESS:
        return passed("no refusal without a reason since the last sign-in")
    at = refusal.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return unexplained(
        f"Windows refused the user's last sign-in ({at}, {refusal.reason}), and why cannot be told from here."
    )
