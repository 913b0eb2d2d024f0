"""Does Windows find and unlock what it starts from?"""

from rdp_remediate.checks.boot import BootView, Named, boot_outcome
from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome
from rdp_remediate.facts.boot import Screen
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop

INACCESSIBLE_BOOT_DEVICE = 0x7B


@check(hop=Hop.GUEST_OS, faults=("boot-config-error", "bitlocker-recovery-prompt"), requires=("vm_is_running",))
def windows_boot_files_are_readable(facts: Facts) -> Outcome:
    """Windows finds its boot configuration and can unlock its disk.

    Why: it stops before it starts: nothing answers.
    Evidence: the serial log (status of the boot manager, stop code 0x7B), the picture by --boot-screen.
    By hand:
        * boot-config-error: <status>. Repair it offline: `az vm repair create`, then bcdedit or bcdboot on the attached copy;
          for 0x7B the storage driver or an update; with a snapshot taken before.
        * bitlocker-recovery-prompt: with the owner's consent deallocate and start the VM, so that Azure fetches the key again;
          that empties the temporary disk D: and may change a dynamic address. If it asks again unlock the disk offline.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/boot-diagnostics
    """
    return boot_outcome(facts, _named)


def _named(view: BootView) -> Named | None:
    if view.screen is Screen.BITLOCKER:
        return Named("bitlocker-recovery-prompt", f"The disk waits for its BitLocker key: {view.source} shows it.")
    code = view.log.stop_code if view.log is not None else None
    if view.screen is Screen.BLUE_SCREEN and code == INACCESSIBLE_BOOT_DEVICE:
        return Named("boot-config-error", "Windows cannot read its boot disk (0x7B).", evidence={"status": "stop 0x7B"})
    if view.screen is Screen.BOOT_ERROR:
        status = view.log.status if view.log is not None else None
        shown = "the status is on the picture" if status is None else f"status 0x{status:X}"
        return Named(
            "boot-config-error",
            f"The boot manager stops ({shown}): {view.source} shows it.",
            evidence={"status": shown},
        )
    return None
