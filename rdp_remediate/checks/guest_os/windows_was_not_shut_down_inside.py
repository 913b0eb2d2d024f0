"""Was the VM switched off from inside Windows?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop

_STOPPED_INSIDE = "stoppedinternally"
_ENDS = ("stopped", "stopinitiated", "deallocat", "preempted", "crashed", "start", "restart", "redeploy")
_OPERATIONS = ("/poweroff/action", "/deallocate/action", "/start/action")


@check(hop=Hop.GUEST_OS, faults=("guest-initiated-shutdown",), requires=("vm_state_is_settled",))
def windows_was_not_shut_down_inside(facts: Facts) -> Outcome:
    """Nobody shut Windows down from inside.

    Why: a VM that goes off by itself goes off again: a scheduled task, an expired evaluation licence, a person, an update.
    Evidence: power state stopped, the annotation VirtualMachineStoppedInternally as the last stop, no power operation in the
        activity log after it.
    By hand:
        * guest-initiated-shutdown: start the VM with its owner's consent, then look for the reason inside: System events 1074
          (User32), 6008 (EventLog), 41 (Kernel-Power), scheduled tasks, `slmgr /xpr`.
    See: https://learn.microsoft.com/azure/service-health/resource-health-vm-annotation
    """
    vm = need(facts.vm)
    if vm.power_state != "stopped":
        return passed(f"PowerState/{vm.power_state}")
    told = [one for one in need(facts.annotations) if any(word in one.name.lower() for word in _ENDS)]
    if not told or _STOPPED_INSIDE not in told[-1].name.lower():
        return passed("no annotation says that Windows stopped the VM")
    at = told[-1].at
    later = [
        change
        for change in need(facts.changes)
        if change.operation.lower().endswith(_OPERATIONS)
        and change.resource_id.lower() == vm.vm_id.lower()
        and (at is None or change.at >= at)
    ]
    if later:
        return passed(f"{later[-1].caller or 'somebody'} changed its power at {later[-1].at:%Y-%m-%d %H:%M}Z")
    when = f" at {at:%Y-%m-%d %H:%M}Z" if at else ""
    return failed("guest-initiated-shutdown", f"Windows was shut down from inside{when}.")
