"""Does Windows hang?"""

from datetime import timedelta

from rdp_remediate.checks.boot import BootView, boot_view
from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.boot import Screen
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop

SILENT = timedelta(minutes=10)
"""Two boot pictures that far apart with the same clock show a hang."""


@check(hop=Hop.GUEST_OS, faults=("os-unresponsive",), requires=("vm_is_running", "platform_is_available"))
def windows_responds(facts: Facts) -> Outcome:
    """Windows does not hang.

    Why: a frozen Windows on a healthy host answers on no port, and its agent falls silent.
    Evidence: Resource Health (Available), the agent, two boot pictures ten minutes apart with the same clock (--boot-screen
        frozen-clock). One picture, or a black one, proves nothing: a virtual display sleeps.
    By hand:
        * os-unresponsive: over the serial console look what hangs, or take a memory dump (NMI). Then restart the VM with its
          owner's consent; if that does not help redeploy it.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-connection
    """
    vm = need(facts.vm)
    view = boot_view(facts)
    if not isinstance(view, BootView):
        return passed(view)
    if any(probe.answered for probe in facts.probes):
        return passed("an RDP server answered")
    if view.screen is Screen.FROZEN_CLOCK:
        if vm.agent is not None and vm.agent.ready:
            return unknown(
                "The picture stands still, but the agent reports that Windows is up.", because="contradiction"
            )
        started = [c.at for c in need(facts.changes) if c.operation.lower().endswith("/start/action")]
        if started and facts.at - max(started) < SILENT:
            return unknown("The VM was started less than ten minutes ago.", because="too early")
        return failed(
            "os-unresponsive", "Windows hangs: the host is healthy, the agent is silent and the picture stands still."
        )
    if view.screen is None or view.screen is Screen.BLACK:
        return unknown(
            "The agent is silent; whether Windows hangs is seen by two boot pictures ten minutes apart (--boot-screen).",
            because="boot screen",
        )
    return passed(f"{view.source} shows {view.screen.value}, not a frozen picture")
