"""Whole subscriptions as typed facts: pages are parsed as they arrive, and their raw JSON is let go."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from rdp_remediate.facts.network import parse_network
from rdp_remediate.facts.network_addresses import Range, Ranges, merge
from rdp_remediate.facts.network_model import (
    IpConfiguration,
    LoadBalancer,
    NetworkFacts,
    Nic,
    Nsg,
    PublicIp,
    RouteTable,
    Subnet,
    Vm,
    Vnet,
)
from rdp_remediate.facts.references import is_windows
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.inventory import InventoryKind, InventoryPage

MOST_VMS = 1_000
"""VMs that are judged together: they share the compiled tables of their NSGs, which are let go after them."""

_BASTION, _FIREWALL = "azurebastionsubnet", "azurefirewallsubnet"


@dataclass(slots=True)
class Neighbourhood:
    """VMs of one VNet with everything that decides about their packets.

    Attributes:
        facts: The facts that they share; security admin rules count as absent there, see `scan.LIMITS`.
        own: For each VM the facts that say which doors it has, so that finding them costs the same in any estate.
        unseen: Why any of these VMs may have a door that was not read.
        unseen_of: The same for single VMs.
        appliances: Firewalls that may lead clients to VMs without a public door of their own.
    """

    facts: NetworkFacts
    vms: list[Vm]
    own: dict[str, NetworkFacts]
    unseen: tuple[str, ...]
    unseen_of: dict[str, str]
    appliances: tuple[str, ...]


@dataclass(slots=True)
class Estate:
    """Everything that was read, by lower-case id.

    Attributes:
        not_windows: How many VMs have a disk that says Linux; they are not kept.
        unread: Why a kind was not read whole.
    """

    vms: dict[str, Vm] = field(default_factory=dict)
    nics: dict[str, Nic] = field(default_factory=dict)
    vnets: dict[str, Vnet] = field(default_factory=dict)
    subnets: dict[str, Subnet] = field(default_factory=dict)
    nsgs: dict[str, Nsg] = field(default_factory=dict)
    public_ips: dict[str, PublicIp] = field(default_factory=dict)
    load_balancers: dict[str, LoadBalancer] = field(default_factory=dict)
    route_tables: dict[str, RouteTable] = field(default_factory=dict)
    visible: set[str] = field(default_factory=set)
    not_windows: int = 0
    unread: dict[InventoryKind, Unavailable] = field(default_factory=dict)

    def add(self, kind: InventoryKind, page: InventoryPage) -> None:
        """Takes a page in."""
        rows = {str(one["id"]).rstrip("/").lower(): one for one in page.resources}
        if kind is InventoryKind.SUBSCRIPTIONS:
            self.visible.update(key.rsplit("/", 1)[-1] for key in rows)
            return
        if kind is InventoryKind.VIRTUAL_MACHINES:
            windows = {key: one for key, one in rows.items() if is_windows(one) is not False}
            self.not_windows += len(rows) - len(windows)
            rows = windows
        found = parse_network({"resources": rows})
        self.vms.update(found.vms)
        self.nics.update(found.nics)
        self.vnets.update(found.vnets)
        self.subnets.update(found.subnets)
        self.nsgs.update(found.nsgs)
        self.public_ips.update(found.public_ips)
        self.load_balancers.update(found.load_balancers)
        self.route_tables.update(found.route_tables)

    def neighbourhoods(self) -> Iterator["Neighbourhood"]:
        """Every VM in exactly one neighbourhood: those of a VNet and subnet stand together."""
        yield from _Map(self).neighbourhoods()


class _Map:
    """Indexes over an estate."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self.nics_of: dict[str, list[Nic]] = {}
        groups: dict[str, list[Range]] = {}
        for nic in estate.nics.values():
            if nic.vm:
                self.nics_of.setdefault(nic.vm, []).append(nic)
            for one in nic.ip_configurations:
                if one.private_address is not None:
                    for group in one.groups:
                        groups.setdefault(group, []).append((one.private_address, one.private_address))
        self.groups: dict[str, Ranges] = {}
        if InventoryKind.NETWORK_INTERFACES not in estate.unread:
            self.groups = {group: merge(members) for group, members in groups.items()}
        self.unavailable: dict[tuple[str, str], Unavailable] = {}
        if estate.unread:
            # What is referred to and not there may be what could not be read; the first reason stands for all.
            self.unavailable["resource", ""] = next(iter(estate.unread.values()))
        if InventoryKind.NETWORK_INTERFACES in estate.unread:
            unread = estate.unread[InventoryKind.NETWORK_INTERFACES]
            self.unavailable["resource", "resource-graph/networkinterfaces/"] = unread
        self.owned: dict[str, list[PublicIp]] = {}
        for ip in estate.public_ips.values():
            if ip.owner:
                self.owned.setdefault(ip.owner, []).append(ip)
        self.balancers: dict[str, list[str]] = {}
        self.by_address: dict[tuple[str, int], list[str]] = {}
        for balancer in estate.load_balancers.values():
            self._index(balancer)
        self.holders: dict[tuple[str, int], int] = {}
        for nic in estate.nics.values() if self.by_address else ():
            for one in nic.ip_configurations:
                if one.private_address is not None and (_subscription(nic.key), one.private_address) in self.by_address:
                    place = (_subscription(nic.key), one.private_address)
                    self.holders[place] = self.holders.get(place, 0) + 1

    def _index(self, balancer: LoadBalancer) -> None:
        members = {m.ip_configuration for pool in balancer.pools for m in pool.members if m.ip_configuration}
        members |= {rule.ip_configuration for rule in balancer.nat_rules if rule.ip_configuration}
        for member in members:
            self.balancers.setdefault(member, []).append(balancer.key)
        addresses = {m.address for pool in balancer.pools for m in pool.members if not m.ip_configuration}
        for address in addresses:
            if address is not None:
                self.by_address.setdefault((_subscription(balancer.key), address), []).append(balancer.key)

    def nics(self, vm: Vm) -> dict[str, Nic]:
        """The NICs of a VM that were read: those that it lists and those that name it."""
        listed = [self.estate.nics[key] for key in vm.nics if key in self.estate.nics]
        found = {nic.key: nic for nic in (*listed, *self.nics_of.get(vm.key, ()))}
        return {key: nic if nic.vm == vm.key else replace(nic, vm=vm.key) for key, nic in found.items()}

    def neighbourhoods(self) -> Iterator[Neighbourhood]:
        """The VMs in order of VNet and subnet, cut into neighbourhoods."""
        placed: dict[str, list[tuple[str, Vm]]] = {}
        for vm in self.estate.vms.values():
            subnets = [one.subnet for nic in self.nics(vm).values() for one in nic.ip_configurations]
            subnet = subnets[0] if subnets else ""
            placed.setdefault(subnet.rsplit("/subnets/", 1)[0], []).append((subnet, vm))
        for vnet, members in placed.items():
            members.sort(key=lambda one: (one[0], one[1].key))
            for start in range(0, len(members), MOST_VMS):
                yield self._neighbourhood(vnet, [vm for _, vm in members[start : start + MOST_VMS]])

    def _neighbourhood(self, vnet: str, vms: list[Vm]) -> Neighbourhood:
        estate = self.estate
        vnets = {key: estate.vnets[key] for key in self._reachable(vnet) if key in estate.vnets}
        subnets = [estate.subnets[key] for one in vnets.values() for key in one.subnets if key in estate.subnets]
        special = {one.key: one for one in subnets if one.name.casefold() in (_BASTION, _FIREWALL)}
        inside = {one.key: one for one in subnets if one.vnet == vnet}
        own = {vm.key: self._own(vm, vnets, special) for vm in vms}
        nics = {key: nic for one in own.values() for key, nic in one.nics.items()}
        groups = {nic.nsg for nic in nics.values()} | {one.nsg for one in inside.values()}
        tables = {one.route_table for one in inside.values()}
        facts = NetworkFacts(
            vms={vm.key: vm for vm in vms},
            nics=nics,
            vnets=vnets,
            subnets={**special, **inside},
            nsgs={key: estate.nsgs[key] for key in groups if key in estate.nsgs},
            public_ips={key: ip for one in own.values() for key, ip in one.public_ips.items()},
            load_balancers={key: found for one in own.values() for key, found in one.load_balancers.items()},
            route_tables={key: estate.route_tables[key] for key in tables if key in estate.route_tables},
            admin_rules={vnet: ()},
            group_members=self.groups,
            unavailable=self.unavailable,
        )
        unseen_of = {
            nic.vm: f"a load balancer's pool names the address of {one.name}, which several VNets have"
            for nic in nics.values()
            for one in nic.ip_configurations
            if self._holders(one) > 1
        }
        unread = estate.unread.get(InventoryKind.LOAD_BALANCERS)
        unseen = () if unread is None else (f"the load balancers were not read whole ({unread.reason.value})",)
        appliances = tuple(
            f"an Azure Firewall stands in {one.vnet}; a scan does not read its DNAT rules"
            for one in special.values()
            if one.name.casefold() == _FIREWALL
        )
        return Neighbourhood(facts, vms, own, unseen, unseen_of, appliances)

    def _own(self, vm: Vm, vnets: dict[str, Vnet], subnets: dict[str, Subnet]) -> NetworkFacts:
        estate, nics = self.estate, self.nics(vm)
        configurations = [one for nic in nics.values() for one in nic.ip_configurations]
        keys = {key for one in configurations for key in self._balancers_of(one)}
        balancers = {key: estate.load_balancers[key] for key in sorted(keys) if key in estate.load_balancers}
        ips = {ip.key: ip for one in configurations for ip in self.owned.get(one.key, ())}
        named = [one.public_ip for one in configurations]
        named += [frontend.public_ip for balancer in balancers.values() for frontend in balancer.frontends]
        ips.update({key: estate.public_ips[key] for key in named if key in estate.public_ips})
        return NetworkFacts(
            vms={vm.key: vm}, nics=nics, vnets=vnets, subnets=subnets, public_ips=ips, load_balancers=balancers
        )

    def _reachable(self, vnet: str) -> list[str]:
        found = self.estate.vnets.get(vnet)
        return [vnet, *(p.remote_vnet for p in found.peerings if p.connected is not False)] if found else [vnet]

    def _balancers_of(self, one: IpConfiguration) -> list[str]:
        """The load balancers that may lead to an IP configuration, by its own account and by theirs.

        A pool that names bare addresses means this one only where no other VNet of the subscription has it.
        """
        found = [reference.rsplit("/", 2)[0] for reference in (*one.nat_rules, *one.pools)]
        found += self.balancers.get(one.key, ())
        if self._holders(one) == 1:
            found += self.by_address[_subscription(one.key), one.private_address or 0]
        return found

    def _holders(self, one: IpConfiguration) -> int:
        """How many IP configurations of the subscription have this address; 0 when no pool names it."""
        return self.holders.get((_subscription(one.key), one.private_address or 0), 0)


def _subscription(key: str) -> str:
    parts = key.split("/", 3)
    return parts[2] if len(parts) > 2 else ""
