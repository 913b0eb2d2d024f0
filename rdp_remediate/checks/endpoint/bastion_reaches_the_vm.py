"""Do Bastion's sessions get to the VM?"""

from collections.abc import Iterator

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.arm_names import name_of, named
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.facts.network_addresses import address_number
from rdp_remediate.facts.network_model import Nsg, Rule, Subnet
from rdp_remediate.facts.network_words import Access, Direction, NextHop, RouteSource, Transport
from rdp_remediate.models.fact import Reason, Unavailable
from rdp_remediate.models.report import Confidence, Hop
from rdp_remediate.network.arrival import EntryKind
from rdp_remediate.network.denials import confidence_of, denials, judged
from rdp_remediate.network.path import network
from rdp_remediate.network.prefixes import cidrs, contains
from rdp_remediate.network.question import Question, ask

CAPTURING = frozenset(
    {
        "management.azure.com",
        "blob.core.windows.net",
        "core.windows.net",
        "vaultcore.windows.net",
        "vault.azure.net",
        "azure.com",
    }
)
"""Zones of exactly these names keep Bastion from Azure; `privatelink.` zones do not (AD/bastion/troubleshoot)."""
_DEFAULT_ROUTE = "0.0.0.0/0"
_WIDE = 1 << 31


@check(
    hop=Hop.ENDPOINT,
    faults=("bastion-target-nsg-blocks", "bastion-forced-tunnel-or-dns"),
    requires=("vm_has_an_entry",),
)
def bastion_reaches_the_vm(facts: Facts) -> Outcome:
    """Bastion's sessions get from AzureBastionSubnet to the VM's RDP port.

    Why: a session comes from an address of AzureBastionSubnet, so the VM's NSGs must admit that subnet, and the subnet's own NSG
    and routes must leave Bastion its control plane.
    Evidence: NSGs of NIC, subnet and AzureBastionSubnet, the route table of that subnet, effective routes of the VM, and the links of
    private DNS zones to Bastion's network (Resource Graph, this subscription; it may lag by minutes).
    By hand:
        * bastion-target-nsg-blocks: declare a rule above the deny, for Bastion's subnet only: `resource bastion
          'Microsoft.Network/networkSecurityGroups/securityRules@2024-05-01' = { parent: nsg, name: 'Allow-RDP-from-Bastion',
          properties: { priority: 100, direction: 'Inbound', access: 'Allow', protocol: 'Tcp', sourcePortRange: '*',
          sourceAddressPrefix: '<bastion_range>', destinationAddressPrefix: '<private_address>', destinationPortRange: '<port>' } }`;
          at once `az network nsg rule create -g <nsg_group> --nsg-name <nsg> -n Allow-RDP-from-Bastion --priority 100
          --direction Inbound --access Allow --protocol Tcp --source-address-prefixes <bastion_range>
          --destination-address-prefixes <private_address> --destination-port-ranges <port>`. The NSG of AzureBastionSubnet needs
          inbound 443 from Internet and GatewayManager and outbound 3389 to VirtualNetwork and 443 to AzureCloud.
        * bastion-forced-tunnel-or-dns: keep the default route away from Bastion's network: take the route table off the subnet,
          `az network vnet subnet update -g <vnet_group> --vnet-name <vnet> -n AzureBastionSubnet --remove routeTable` and the same
          in Bicep, or stop advertising 0.0.0.0/0 over the gateway. A private DNS zone named exactly like an Azure service, such
          as management.azure.com: with the zone's owner, `az network private-dns link vnet delete -g GROUP --zone-name ZONE -n LINK`.
    See: https://learn.microsoft.com/azure/bastion/troubleshoot
    """
    question = ask(facts)
    if question.entry is None or question.entry.kind is not EntryKind.BASTION:
        return skipped("no Bastion session")
    decisions = dict(judged(question))
    subnets = list(_bastion_subnets(facts, question))
    for denial in denials(facts):
        if not denial.jit:
            return failed(
                "bastion-target-nsg-blocks",
                f"The rule {denial.rule} of {name_of(denial.nsg_id)} drops Bastion's sessions, which come from {denial.client}.",
                confidence=confidence_of(decisions[denial.client]),
                rule=denial.rule,
                nsg_id=denial.nsg_id,
                port=question.port,
                private_address=question.entry.private_address,
                bastion_range=_range(subnets),
                **named(nsg=denial.nsg_id),
            )
    return _own_subnet(facts, question, subnets)


def _own_subnet(facts: Facts, question: Question, subnets: list[Subnet]) -> Outcome:
    unread = None
    for subnet in subnets:
        vnet = named(
            vnet=facts.network.vnets[subnet.vnet].arm_id if subnet.vnet in facts.network.vnets else subnet.vnet
        )
        if subnet.nsg:
            nsg = facts.network.nsgs.get(subnet.nsg)
            unread = unread or (None if nsg is not None else subnet.nsg)
            missing = _missing(nsg, question) if nsg is not None else None
            if nsg is not None and missing is not None:
                return failed(
                    "bastion-target-nsg-blocks",
                    f"The NSG {name_of(nsg.arm_id)} of AzureBastionSubnet does not admit {missing}, which Bastion needs.",
                    nsg_id=nsg.arm_id,
                    **named(nsg=nsg.arm_id),
                )
        if subnet.route_table:
            table = facts.network.route_tables.get(subnet.route_table)
            unread = unread or (None if table is not None else subnet.route_table)
            bad = [one for one in table.routes if one.spelling == _DEFAULT_ROUTE] if table is not None else []
            if bad and bad[0].next_hop is not NextHop.INTERNET:
                return failed(
                    "bastion-forced-tunnel-or-dns",
                    f"The route table of AzureBastionSubnet sends {_DEFAULT_ROUTE} to {bad[0].next_hop}, so Bastion loses Azure.",
                    **vnet,
                )
        if _tunnelled(facts, question, subnet):
            return failed(
                "bastion-forced-tunnel-or-dns",
                f"A gateway advertises {_DEFAULT_ROUTE} to the network that Bastion stands in, so Bastion loses Azure.",
                confidence=Confidence.LIKELY,
                **vnet,
            )
        zone = _captured(facts, subnet.vnet)
        if zone is not None:
            return failed(
                "bastion-forced-tunnel-or-dns",
                f"The private DNS zone {zone} is linked to the network of Bastion and takes over names that Bastion needs.",
                confidence=Confidence.LIKELY,
                zone=zone,
                **vnet,
            )
    if unread is not None:
        raise UnseenError(facts.network.why("resource", unread))
    return passed(
        "the NSGs admit Bastion's subnet, and no private DNS zone of this subscription takes over Azure's names"
    )


def _captured(facts: Facts, vnet: str) -> str | None:
    """The private DNS zone that is named like a service of Azure and linked to a VNet, or None.

    Raises:
        UnseenError: The links were not read.
    """
    linked = facts.private_dns.get(vnet)
    if linked is None:
        unread = "which private DNS zones are linked to Bastion's network was not read"
        raise UnseenError(Unavailable(Reason.NOT_COLLECTED, unread, "private_dns_links"))
    return next((zone for zone in need(linked) if zone in CAPTURING), None)


def _bastion_subnets(facts: Facts, question: Question) -> Iterator[Subnet]:
    for _, one in network(facts.network).directory.targets(facts.target.vm_id.lower()):
        if question.entry is None or one.arm_id != question.entry.ip_configuration_id:
            continue
        vnet = one.subnet.rsplit("/subnets/", 1)[0]
        near = {
            vnet,
            *(p.remote_vnet for v in (facts.network.vnets.get(vnet),) if v for p in v.peerings if p.connected),
        }
        yield from (
            subnet
            for subnet in facts.network.subnets.values()
            if subnet.name.casefold() == "azurebastionsubnet" and subnet.vnet in near
        )


def _range(subnets: list[Subnet]) -> str:
    return " ".join(text for subnet in subnets for text in cidrs(subnet.ranges))


def _missing(nsg: Nsg, question: Question) -> str | None:
    """What Bastion needs and its subnet's NSG denies (AD/bastion/bastion-nsg), or None."""
    own = question.entry.private_address if question.entry else ""
    if not _admits(nsg, Direction.INBOUND, 443, "gatewaymanager", None):
        return "GatewayManager on port 443"
    if not _admits(nsg, Direction.OUTBOUND, question.port, "virtualnetwork", address_number(own)):
        return f"outbound connections to the VM on port {question.port}"
    if not _admits(nsg, Direction.OUTBOUND, 443, "azurecloud", None):
        return "outbound connections to AzureCloud on port 443"
    return None


def _admits(nsg: Nsg, direction: Direction, port: int, tag: str, address: int | None) -> bool:
    """Whether the first rule that covers the tag (or address) on this port allows it."""
    rules = [one for one in nsg.rules if one.direction is direction and one.priority is not None]
    for rule in sorted(rules, key=lambda one: one.priority or 0):
        far: tuple[str, ...] = rule.source.tags if direction is Direction.INBOUND else rule.destination.tags
        ranges = rule.source.ranges if direction is Direction.INBOUND else rule.destination.ranges
        wide = sum(last - first + 1 for first, last in ranges) >= _WIDE
        covers = wide or tag in far or (address is not None and contains(ranges, address))
        covers = covers or (tag == "azurecloud" and "internet" in far)
        if covers and _is_for(rule, port):
            return rule.access is Access.ALLOW
    return False


def _is_for(rule: Rule, port: int) -> bool:
    return rule.transport in (Transport.TCP, Transport.ANY) and contains(rule.destination_ports.ranges, port)


def _tunnelled(facts: Facts, question: Question, subnet: Subnet) -> bool:
    """Whether the VM's NIC, in the same VNet as Bastion, shows a default route that a gateway advertises."""
    nic = question.entry.nic_id.lower() if question.entry else ""
    owner = facts.network.nics.get(nic)
    same = owner is not None and any(one.subnet.startswith(f"{subnet.vnet}/") for one in owner.ip_configurations)
    return same and any(
        route.source is RouteSource.BGP and route.spelling == _DEFAULT_ROUTE
        for route in facts.network.effective_routes.get(nic, ())
    )
