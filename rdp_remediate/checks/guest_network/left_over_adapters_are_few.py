"""Are there many network adapters that are not there any more?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Effect, Hop


@check(hop=Hop.GUEST_NETWORK, faults=("ghost-nics",), requires=("vm_is_running",))
def left_over_adapters_are_few(facts: Facts) -> Outcome:
    """Windows does not keep several network adapters that are no longer there.

    Why: every move to another host may leave one; many make binding slow and updates fail. One is harmless.
    Evidence: network devices of the VMBus in the registry and hidden adapters, against those that are present.
    By hand:
        * ghost-nics: take a snapshot of the OS disk; then remove only the unavailable Hyper-V network adapters, in Device Manager
          (show hidden devices) or with the script Windows_GhostedNIC_Removal of Azure/azure-support-scripts. It may take an hour.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/reset-network-interface
    """
    count = need(facts.guest.adapter_item("ghosts")).ghosts
    if count < 2:
        return passed(f"{count} left over")
    return failed(
        "ghost-nics", f"Windows keeps {count} network adapters that are no longer there.", Effect.DEGRADES, count=count
    )
