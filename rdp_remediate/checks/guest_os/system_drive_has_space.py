"""Is there space left on the system drive?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Effect, Hop

CRITICAL_MB = 100
SCARCE_MB = 1024


@check(hop=Hop.GUEST_OS, faults=("os-disk-full",), requires=("vm_is_running",))
def system_drive_has_space(facts: Facts) -> Outcome:
    r"""The system drive has at least 1 GB free.

    Why: below that profiles, updates and the agent fail; below 100 MB sign-ins end in a temporary profile or not at all.
    Evidence: Win32_LogicalDisk of the system drive.
    By hand:
        * os-disk-full: <free> MB are free. With the owner's consent empty C:\Windows\Temp, old error reports and
          C:\Windows\SoftwareDistribution\Download (what is deleted cannot be brought back), or enlarge the OS disk
          (deallocates the VM) and extend the partition with Resize-Partition.
    See: https://learn.microsoft.com/azure/virtual-machines/windows/expand-disks
    """
    free = need(facts.guest.system_item("disk")).disk
    if free is None:
        return unknown("The guest's answer holds no free space.", because="guest.system.disk")
    if free >= SCARCE_MB:
        return passed(f"{free} MB are free")
    return failed(
        "os-disk-full",
        f"The system drive has {free} MB left"
        + ("; sign-ins fail or get temporary profiles." if free < CRITICAL_MB else ", which is less than 1 GB."),
        Effect.DEGRADES if free < CRITICAL_MB else Effect.RISK,
        free=free,
    )
