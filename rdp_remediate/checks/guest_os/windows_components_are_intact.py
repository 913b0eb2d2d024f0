"""Are files or registry hives of Windows damaged?"""

from collections.abc import Sequence

from rdp_remediate.checks.boot import BootView, Named, boot_outcome
from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.boot import Screen
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.report import Confidence, Hop

BAD_SYSTEM_CONFIG_INFO = 0x74
_DAMAGED = {
    2: "file not found",
    126: "a module is missing",
    127: "a procedure is missing in a module",
    193: "a file is no valid program",
    1117: "the device reports an error",
    1392: "a file is damaged",
}
_SERVICES = ("TermService", "RpcSs", "RpcEptMapper", "LSM", "CryptSvc", "KeyIso", "ProfSvc")


@check(hop=Hop.GUEST_OS, faults=("component-or-hive-corruption",), requires=("vm_is_running",))
def windows_components_are_intact(facts: Facts) -> Outcome:
    """No service that Remote Desktop needs stopped because a file of Windows is missing or damaged.

    Why: starting such a service again changes nothing; Windows' own files must be repaired first.
    Evidence: exit codes of stopped services (126, 127, 193, 1392 ...), or stop code 0x74 in the serial log.
    By hand:
        * component-or-hive-corruption: with the owner's consent `sfc /scannow`, then `DISM /Online /Cleanup-Image
          /RestoreHealth` (each may take an hour; Run Command ends after 90 minutes), a restart, and the service again. With
          0x74 load the SYSTEM hive on a repair VM and restore it from RegBack or a backup.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/serial-console-cmd-ps-commands
    """
    if isinstance(facts.guest.os, Unavailable):
        return boot_outcome(facts, _named, agent_proves=False)
    broken = _broken(facts, _SERVICES)
    if broken is None:
        return passed("no service stopped for a missing or damaged file")
    name, code = broken
    return failed(
        "component-or-hive-corruption",
        f"{name} is stopped with error {code}: {_DAMAGED[code]}.",
        confidence=Confidence.LIKELY,
        service=name,
        exit_code=code,
    )


def _broken(facts: Facts, names: Sequence[str]) -> tuple[str, int] | None:
    for name in names:
        service = need(facts.guest.service(name))
        if service is None or service.state != "Stopped" or service.start_type == "Disabled":
            continue
        if service.exit_code in _DAMAGED:
            return name, service.exit_code
    return None


def _named(view: BootView) -> Named | None:
    code = view.log.stop_code if view.log is not None else None
    if view.screen is Screen.BLUE_SCREEN and code == BAD_SYSTEM_CONFIG_INFO:
        return Named(
            "component-or-hive-corruption",
            "Windows stops because its registry cannot be read (stop code 0x74, BAD_SYSTEM_CONFIG_INFO).",
        )
    return None
