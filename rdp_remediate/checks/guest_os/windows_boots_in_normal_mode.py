"""Was Windows started in a mode for repair?"""

from rdp_remediate.checks.boot import BootView, Named, boot_outcome
from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.boot import Screen
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.report import Effect, Hop

_DIRECTORY_STOPS = (0xC00002E1, 0xC00002E2)


@check(hop=Hop.GUEST_OS, faults=("boot-safe-mode", "dsrm-or-directory-init-failure"), requires=("vm_is_running",))
def windows_boots_in_normal_mode(facts: Facts) -> Outcome:
    r"""Windows started normally: no safe mode, and a domain controller's directory came up.

    Why: safe mode without networking has neither network nor Remote Desktop; with networking RDP may answer, but not all of
        what sign-in needs. A domain controller without its directory stops, or runs in Directory Services Restore Mode.
    Evidence: SafeBoot\Option, the boot store, the serial log (EMS record of the stop), the picture by --boot-screen.
    By hand:
        * boot-safe-mode: over the serial console `bcdedit /deletevalue {current} safeboot`, then restart with the owner's
          consent. Ask first who set it: a repair may be under way.
        * dsrm-or-directory-init-failure: start in Directory Services Restore Mode (`bcdedit /set {default} safeboot dsrepair`)
          and repair or restore the directory database with the directory team; then remove safeboot again.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-safe-mode
    """
    if isinstance(facts.guest.os, Unavailable):
        return boot_outcome(facts, _named, agent_proves=False)
    mode = facts.guest.os.value.safe_mode
    if mode == "DsRepair":
        return failed(
            "dsrm-or-directory-init-failure",
            "Windows runs in Directory Services Restore Mode: no domain account can sign in.",
            Effect.DEGRADES,
        )
    if mode is not None:
        effect = Effect.DEGRADES if mode == "Network" else Effect.BLOCKS
        return failed("boot-safe-mode", f"Windows runs in safe mode ({mode}).", effect)
    pending = need(facts.guest.system_item("boot")).safe_boot
    if pending is not None:
        return failed(
            "boot-safe-mode",
            f"The boot store says safeboot {pending}: the next restart ends in safe mode.",
            Effect.RISK,
        )
    return passed("no safe mode, now or at the next start")


def _named(view: BootView) -> Named | None:
    if view.screen is Screen.SAFE_MODE:
        return Named("boot-safe-mode", f"Windows runs in safe mode: {view.source} shows it.")
    if view.screen is Screen.BLUE_SCREEN and view.log is not None and view.log.stop_code in _DIRECTORY_STOPS:
        return Named(
            "dsrm-or-directory-init-failure",
            f"The directory service of this domain controller cannot start (stop code 0x{view.log.stop_code:X}).",
            evidence={"stop_code": f"0x{view.log.stop_code:X}"},
        )
    return None
