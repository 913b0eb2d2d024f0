"""Does the service run that the whole network stack hangs on?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop


@check(hop=Hop.GUEST_NETWORK, faults=("nsi-not-running",), requires=("vm_is_running",))
def network_store_service_runs(facts: Facts) -> Outcome:
    """The Network Store Interface Service (nsi) is running.

    Why: DHCP, DNS, network location and the workstation service depend on it and stop with it.
    Evidence: guest services.
    By hand:
        * nsi-not-running: in the serial console `sc.exe config nsi start= auto`, `sc.exe start nsi`, then start Dhcp, Dnscache,
          NlaSvc and LanmanWorkstation. Run Command needs the network and rarely answers here.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/azure-vm-nsi-not-starting
    """
    service = need(facts.guest.service("nsi"))
    if service is None:
        return unknown("The service nsi is not installed on this Windows.", because="guest.services.nsi")
    if service.state == "Running":
        return passed("nsi is running")
    if service.state != "Stopped":
        return unknown(f"nsi is {service.state}: neither running nor stopped.", because="service state")
    return failed(
        "nsi-not-running",
        f"The service nsi is stopped (start type {service.start_type}); nothing that needs the network starts without it.",
        start_type=service.start_type,
    )
