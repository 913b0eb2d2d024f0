"""Did the driver of accelerated networking crash Windows?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Effect, Hop


@check(hop=Hop.GUEST_NETWORK, faults=("mellanox-driver-crash",), requires=("vm_is_running",))
def network_driver_does_not_crash(facts: Facts) -> Outcome:
    """No crash of the last seven days is the Mellanox driver's.

    Why: an old driver of accelerated networking restarts Windows at random. BugCheck 1001 never names a driver; the crash report does.
    Evidence: Windows Error Reporting 1001 of the application log.
    By hand:
        * mellanox-driver-crash: update the driver <driver> (Windows Update or NVIDIA's WinOF-2 package), or switch accelerated
          networking off while the VM is deallocated.
    See: https://learn.microsoft.com/azure/virtual-network/accelerated-networking-overview
    """
    driver = need(facts.guest.adapter_item("crashed_driver")).crashed_driver
    if driver is None:
        return passed("no crash report names it")
    return failed(
        "mellanox-driver-crash",
        f"Windows crashed in the network driver {driver} within the last seven days.",
        Effect.DEGRADES,
        driver=driver,
    )
