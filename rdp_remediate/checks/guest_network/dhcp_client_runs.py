"""Does Windows ask for its address?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Effect, Hop
from rdp_remediate.network.guest_addresses import holds_private_address


@check(hop=Hop.GUEST_NETWORK, faults=("dhcp-client-disabled",), requires=("network_store_service_runs",))
def dhcp_client_runs(facts: Facts) -> Outcome:
    r"""The DHCP Client (Dhcp) is running where an adapter is to get its address by DHCP.

    Why: Azure hands out the NIC's address by DHCP; without the client Windows has none, or keeps a stale one.
    Evidence: guest services, adapters and addresses.
    By hand:
        * dhcp-client-disabled: `sc.exe config Dhcp start= auto`, `sc.exe start Dhcp`. A wrong account: `sc.exe config Dhcp obj= "NT
          Authority\LocalService"`; hanging: `type= own`.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-dhcp-disabled
    """
    service = need(facts.guest.service("Dhcp"))
    if service is None:
        return unknown("The service Dhcp is not installed on this Windows.", because="guest.services.Dhcp")
    if service.state == "Running":
        return passed("Dhcp is running")
    if service.state != "Stopped":
        return unknown(f"Dhcp is {service.state}: neither running nor stopped.", because="service state")
    here = need(holds_private_address(facts))
    if here and all(nic.dhcp is False for nic in need(facts.guest.nics())):
        return passed("Dhcp is stopped, and no adapter needs it")
    return failed(
        "dhcp-client-disabled",
        f"The DHCP Client is stopped (start type {service.start_type}).",
        Effect.DEGRADES if here else Effect.BLOCKS,
        start_type=service.start_type,
    )
