"""Where the reply goes: the next hop from the VM's subnet back to the client.

Longest prefix first; on a tie User before BGP before System; system routes of the VNet, its peerings and service
endpoints are preferred over more specific BGP routes. Source: network-semantics §4 (DOC S15).
"""

from collections.abc import Iterable
from enum import StrEnum

from rdp_remediate.facts.network_addresses import ANY_IPV4, EVERY_ADDRESS, IPV6_BASE, Ranges
from rdp_remediate.facts.network_model import Route
from rdp_remediate.facts.network_words import NextHop, RouteSource
from rdp_remediate.network.decision import Decider, Layer
from rdp_remediate.network.prefixes import HOST_VIP, PROBE_V6, cidrs, is_public


class Reply(StrEnum):
    """What a next hop means for the reply."""

    ARRIVES = "arrives"
    ASYMMETRIC = "asymmetric"
    BLACKHOLE = "blackhole"
    UNKNOWN = "unknown"


_RANK = {RouteSource.USER: 0, RouteSource.BGP: 5, RouteSource.SYSTEM: 6, RouteSource.UNKNOWN: 7}
_PREFERRED = frozenset({NextHop.VNET_LOCAL, NextHop.VNET_PEERING, NextHop.SERVICE_ENDPOINT})


def tag_rank(tag: str) -> int:
    """Among service-tag routes: a regional tag, a global one, AzureCloud of a region, AzureCloud."""
    if not tag:
        return 0
    cloud, regional = tag.startswith("azurecloud"), "." in tag
    return {(False, True): 1, (False, False): 2, (True, True): 3, (True, False): 4}[cloud, regional]


def route_word(route: Route) -> str:
    """A route as deciders spell it: `User 0.0.0.0/0->VirtualAppliance`."""
    return f"{route.source} {route.spelling}->{route.next_hop}"


def route_decider(route: Route) -> Decider:
    """The decider of a route."""
    return Decider(Layer.ROUTE, route_word(route), None, route.arm_id)


class RouteLookup:
    """Routes of one NIC, by prefix length.

    Attributes:
        gateway_unread: Gateway (BGP) routes may exist that the evidence does not show.
        unread: Nothing certain is known about the routes.
    """

    __slots__ = ("_any", "_by_size", "_cuts", "gateway_unread", "unread")

    def __init__(
        self, routes: Iterable[Route], tags: dict[str, Ranges], *, gateway_unread: bool = False, unread: bool = False
    ) -> None:
        self.gateway_unread = gateway_unread
        self.unread = unread
        self._any: list[Route] = []
        by_size: dict[int, dict[int, list[tuple[int, Route]]]] = {}
        self._cuts: set[int] = set()
        for route in routes:
            if not route.active:
                continue
            ranges = route.ranges if not route.tag else tags.get(route.tag)
            if ranges is None:
                self._any.append(route)
                continue
            rank = _RANK[route.source] + (tag_rank(route.tag) if route.source is RouteSource.USER else 0)
            for first, last in _prefixes(ranges):
                size = last - first + 1
                by_size.setdefault(size, {}).setdefault(first, []).append((rank, route))
                self._cuts.update((first, last + 1))
        for bucket in by_size.values():
            for listed in bucket.values():
                listed.sort(key=lambda item: (item[0], item[1].spelling, item[1].next_hop, item[1].name))
        self._by_size = sorted(by_size.items())

    def cuts(self) -> set[int]:
        """Numbers at which the choice of a route may change."""
        return self._cuts

    def choices(self, address: int) -> tuple[list[Route], bool]:
        """The routes that may be taken, best known first, and whether one that is not known may be taken instead."""
        covering: list[tuple[int, Route]] = []
        for size, bucket in self._by_size:
            base = address & -size if address < IPV6_BASE else IPV6_BASE + ((address - IPV6_BASE) & -size)
            found = bucket.get(base)
            if found:
                covering.extend(found)
        no_gateway = any(route.source is RouteSource.SYSTEM and route.next_hop in _PREFERRED for _, route in covering)
        best = next((route for _, route in covering if not (no_gateway and route.source is RouteSource.BGP)), None)
        public = is_public(address)
        out = [] if best is None else [best]
        out.extend(route for route in self._any if public or not route.tag)
        open_end = self.unread or best is None
        host = best is not None and best.source is RouteSource.USER and best.ranges == ((address, address),)
        if self.gateway_unread and not no_gateway and not host:
            open_end = True
        return out, open_end


def _prefixes(ranges: Ranges) -> Iterable[tuple[int, int]]:
    """Ranges cut into blocks whose size is a power of two, so that a block is found by masking."""
    for first, last in ranges:
        start, base = first, IPV6_BASE if first >= IPV6_BASE else 0
        while start <= last:
            offset = start - base
            size = offset & -offset if offset else (1 << (128 if base else 32))
            while start + size - 1 > last:
                size >>= 1
            yield start, start + size - 1
            start += size


def reply(route: Route, address: int, *, public_entry: bool, through: tuple[int, ...] = ()) -> Reply:
    """What taking this route does to the reply.

    Args:
        route: The route that is taken.
        address: Where the reply goes.
        public_entry: Whether the client came in through a public address of the VM or of its load balancer.
        through: Addresses of the appliance that the packet came through; a reply to it is symmetric.
    """
    hop = route.next_hop
    if hop is NextHop.UNKNOWN or route.source is RouteSource.UNKNOWN:
        return Reply.UNKNOWN
    if hop is NextHop.NONE:
        return Reply.BLACKHOLE
    if public_entry and is_public(address):
        if hop is NextHop.INTERNET:
            return Reply.ARRIVES
        return Reply.UNKNOWN if hop is NextHop.SERVICE_ENDPOINT else Reply.ASYMMETRIC
    if hop is NextHop.INTERNET and not is_public(address):
        return Reply.BLACKHOLE
    if hop is NextHop.VIRTUAL_APPLIANCE and through and not set(route.next_hop_addresses) & set(through):
        return Reply.UNKNOWN
    return Reply.ARRIVES


def is_exempt(address: int) -> bool:
    """The host's own address answers whatever the routes say: health probes come from it."""
    return address in (HOST_VIP, PROBE_V6)


def system_routes(vnet: Ranges, peered: Ranges, where: str) -> tuple[Route, ...]:
    """The routes that Azure makes for every subnet, from the address spaces."""

    def route(spelling: str, ranges: Ranges, hop: NextHop) -> Route:
        return Route("", where, spelling, ranges, "", RouteSource.SYSTEM, hop, ())

    fixed = [
        route("0.0.0.0/0", (ANY_IPV4,), NextHop.INTERNET),
        route("::/0", (EVERY_ADDRESS[1],), NextHop.INTERNET),
        route("10.0.0.0/8", ((0x0A000000, 0x0AFFFFFF),), NextHop.NONE),
        route("172.16.0.0/12", ((0xAC100000, 0xAC1FFFFF),), NextHop.NONE),
        route("192.168.0.0/16", ((0xC0A80000, 0xC0A8FFFF),), NextHop.NONE),
        route("100.64.0.0/10", ((0x64400000, 0x647FFFFF),), NextHop.NONE),
    ]
    taken = {r for ranges in (vnet, peered) for r in ranges}
    fixed = [one for one in fixed if one.ranges and one.ranges[0] not in taken]
    return (
        *fixed,
        *(route(",".join(cidrs((span,))), (span,), NextHop.VNET_LOCAL) for span in vnet),
        *(route(",".join(cidrs((span,))), (span,), NextHop.VNET_PEERING) for span in peered),
    )
