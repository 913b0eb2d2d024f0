"""Is inbound RDP the way into this VM at all?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, by_design, passed, skipped
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.session_host import is_avd_session_host
from rdp_remediate.models.report import Hop
from rdp_remediate.network.classic import is_classic


@check(hop=Hop.PLATFORM, faults=())
def vm_takes_direct_rdp(facts: Facts) -> Outcome:
    """The VM is meant to be reached by RDP directly.

    Why: an Azure Virtual Desktop session host connects outwards; its inbound port 3389 is closed by design (trap 40).
    Evidence: the tag that the host pool sets, the agent's services inside Windows.
    By hand: connect through the Azure Virtual Desktop client; do not open port 3389.
    See: https://learn.microsoft.com/azure/virtual-desktop/network-connectivity
    """
    if is_classic(facts.network, facts.target.vm_id.rstrip("/").lower()):
        return skipped("classic_vm_is_migrated")
    evidence = is_avd_session_host(need(facts.vm), facts.guest)
    if evidence:
        return by_design(
            None, f"This is an Azure Virtual Desktop session host ({evidence}); inbound RDP is closed by design."
        )
    return passed("no sign of an Azure Virtual Desktop host pool")
