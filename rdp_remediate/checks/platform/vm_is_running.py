"""Is the VM on, and if not, who switched it off?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, by_design, failed, passed, skipped, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.platform import Change, VirtualMachine
from rdp_remediate.facts.platform_health import Annotation
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.report import Hop
from rdp_remediate.network.classic import is_classic

_OFF = {"deallocated": "vm-deallocated", "stopped": "vm-stopped-allocated"}


@check(
    hop=Hop.PLATFORM,
    faults=("vm-deallocated", "vm-stopped-allocated", "vm-spot-evicted", "vm-hibernated"),
    requires=("vm_state_is_settled",),
)
def vm_is_running(facts: Facts) -> Outcome:
    """The VM is running.

    Why: a VM that is off answers nothing; an off VM hides every other cause.
    Evidence: instance view PowerState, resource annotations, activity log, tags.
    By hand:
        * vm-deallocated: find out who stopped it and whether that was meant; then `az vm start -g GROUP -n VM`.
        * vm-stopped-allocated: it is still billed; ask its owner, then `az vm start -g GROUP -n VM`.
        * vm-spot-evicted: start it when Azure has capacity again, or convert it to a regular VM.
        * vm-hibernated: `az vm start -g GROUP -n VM` resumes it with its memory; ask its owner.
    See: https://learn.microsoft.com/azure/virtual-machines/states-billing
    """
    if is_classic(facts.network, facts.target.vm_id.rstrip("/").lower()):
        return skipped("classic_vm_is_migrated")
    vm = need(facts.vm)
    if vm.running:
        return passed("PowerState/running")
    fault = _OFF.get(vm.power_state or "")
    if fault is None:
        return unknown(f"The power state is {vm.power_state or 'not shown'}.", because="power state")
    return _who_stopped_it(facts, vm, "vm-hibernated" if vm.hibernated else fault)


_STATES = {
    "vm-deallocated": "stopped and deallocated",
    "vm-stopped-allocated": "stopped but still allocated and billed",
    "vm-hibernated": "hibernated and deallocated",
}


def _who_stopped_it(facts: Facts, vm: VirtualMachine, fault: str) -> Outcome:
    state = _STATES[fault]
    stop = _last_stop(facts, vm)
    by_platform = _platform_stop(facts, stop)
    if by_platform is not None:
        if "preempted" in by_platform.name.lower():
            return failed("vm-spot-evicted", f"Azure took the capacity of this Spot VM back; it is {state}.")
        return failed(fault, f"The VM is {state}; Azure reports {by_platform.name}.", stopper="platform")
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


def _platform_stop(facts: Facts, stop: Change | None) -> Annotation | None:
    """The platform's own stop, unless somebody stopped the VM after it: then that is why it is off now."""
    if isinstance(facts.annotations, Unavailable):
        return None
    told = [one for one in facts.annotations.value if one.name and not _is_notice(one)]
    if not told or not told[-1].context.lower().startswith("platform"):
        return None
    last = told[-1]
    return None if stop is not None and last.at is not None and stop.at > last.at else last


_NOTICES = ("freeze", "livemigration", "degraded", "servicehealing", "accelnet", "scheduled")


def _is_notice(annotation: Annotation) -> bool:
    """It tells of a pause or of something to come, which leaves no VM off."""
    return any(word in annotation.name.lower() for word in _NOTICES)


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
