"""Did Windows crash, or does it start again and again?"""

from datetime import timedelta

from rdp_remediate.checks.boot import BootView, Named, boot_outcome
from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.boot import Screen
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.report import Confidence, Effect, Hop

FRESH = timedelta(hours=24)
"""A crash explains a session that dropped today."""

LOOP = 4
"""So many starts without one report that Windows came up; fewer are ordinary restarts."""

_CRASH = "Microsoft-Windows-WER-SystemErrorReporting"
_ELSEWHERE = (0xC00002E1, 0xC00002E2, 0x74, 0x7B)
"""Stop codes that name another row of their own."""


@check(hop=Hop.GUEST_OS, faults=("bsod", "reboot-loop"), requires=("vm_is_running",))
def windows_does_not_crash(facts: Facts) -> Outcome:
    """Windows did not crash in the last day and does not start again and again.

    Why: a blue screen answers nothing; one that is over explains why sessions dropped.
    Evidence: the serial log (EMS record of a blue screen, the number of starts), the picture by --boot-screen, the event
        BugCheck 1001. The log has no times: many starts of it are a loop most likely, not certainly.
    By hand:
        * bsod: stop code <stop_code>. Keep the memory dump; on a repair VM remove the driver or the update that came last, or
          restore from a backup; then Microsoft support. Do not restart again and again.
        * reboot-loop: on a repair VM set ErrorControl of the service RDAgent to 1 (2 makes Windows start again), try the last
          known good control set, then restore. Compare two boot pictures first: they differ while it loops.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-common-blue-screen-error
    """
    if isinstance(facts.guest.os, Unavailable):
        silent = not isinstance(facts.vm, Unavailable) and facts.vm.value.agent is not None
        return boot_outcome(facts, lambda view: _named(view, silent), agent_proves=False)
    crashes = [one for one in need(facts.guest.logged(_CRASH, 1001)) if facts.at - one.at <= FRESH]
    if crashes:
        driver = need(facts.guest.adapter_item("crashed_driver")).crashed_driver
        if driver is not None:
            return passed(f"the crash is the network driver's ({driver})")
        code = crashes[-1].data[0].split(" ", 1)[0] if crashes[-1].data else "not shown"
        return failed(
            "bsod",
            f"Windows crashed at {crashes[-1].at:%Y-%m-%d %H:%M}Z ({code}) and runs again.",
            Effect.RISK,
            stop_code=code,
        )
    return passed("Windows runs and did not crash in the last day")


def _named(view: BootView, has_agent: bool) -> Named | None:
    code = view.log.stop_code if view.log is not None else None
    if view.screen is Screen.BLUE_SCREEN and code not in _ELSEWHERE:
        shown = "not shown" if code is None else f"0x{code:X}"
        return Named(
            "bsod",
            f"Windows stands at a blue screen (stop code {shown}): {view.source} shows it.",
            evidence={"stop_code": shown},
        )
    # A person who sees one screen sees no loop; an agent that never was there writes no report that Windows came up.
    if not view.told and view.screen is None and has_agent and view.log is not None and view.log.starts >= LOOP:
        return Named(
            "reboot-loop",
            f"The serial log holds {view.log.starts} starts and no report that Windows came up.",
            Confidence.LIKELY,
        )
    return None
