"""Does the service run that talks to the domain?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped, unknown
from rdp_remediate.facts.accounts import domain_effect
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop


@check(hop=Hop.GUEST_AUTH, faults=("netlogon-not-running",), requires=("vm_is_running",))
def netlogon_is_running(facts: Facts) -> Outcome:
    """Netlogon is running on a member of a domain.

    Why: domain users are checked through Netlogon's channel to a domain controller. Outside a domain it is stopped by default.
    Evidence: guest services, domain membership.
    By hand:
        * netlogon-not-running: `sc.exe config Netlogon start= auto`, `Start-Service LanmanWorkstation`, `Start-Service Netlogon`;
          then `nltest /sc_query:DOMAIN`.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/azure-vm-netlogon-not-starting
    """
    if not need(facts.guest.os).part_of_domain:
        return skipped("this computer belongs to no domain")
    service = need(facts.guest.service("Netlogon"))
    if service is None:
        return unknown("Netlogon is not installed on this Windows.", because="guest.services.Netlogon")
    if service.state == "Running":
        return passed(f"Netlogon is running, start type {service.start_type}")
    if service.state != "Stopped":
        return unknown(f"Netlogon is {service.state}: neither running nor stopped.", because="service state")
    return failed(
        "netlogon-not-running",
        f"Netlogon is stopped (start type {service.start_type}): no domain user can be checked.",
        domain_effect(facts),
        state=service.state,
        start_type=service.start_type,
    )
