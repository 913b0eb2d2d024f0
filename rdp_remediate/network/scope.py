"""One NIC's view of the network: what its tags, groups and routes stand for.

`VirtualNetwork` = the VNet, connected peers, what gateways and user-defined routes add, and the host's own address. A
default route to an appliance or gateway turns it into every address (network-semantics §1.6).
"""

from dataclasses import dataclass, field

from rdp_remediate.facts.network_addresses import EVERY_ADDRESS, IPV6_BASE, AddressSpec, Ranges, address_text, merge
from rdp_remediate.facts.network_model import NetworkFacts, Route, Rule
from rdp_remediate.facts.network_words import NextHop, RouteSource
from rdp_remediate.network.asg import source_members
from rdp_remediate.network.prefixes import HOST_VIP, PROBE_V6, PUBLIC, cidrs, intersect, subtract, union
from rdp_remediate.network.routes import RouteLookup, system_routes
from rdp_remediate.network.tables import CompiledRule, Tri, ports_of, protocol_match, source_port_match

_VIRTUAL_NETWORK = "virtualnetwork"
_WIDENS = (NextHop.VIRTUAL_APPLIANCE, NextHop.VIRTUAL_NETWORK_GATEWAY)
_PROBES: Ranges = ((HOST_VIP, HOST_VIP), (PROBE_V6, PROBE_V6))


@dataclass(slots=True, eq=False)
class Scope:
    """What tags, groups and routes mean for one NIC in one subnet.

    Attributes:
        vnet: Key of the VNet.
        core: The VNet and its connected peers.
        virtual_network: The tag VirtualNetwork.
        wide: The part of it that only a default route to an appliance or gateway adds.
        guess: Whether its uncertain part is only what unread routes may add; such a route also takes the reply away.
        gaps: What could not be seen and matters here.
    """

    facts: NetworkFacts
    nic: str
    subnet: str
    vnet: str
    core: Ranges = ()
    virtual_network: Tri = field(default_factory=Tri)
    wide: Ranges = ()
    guess: bool = False
    internet: Tri = field(default_factory=Tri)
    routes: RouteLookup = field(default_factory=lambda: RouteLookup((), {}, unread=True))
    gaps: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()

    def tag(self, tag: str) -> Tri:
        """What a service tag stands for here; without data every address is possible."""
        printed = self.facts.effective_tags.get(self.nic, {})
        if tag == _VIRTUAL_NETWORK:
            return self.virtual_network
        if tag == "azureloadbalancer":
            return Tri(union(_PROBES, printed.get(tag, ())))
        if tag == "internet":
            return self.internet
        known = printed.get(tag, self.facts.service_tags.get(tag))
        return Tri(maybe=EVERY_ADDRESS) if known is None else Tri(known)

    def addresses(self, spec: AddressSpec, *, source: bool) -> Tri:
        """What one side of a rule stands for. Destination groups are matched by IP configuration, not here."""
        yes, maybe = [spec.ranges], [spec.doubtful_ranges]
        for tag in spec.tags:
            found = self.tag(tag)
            yes.append(found.yes)
            maybe.append(found.maybe)
        if source:
            for group in spec.groups:
                members = source_members(self.facts, group, self.vnet, self.core)
                yes.append(members.yes)
                maybe.append(members.maybe)
        certain = union(*yes)
        possible = EVERY_ADDRESS if spec.unreadable else union(*maybe)
        if spec.doubtful:
            return Tri((), union(certain, possible))
        return Tri(certain, subtract(possible, certain))

    def compile(self, rule: Rule) -> CompiledRule:
        """A rule with everything expanded."""
        source = self.addresses(rule.source, source=True)
        only_tag = rule.source == AddressSpec(tags=(_VIRTUAL_NETWORK,))
        return CompiledRule(
            rule,
            source,
            self.addresses(rule.destination, source=False),
            rule.destination.groups,
            ports_of(rule),
            protocol_match(rule),
            source_port_match(rule),
            self.guess and only_tag,
        )


def _peers(facts: NetworkFacts, vnet: str) -> tuple[Ranges, Ranges, list[str], bool]:
    """Connected peers' addresses, uncertain ones, gaps, and whether a peer's gateway is used."""
    known: list[Ranges] = []
    unsure: list[Ranges] = []
    gaps: list[str] = []
    remote_gateway = False
    for peering in facts.vnets[vnet].peerings:
        if peering.connected is False or peering.allows_access is False:
            continue
        ranges = peering.remote_ranges
        if ranges is None and peering.remote_vnet in facts.vnets:
            ranges = facts.vnets[peering.remote_vnet].ranges
        if ranges is None:
            gaps.append(f"the address space behind peering {peering.name} is not known")
        if peering.connected is None or ranges is None:
            unsure.append(EVERY_ADDRESS if ranges is None else ranges)
        else:
            known.append(ranges)
        remote_gateway = remote_gateway or peering.uses_remote_gateway
    return union(*known), union(*unsure), gaps, remote_gateway


def _has_gateway(facts: NetworkFacts, vnet: str) -> bool:
    names = (facts.subnets[s].name.casefold() for s in facts.vnets[vnet].subnets if s in facts.subnets)
    return vnet in facts.gateway_vnets or "gatewaysubnet" in names


def _gateway_ranges(facts: NetworkFacts, vnet: str) -> Ranges:
    """On-premises prefixes that local network gateways and address pools show, of own and used remote gateways."""
    remote = (p.remote_vnet for p in facts.vnets[vnet].peerings if p.uses_remote_gateway and p.connected)
    return union(*(facts.gateway_ranges.get(one, ()) for one in (vnet, *remote)))


def _of_hop(routes: tuple[Route, ...], *hops: NextHop) -> Ranges:
    return union(*(r.ranges for r in routes if r.active and r.ranges is not None and r.next_hop in hops))


def build_scope(facts: NetworkFacts, nic: str, subnet: str) -> Scope:
    """The view of one NIC in one subnet, from effective routes where they were read, else from plain resources."""
    vnet = subnet.rsplit("/subnets/", 1)[0]
    scope = Scope(facts, nic, subnet, vnet)
    effective = facts.effective_routes.get(nic)
    gaps: list[str] = []
    own: Ranges | None = facts.vnets[vnet].ranges if vnet in facts.vnets else None
    peers: Ranges = ()
    unsure: Ranges = ()
    gateway = False
    if vnet in facts.vnets:
        peers, unsure, gaps, remote_gateway = _peers(facts, vnet)
        gateway = remote_gateway or _has_gateway(facts, vnet)
    elif effective is not None:
        own, peers = _of_hop(effective, NextHop.VNET_LOCAL) or None, _of_hop(effective, NextHop.VNET_PEERING)
    if own is None:
        gaps.append("the address space of the VNet could not be read")
        unsure = EVERY_ADDRESS
    scope.core = union(own or (), peers, ((HOST_VIP, HOST_VIP),))
    routes, gateway_unread, unread = _routes(scope, own, peers, gateway=gateway, gaps=gaps)
    scope.routes = RouteLookup(routes, dict(facts.service_tags), gateway_unread=gateway_unread, unread=unread)
    _widen(scope, routes, unsure, hidden=gateway_unread or unread)
    scope.gaps = tuple(gaps)
    return scope


def _routes(
    scope: Scope, own: Ranges | None, peers: Ranges, *, gateway: bool, gaps: list[str]
) -> tuple[tuple[Route, ...], bool, bool]:
    """The routes, whether gateway routes may be missing, and whether nothing is certain about them."""
    facts, effective = scope.facts, scope.facts.effective_routes.get(scope.nic)
    subnet = facts.subnets.get(scope.subnet)
    table = facts.route_tables.get(subnet.route_table) if subnet and subnet.route_table else None
    if effective is not None:
        families = {span[0] >= IPV6_BASE for route in effective for span in route.ranges or ()}
        extra = (
            ()
            if True in families
            else tuple(route for route in system_routes((), (), scope.nic) if route.spelling == "::/0")
        )
        if table is not None:
            _compare(table.routes, effective, scope)
        return (*effective, *extra), False, False
    unread = subnet is None or own is None or bool(subnet.route_table and table is None)
    if unread:
        gaps.append("neither the effective routes nor the subnet's own routes could be read")
    user = table.routes if table else ()
    on_premises = _gateway_ranges(facts, scope.vnet) if scope.vnet in facts.vnets else ()
    closed = table is not None and table.disables_gateway_routes
    bgp = tuple(
        Route("", scope.vnet, ",".join(cidrs((span,))), (span,), "", RouteSource.BGP,
              NextHop.VIRTUAL_NETWORK_GATEWAY, ())
        for span in on_premises
    )  # fmt: skip
    if gateway:
        gaps.append("routes that a gateway announces are not known: the effective routes were not read")
    routes = (*system_routes(own or (), peers, scope.vnet), *user, *(() if closed else bgp))
    return routes, gateway and not closed, unread


def _compare(user: tuple[Route, ...], effective: tuple[Route, ...], scope: Scope) -> None:
    """Notes user-defined routes of the table that the effective routes do not show, and the other way round."""

    def shape(routes: tuple[Route, ...]) -> set[tuple[Ranges | str, NextHop]]:
        return {(r.ranges or r.tag, r.next_hop) for r in routes if r.source is RouteSource.USER and r.active}

    table, seen = shape(user), shape(effective)
    if table != seen:
        scope.assumptions += ("route table and effective routes differ; the effective routes are taken",)


def _widen(scope: Scope, routes: tuple[Route, ...], unsure: Ranges, *, hidden: bool) -> None:
    """Works out VirtualNetwork and Internet."""
    facts = scope.facts
    added: list[Ranges] = []
    unknown_tag = False
    for route in routes:
        if not route.active or route.next_hop not in _WIDENS or route.source is RouteSource.SYSTEM:
            continue
        ranges = facts.service_tags.get(route.tag) if route.tag else route.ranges
        if ranges is None:
            unknown_tag = True
        else:
            added.append(ranges)
    on_premises = _gateway_ranges(facts, scope.vnet) if scope.vnet in facts.vnets else ()
    known = union(scope.core, on_premises, *added)
    wide = merge(span for ranges in added for span in ranges if _is_default(span))
    printed = facts.effective_tags.get(scope.nic, {})
    if _VIRTUAL_NETWORK in printed:
        scope.virtual_network = Tri(printed[_VIRTUAL_NETWORK])
        wide = intersect(
            union(wide, *(((span),) for span in printed[_VIRTUAL_NETWORK] if _is_default(span))), EVERY_ADDRESS
        )
    else:
        possible = union(unsure, EVERY_ADDRESS if hidden or unknown_tag else ())
        scope.virtual_network = Tri(known, subtract(possible, known))
        scope.guess = (hidden or unknown_tag) and not unsure
    scope.wide = subtract(wide, scope.core)
    if "internet" in printed:
        scope.internet = Tri(printed["internet"])
        return
    narrow = subtract(scope.virtual_network.yes, scope.wide)
    base = subtract(PUBLIC, narrow)
    doubtful = intersect(base, union(scope.wide, scope.virtual_network.maybe))
    scope.internet = Tri(subtract(base, doubtful), doubtful)


def _is_default(span: tuple[int, int]) -> bool:
    """Whether a prefix is a default route or half of one."""
    return span[1] - span[0] + 1 >= (1 << (127 if span[0] >= IPV6_BASE else 31))


def spelled(ranges: Ranges) -> str:
    """Ranges for people."""
    return ", ".join(f"{address_text(a)}-{address_text(b)}" if a != b else address_text(a) for a, b in ranges)
