"""Is Windows changing itself before it lets anybody sign in?"""

from rdp_remediate.checks.boot import BootView, Named, boot_outcome
from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, passed
from rdp_remediate.facts.boot import Screen
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.report import FindingStatus, Hop

_FAULTS = {
    Screen.UPDATE: ("windows-update-in-progress", "Windows is installing updates"),
    Screen.UPDATE_UNDO: ("windows-update-in-progress", "Windows is undoing updates"),
    Screen.GETTING_READY: ("getting-windows-ready-stuck", "Windows is getting ready"),
    Screen.FEATURES: ("working-on-features-stuck", "Windows is working on features"),
    Screen.CHECKING_DISK: ("checking-file-system", "Windows is checking its file system"),
}


@check(
    hop=Hop.GUEST_OS,
    faults=(
        "windows-update-in-progress",
        "getting-windows-ready-stuck",
        "working-on-features-stuck",
        "checking-file-system",
    ),
    requires=("vm_is_running",),
)
def windows_finishes_servicing(facts: Facts) -> Outcome:
    r"""Windows is not installing updates, features or checking its disk at boot.

    Why: until it has ended nothing answers, and a restart in the middle is what breaks Windows.
    Evidence: the serial log, or the boot picture as the operator names it with --boot-screen; where Windows was read, what
        waits for its next start (RebootPending, RebootRequired, PendingFileRenameOperations), which is no fault.
    By hand:
        * windows-update-in-progress: wait, up to eight hours, as long as the percentage moves. Never restart or redeploy
          before. Then restart once, with a backup at hand; if it comes again remove the update offline on a repair VM
          (`dism /image:F:\ /remove-package`).
        * getting-windows-ready-stuck: wait some hours. Then restore from a backup, or take a memory dump (NMI over the serial
          console) for Microsoft support. Do not restart.
        * working-on-features-stuck: wait while the percentage moves. If it stands still for hours, switch the feature off
          offline on a repair VM (`dism /image:F:\ /disable-feature`).
        * checking-file-system: wait until the check has ended. If it does not end, run chkdsk offline on a copy of the disk.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-stuck-updating-boot-error
    """
    outcome = boot_outcome(facts, _named)
    system = facts.guest.system_item("pending_restart")
    if outcome.status is not FindingStatus.PASS or isinstance(system, Unavailable) or not system.value.pending_restart:
        return outcome
    waiting = ", ".join(system.value.pending_restart)
    return passed(f"{outcome.reason}; the next restart finishes what waits for it ({waiting})", pending_restart=waiting)


def _named(view: BootView) -> Named | None:
    if view.screen not in _FAULTS:
        return None
    fault, said = _FAULTS[view.screen]
    return Named(fault, f"{said}: {view.source} shows it. RDP answers when that has ended; a restart would do damage.")
