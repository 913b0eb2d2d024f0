"""Does the service that owns RDP run?"""

from typing import Any

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import TERM_SERVICE
from rdp_remediate.facts.need import need
from rdp_remediate.facts.term_service import is_own_dll, obstacle, service_dll
from rdp_remediate.models.report import Hop


@check(
    hop=Hop.GUEST_RDP_SERVICE,
    faults=("termservice-stopped", "termservice-disabled"),
    requires=("vm_is_running", "windows_setup_is_finished"),
)
def term_service_is_running(facts: Facts) -> Outcome:
    """Remote Desktop Services (TermService) is running.

    Why: without it nothing listens on the RDP port. Its default start type is Manual, not Automatic.
    Evidence: guest services. A service that cannot start is told by what keeps it from starting.
    By hand:
        * termservice-stopped: `Start-Service TermService`.
        * termservice-disabled: `sc.exe config TermService start= demand`, then `Start-Service TermService`.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-remote-desktop-services-issues
    """
    service = need(facts.guest.service(TERM_SERVICE))
    if service is None:
        return unknown("TermService is not installed on this Windows.", because="guest.services.TermService")
    if service.state == "Running":
        return passed(f"TermService is running, start type {service.start_type}")
    evidence: dict[str, Any] = {"state": service.state, "start_type": service.start_type}
    if service.state == "Stopped" and service.start_type == "Disabled":
        return failed("termservice-disabled", "TermService is disabled and stopped.", **evidence)
    if obstacle(facts) is not None:
        return skipped("term_service_can_start")
    if service.state != "Stopped":
        return unknown(
            f"TermService is {service.state}: neither running nor stopped.", because="service state", **evidence
        )
    if not is_own_dll(need(service_dll(facts.guest))):
        return skipped("term_service_loads_its_own_code")
    return failed("termservice-stopped", f"TermService is stopped (start type {service.start_type}).", **evidence)
