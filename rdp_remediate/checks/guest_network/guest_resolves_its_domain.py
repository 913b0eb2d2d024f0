"""Does a domain member find its domain?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped, unknown
from rdp_remediate.facts.asker import signs_in_with_domain
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Effect, Hop


@check(
    hop=Hop.GUEST_NETWORK,
    faults=("guest-dns-broken",),
    requires=("guest_has_the_nic_address", "default_route_leads_out"),
)
def guest_resolves_its_domain(facts: Facts) -> Outcome:
    """Windows resolves names: its DNS client runs, and typed-in DNS servers know the domain.

    Why: without the domain's name no domain controller is found and NLA of domain users fails; a local account gets in. Typed-in
    servers that answer are a choice, no fault; servers that DHCP gave are the VNet's.
    Evidence: guest services, DNS servers of the adapters, a lookup of the domain's own name.
    By hand:
        * guest-dns-broken: `sc.exe config Dnscache start= auto`, `Start-Service Dnscache`; typed-in servers (<servers>) that do not
          know the domain: `Set-DnsClientServerAddress -InterfaceAlias '<adapter>' -ResetServerAddresses`, or the right ones.
    See: https://learn.microsoft.com/azure/virtual-machines/windows/prepare-for-upload-vhd-image
    """
    member = need(facts.guest.os).part_of_domain
    service = need(facts.guest.service("Dnscache"))
    effect = Effect.BLOCKS if member and signs_in_with_domain(facts) else Effect.DEGRADES
    if service is not None and service.state == "Stopped":
        return failed(
            "guest-dns-broken",
            f"The DNS client (Dnscache) is stopped (start type {service.start_type}).",
            effect,
            service="Dnscache",
            start_type=service.start_type,
            servers="",
        )
    if service is None or service.state != "Running":
        return unknown("The DNS client (Dnscache) is neither running nor stopped.", because="guest.services.Dnscache")
    if not member:
        return passed("the DNS client is running")
    lookup = need(facts.guest.adapter_item("domain_lookup")).domain_lookup
    if lookup is None:
        return passed("the DNS client is running and the domain resolves")
    typed = [nic for nic in need(facts.guest.nics()) if nic.static_dns]
    if not typed:
        # Servers that DHCP handed out are the VNet's matter.
        return skipped("vnet_dns_servers_run")
    return failed(
        "guest-dns-broken",
        f"The typed-in DNS servers {', '.join(typed[0].static_dns)} of {typed[0].name} do not resolve the domain ({lookup}).",
        effect,
        adapter=typed[0].name,
        servers=", ".join(typed[0].static_dns),
        typed=list(typed[0].static_dns),
        error=lookup,
    )
