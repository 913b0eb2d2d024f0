"""Is the port behind just-in-time access?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, by_design, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop
from rdp_remediate.network.denials import denials, judged
from rdp_remediate.network.question import ask


@check(hop=Hop.NETWORK, faults=("jit-closed",), requires=("vm_has_an_entry", "vnet_peering_is_connected"))
def just_in_time_access_is_open(facts: Facts) -> Outcome:
    """Just-in-time access does not hold the RDP port closed.

    Why: Defender for Cloud keeps the port closed until somebody asks; its deny is never deleted or overridden (trap 3).
    Evidence: NSG rules named SecurityCenter-JITRule, just-in-time policies.
    By hand:
        * jit-closed: ask for access in Defender for Cloud, or `az security jit-policy initiate`, for your own address and a short time.
    See: https://learn.microsoft.com/azure/defender-for-cloud/just-in-time-access-usage
    """
    judged(ask(facts))
    for denial in denials(facts):
        if denial.jit:
            return by_design(
                "jit-closed",
                f"Just-in-time access is closed: {denial.rule} denies {denial.client} until somebody asks for access.",
                rule=denial.rule,
                nsg_id=denial.nsg_id,
            )
    return passed("no just-in-time rule denies the client")
