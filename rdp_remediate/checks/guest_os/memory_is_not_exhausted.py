"""Is there memory left?"""

from datetime import timedelta

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.report import Confidence, Effect, Hop

LOW_PERCENT = 5
SCARCE_PERCENT = 10
RECENT = timedelta(hours=1)

_EXHAUSTION = "Microsoft-Windows-Resource-Exhaustion-Detector"


@check(hop=Hop.GUEST_OS, faults=("low-memory",), requires=("vm_is_running",))
def memory_is_not_exhausted(facts: Facts) -> Outcome:
    """Windows has memory left for a session.

    Why: without it sessions end in a black screen or in "not enough storage", and services fail at random.
    Evidence: the sizes of Win32_OperatingSystem now; Resource-Exhaustion-Detector 2004 of the last hour, which alone is
        history. A page file on D: is Azure's default and no fault.
    By hand:
        * low-memory: <free> of <total> MB are free; the largest process: <process>. Its owner restarts it; else resize the
          VM or enlarge the page file.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/azure-windows-vm-memory-issue
    """
    system = need(facts.guest.system_item("memory"))
    if system.memory is None or system.memory[0] <= 0 or system.memory[2] <= 0:
        return unknown("The guest's answer holds no sizes of memory.", because="guest.system.memory")
    total, free, commit, uncommitted = system.memory
    left = min(100 * free / total, 100 * uncommitted / commit)
    warnings = facts.guest.logged(_EXHAUSTION, 2004)
    warned = not isinstance(warnings, Unavailable) and any(facts.at - one.at <= RECENT for one in warnings.value)
    if left >= SCARCE_PERCENT or (left >= LOW_PERCENT and not warned):
        if left < SCARCE_PERCENT and isinstance(warnings, Unavailable):
            return unknown(
                f"{free} of {total} MB are free; whether Windows ran short could not be read.", because="guest.events"
            )
        return passed(f"{free} of {total} MB are free, {uncommitted} of {commit} MB may still be committed")
    return failed(
        "low-memory",
        f"{free} of {total} MB of memory are free and {uncommitted} of {commit} MB may still be committed"
        + ("; Windows warned within the last hour." if warned else "."),
        Effect.DEGRADES,
        Confidence.CONFIRMED if warned else Confidence.LIKELY,
        free=free,
        total=total,
        process=system.top_memory or "not shown",
    )
