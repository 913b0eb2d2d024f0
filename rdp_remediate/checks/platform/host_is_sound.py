"""Has Azure announced that the VM's host is failing?"""

import re

from rdp_remediate.checks.check import check
from rdp_remediate.checks.moves import WARNING_LASTS, moved_since
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Effect, Hop

_FAILING = re.compile(r"DegradedDueToHardware|DegradedHardware|ScheduledForServiceHealing", re.IGNORECASE)


@check(hop=Hop.PLATFORM, faults=("platform-degraded-hardware",), requires=("vm_is_running",))
def host_is_sound(facts: Facts) -> Outcome:
    """Azure has announced no failure of the VM's host.

    Why: Azure predicts failures of hardware; the VM works until then, and is moved by force at the deadline.
    Evidence: resource annotations of the last seven days, and whether the VM was moved since.
    By hand:
        * platform-degraded-hardware: redeploy the VM before the deadline in a window that its owner chooses, never while
          Windows installs updates: a redeploy restarts it, empties the temporary disk D: and may change a dynamic address.
          The announcement: <announcement>
    See: https://learn.microsoft.com/azure/service-health/resource-health-vm-annotation
    """
    warned = [
        one
        for one in need(facts.annotations)
        if _FAILING.search(one.name) and one.at is not None and facts.at - one.at <= WARNING_LASTS
    ]
    if not warned:
        return passed("no annotation of a failing host in the last seven days")
    last = warned[-1]
    moved = moved_since(facts, last)
    if moved:
        return passed(f"the host was reported as failing, but {moved}")
    return failed(
        "platform-degraded-hardware",
        f"Azure reported {last.name} at {last.at:%Y-%m-%d %H:%M}Z: the host is failing, and the VM is still on it.",
        Effect.RISK,
        announcement=last.summary or last.name,
    )
