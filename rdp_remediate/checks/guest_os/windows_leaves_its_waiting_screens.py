"""Does Windows hang while it shuts down, or before it shows the sign-in page?"""

from datetime import timedelta

from rdp_remediate.checks.boot import ORDINARY, BootView, Named, boot_outcome, since_start
from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome
from rdp_remediate.facts.boot import Screen
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Confidence, Hop

_FAULTS = {
    Screen.SHUTTING_DOWN: ("shutdown-stuck", "Windows does not finish shutting down"),
    Screen.RESTARTING: ("shutdown-stuck", "Windows does not finish restarting"),
    Screen.GROUP_POLICY: ("group-policy-client-hang", "Windows waits for the Group Policy Client"),
    Screen.SESSION_MANAGER: ("local-session-manager-hang", "Windows waits for the Local Session Manager"),
}


@check(
    hop=Hop.GUEST_OS,
    faults=("shutdown-stuck", "group-policy-client-hang", "local-session-manager-hang"),
    requires=("vm_is_running",),
)
def windows_leaves_its_waiting_screens(facts: Facts) -> Outcome:
    """Windows does not hang while it shuts down or starts.

    Why: behind these screens the network may be up, but nobody can sign in.
    Evidence: the boot picture as the operator names it with --boot-screen; the activity log tells how long it lasts: in the
        first ten minutes after a start, a restart or a power-off each of them is ordinary.
    By hand:
        * shutdown-stuck: wait. Then find the service that does not stop over the serial console (`sc queryex type= service
          state= all`, STOP_PENDING) and end its process; else take a memory dump (NMI) before a restart.
        * group-policy-client-hang: restart once, with the owner's consent. If it comes again take a memory dump (NMI over the
          serial console) for Microsoft support; look at the policies and the way to the domain controllers.
        * local-session-manager-hang: restart once, with the owner's consent. If it comes again take a memory dump (NMI over
          the serial console) for Microsoft support.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/boot-error-troubleshoot-windows
    """
    return boot_outcome(facts, lambda view: _named(facts, view))


def _named(facts: Facts, view: BootView) -> Named | None:
    if view.screen not in _FAULTS:
        return None
    fault, said = _FAULTS[view.screen]
    age = since_start(facts)
    if age is None:
        return Named(fault, f"{said}: {view.source} shows it.")
    ago = f"{age // timedelta(minutes=1)} minutes after it was started or stopped through Azure"
    sure = Confidence.CONFIRMED if age > ORDINARY else Confidence.POSSIBLE
    return Named(fault, f"{said}: {view.source} shows it {ago}.", sure)
