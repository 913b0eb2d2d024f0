"""Is Azure in the middle of an operation on the VM?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Effect, Hop
from rdp_remediate.network.classic import is_classic

_MOVING = ("starting", "stopping", "deallocating")
_WORKING = ("creating", "updating", "deleting", "migrating")


@check(hop=Hop.PLATFORM, faults=("vm-transitional",))
def vm_state_is_settled(facts: Facts) -> Outcome:
    """Azure is not in the middle of an operation on the VM.

    Why: while a VM starts or stops, its agent, its network and its health say nothing; a second operation would collide.
    Evidence: instance view PowerState, provisioningState.
    By hand:
        * vm-transitional: wait until `az vm get-instance-view -g GROUP -n VM --query instanceView.statuses` shows a state
          that stays; do not stack another operation on it. Only if nothing moves for an hour, ask Azure support.
    See: https://learn.microsoft.com/azure/virtual-machines/states-billing
    """
    if is_classic(facts.network, facts.target.vm_id.rstrip("/").lower()):
        return skipped("classic_vm_is_migrated")
    vm = need(facts.vm)
    if vm.power_state in _MOVING:
        return failed("vm-transitional", f"The VM is {vm.power_state}; it may be reachable when that has ended.")
    provisioning = (vm.provisioning_state or "").lower()
    if provisioning in _WORKING:
        return failed(
            "vm-transitional",
            f"Azure is still working on the VM (provisioningState {vm.provisioning_state}).",
            Effect.DEGRADES if vm.running else Effect.BLOCKS,
        )
    if vm.power_state is None or not provisioning:
        shown = "power state" if vm.power_state is None else "provisioning state"
        return unknown(f"The VM shows no {shown}.", because=shown)
    return passed(f"PowerState/{vm.power_state}, provisioningState {vm.provisioning_state}")
