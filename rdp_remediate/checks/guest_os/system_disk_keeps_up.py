"""Does the OS disk answer in time?"""

from datetime import timedelta

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Confidence, Effect, Hop

RECENT = timedelta(minutes=15)
BURST = 10
"""So many retried or surprise-removed requests in a quarter of an hour; single ones happen on every VM."""


@check(hop=Hop.GUEST_OS, faults=("disk-throttled-or-offline",), requires=("vm_is_running",))
def system_disk_keeps_up(facts: Facts) -> Outcome:
    """Windows does not retry its disk requests all the time.

    Why: a disk at the limit of its size, or that went away, makes everything slow or hang.
    Evidence: events 153 and 157 of the source disk in the last quarter of an hour. The metrics OS Disk IOPS and Bandwidth
        Consumed Percentage would confirm; a disk that the platform took offline is platform-unavailable.
    By hand:
        * disk-throttled-or-offline: look at the metrics OS Disk IOPS Consumed Percentage and OS Disk Bandwidth Consumed
          Percentage. At 100 the owner chooses a larger disk, another performance tier or VM size; else wait, or support.
    See: https://learn.microsoft.com/azure/virtual-machines/disks-performance
    """
    logged = need(facts.guest.logged("disk", 153, 157))
    recent = [one for one in logged if facts.at - one.at <= RECENT]
    count = sum(one.recent or 1 for one in recent)
    if count < BURST:
        return passed(f"{count} retried disk requests in the last 15 minutes")
    return failed(
        "disk-throttled-or-offline",
        f"Windows retried {count} disk requests in the last 15 minutes.",
        Effect.DEGRADES,
        Confidence.LIKELY,
    )
