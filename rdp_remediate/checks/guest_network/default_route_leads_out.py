"""Do answers find their way out of Windows?"""

import ipaddress

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.models.guest_adapters import Adapter
from rdp_remediate.models.report import Hop
from rdp_remediate.network.guest_addresses import ipv4_of, private_address
from rdp_remediate.network.question import ask


@check(
    hop=Hop.GUEST_NETWORK,
    faults=("default-gateway-missing",),
    requires=("network_adapter_is_enabled", "dhcp_client_runs"),
)
def default_route_leads_out(facts: Facts) -> Outcome:
    """Windows has a route back to the client by a gateway that it can reach.

    Why: without a default route, or with a persistent route by a gateway of another network, only the own subnet gets answers.
    Evidence: guest routes and addresses against the client's address.
    By hand:
        * default-gateway-missing: in the serial console set the adapter <adapter> to DHCP (`netsh interface ip set address
          name="<adapter>" source=dhcp`); a route by an unreachable gateway: `route delete <prefix>`.
    See: https://learn.microsoft.com/azure/virtual-machines/windows/prepare-for-upload-vhd-image
    """
    wanted = need(private_address(facts))
    if "adapters.routes" in facts.guest.items:
        raise UnseenError(facts.guest.items["adapters.routes"])
    nics, addresses = need(facts.guest.nics()), need(facts.guest.addresses)
    nic = next((one for one in nics if wanted in {a.address for a in ipv4_of(addresses, one.name)}), None)
    if nic is None:
        if not nics or any(ipv4_of(addresses, one.name) for one in nics):
            return skipped("guest_has_the_nic_address")
        nic = nics[0]
    near = [
        ipaddress.ip_network(f"{one.address}/{one.prefix_length}", strict=False)
        for other in nics
        for one in ipv4_of(addresses, other.name)
    ]
    defaults = [("0.0.0.0/0", hop) for other in nics for hop in other.gateways]
    ways = [*defaults, *((text.split(" ")[0], text.split(" ")[-1]) for other in nics for text in other.routes)]
    for client in ask(facts).clients:
        source = ipaddress.ip_address(client)
        if source.version != 4 or any(source in network for network in near):
            continue
        fitting = [
            (ipaddress.ip_network(prefix), hop) for prefix, hop in ways if source in ipaddress.ip_network(prefix)
        ]
        if not fitting:
            return failed(
                "default-gateway-missing",
                f"Windows has no route to {client}: {nic.name} has {_lacks(nic)}.",
                adapter=nic.name,
                prefix="0.0.0.0/0",
                hop=None,
            )
        prefix, hop = max(fitting, key=lambda way: way[0].prefixlen)
        if not any(ipaddress.ip_address(hop) in network for network in near):
            return failed(
                "default-gateway-missing",
                f"Windows sends what is for {client} to {hop} (route {prefix}), which is in none of its networks.",
                adapter=nic.name,
                prefix=str(prefix),
                hop=hop,
            )
    return passed(f"{nic.name} has a way to the client", gateways=nic.gateways)


def _lacks(nic: Adapter) -> str:
    return "no link, no address and no gateway" if nic.status == "Disconnected" else "no default gateway"
