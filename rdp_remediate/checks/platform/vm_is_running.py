"""Is the VM on, and if not, who switched it off?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, by_design, failed, passed, skipped, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.platform import Change, VirtualMachine
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.report import Hop
from rdp_remediate.network.classic import is_classic

_OFF = {"deallocated": "vm-deallocated", "stopped": "vm-stopped-allocated"}
_MOVING = ("starting", "stopping", "deallocating")


@check(hop=Hop.PLATFORM, faults=("vm-deallocated", "vm-stopped-allocated", "vm-spot-evicted", "vm-transitional"))
def vm_is_running(facts: Facts) -> Outcome:
    """The VM is running.

    Why: a VM that is off answers nothing; an off VM hides every other cause.
    Evidence: instance view PowerState, resource annotations, activity log, tags.
    By hand:
        * vm-deallocated: find out who stopped it and whether that was meant; then `az vm start -g GROUP -n VM`.
        * vm-stopped-allocated: it is still billed; ask its owner, then `az vm start -g GROUP -n VM`.
        * vm-spot-evicted: start it when Azure has capacity again, or convert it to a regular VM.
        * vm-transitional: wait until the state settles; do not stack another operation on it.
    See: https://learn.microsoft.com/azure/virtual-machines/states-billing
    """
    if is_classic(facts.network, facts.target.vm_id.rstrip("/").lower()):
        return skipped("classic_vm_is_migrated")
    vm = need(facts.vm)
    if vm.running:
        return passed("PowerState/running")
    if vm.power_state in _MOVING:
        return failed("vm-transitional", f"The VM is {vm.power_state}; it may be reachable when that has ended.")
    fault = _OFF.get(vm.power_state or "")
    if fault is None:
        return unknown(f"The power state is {vm.power_state or 'not shown'}.", because="power state")
    return _who_stopped_it(facts, vm, fault)


def _who_stopped_it(facts: Facts, vm: VirtualMachine, fault: str) -> Outcome:
    state = "stopped and deallocated" if fault == "vm-deallocated" else "stopped but still allocated and billed"
    if not isinstance(facts.annotations, Unavailable):
        names = {one.name for one in facts.annotations.value}
        if "VirtualMachinePreempted" in names:
            return failed("vm-spot-evicted", f"Azure took the capacity of this Spot VM back; it is {state}.")
        platform_events = [a for a in facts.annotations.value if a.context.lower().startswith("platform")]
        if platform_events:
            return failed(fault, f"The VM is {state}; Azure reports {platform_events[-1].name}.", stopper="platform")
    stop = _last_stop(facts, vm)
    if vm.keep_running:
        who = f" Last stop: {stop.caller}." if stop else ""
        return failed(
            fault, f"The VM is {state}, although its tag says that it must keep running.{who}", stopper="unwanted"
        )
    if stop is not None and stop.kind in ("person", "automation"):
        schedule = f" (schedule tag {vm.schedule_tag})" if vm.schedule_tag else ""
        return by_design(
            fault,
            f"The VM is {state}: {stop.caller or 'an automation identity'} did it at {stop.at:%Y-%m-%d %H:%M}Z{schedule}.",
            stopper="schedule" if vm.schedule_tag and stop.kind == "automation" else stop.kind,
        )
    if vm.schedule_tag:
        return by_design(fault, f"The VM is {state}; its tag {vm.schedule_tag} switches it off.", stopper="schedule")
    return failed(fault, f"The VM is {state}; who stopped it is unknown.", stopper="unknown")


def _last_stop(facts: Facts, vm: VirtualMachine) -> Change | None:
    if isinstance(facts.changes, Unavailable):
        return None
    return next(
        (
            change
            for change in reversed(facts.changes.value)
            if change.operation.lower().endswith(("/deallocate/action", "/poweroff/action"))
            and change.resource_id.lower() == vm.vm_id.lower()
        ),
        None,
    )
