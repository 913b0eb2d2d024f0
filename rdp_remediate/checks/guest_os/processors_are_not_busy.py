"""Are the processors busy all the time?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Confidence, Effect, Hop

BUSY_PERCENT = 95


@check(hop=Hop.GUEST_OS, faults=("high-cpu",), requires=("vm_is_running",))
def processors_are_not_busy(facts: Facts) -> Outcome:
    """The processors have something left for a sign-in.

    Why: at full load a sign-in takes minutes or times out, although the listener answers.
    Evidence: Win32_Processor, the lower of two readings seconds apart; the metric Percentage CPU tells about longer times.
    By hand:
        * high-cpu: the busiest process: <process>. Look at the metric Percentage CPU of the last hours; its owner ends or
          restarts that process; else resize the VM. On a B-series VM look at the remaining CPU credits first.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-high-cpu-issues-azure-windows-vm
    """
    system = need(facts.guest.system_item("cpu"))
    if system.cpu is None:
        return unknown("The guest's answer holds no load.", because="guest.system.cpu")
    if system.cpu < BUSY_PERCENT:
        return passed(f"load {system.cpu} %")
    busiest = f"; the busiest process is {system.top_cpu}" if system.top_cpu else ""
    return failed(
        "high-cpu",
        f"The processors were at {system.cpu} % twice within seconds{busiest}.",
        Effect.DEGRADES,
        Confidence.LIKELY,
        process=system.top_cpu or "not shown",
    )
