"""Whether a security rule matches a packet, in three values: True, False and None for "cannot be known"."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

Address = IPv4Address | IPv6Address
EPHEMERAL = (1024, 65535)
HOST_VIP = ip_address("168.63.129.16")
_NOT_INTERNET = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
    "224.0.0.0/3", "168.63.129.16/32",
)  # fmt: skip
_SPELLINGS = {
    "virtual_network": "virtualnetwork",
    "azure_loadbalancer": "azureloadbalancer",
}


def is_public(address: Address) -> bool:
    """True for an address of the Internet; the documentation ranges count as public (network-semantics.md 1.6)."""
    if isinstance(address, IPv6Address):
        return address in ip_network("2000::/3")
    return not any(address in ip_network(p) for p in _NOT_INTERNET)


@dataclass(frozen=True, slots=True)
class Packet:
    """One TCP SYN as the filters of a VM see it: translated destination, original client."""

    source: Address
    destination: Address
    port: int


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the tags and groups in rules mean for the packet."""

    virtual_network: tuple[str, ...]
    forced_tunnel: bool
    """True when a default route made VirtualNetwork cover everything."""
    service_tags: dict[str, list[str]]
    own_groups: frozenset[str]
    """Lower-case ids of the application security groups of the receiving IP configuration."""
    group_members: dict[str, frozenset[str]] = field(default_factory=dict)
    unreadable_groups: frozenset[str] = frozenset()


def any_of(values: Iterable[bool | None]) -> bool | None:
    """Three-valued or."""
    seen = list(values)
    return True if True in seen else None if None in seen else False


def all_of(values: Iterable[bool | None]) -> bool | None:
    """Three-valued and."""
    seen = list(values)
    return False if False in seen else None if None in seen else True


def _in(address: Address, prefix: str) -> bool | None:
    try:
        if "-" in prefix:
            first, last = (ip_address(p.strip()) for p in prefix.split("-", 1))
            same = first.version == address.version == last.version
            return same and int(first) <= int(address) <= int(last)
        network = ip_network(prefix, strict=False)
    except ValueError:
        return None
    return address.version == network.version and address in network


def matches_prefix(address: Address, prefix: str, around: Surroundings) -> bool | None:
    """Returns whether an address is what a prefix or tag names."""
    text = prefix.strip()
    if text == "*":
        return True
    if text[:1].isdigit() or ":" in text:
        return _in(address, text)
    tag = _SPELLINGS.get(text.lower(), text.lower().replace(" ", ""))
    inside = any(_in(address, p) for p in around.virtual_network)
    if tag == "virtualnetwork":
        return inside
    if tag == "azureloadbalancer":
        return address == HOST_VIP
    if tag == "internet":
        if not is_public(address):
            return False
        return None if around.forced_tunnel else not inside
    known = {k.lower().replace(" ", ""): v for k, v in around.service_tags.items()}
    if tag not in known:
        return None
    return any(_in(address, p) for p in known[tag])


def _ports(values: list[str]) -> list[tuple[int, int] | None]:
    found: list[tuple[int, int] | None] = []
    for value in values:
        text = value.strip()
        if text == "*":
            found.append((0, 65535))
            continue
        first, dash, last = text.partition("-")
        if first.strip().isdigit() and (not dash or last.strip().isdigit()):
            found.append((int(first), int(last if dash else first)))
        else:
            found.append(None)
    return found


def matches_port(port: int, values: list[str]) -> bool | None:
    """Returns whether a destination port is in a list of ports and ranges; an empty list is no statement."""
    if not values:
        return None
    return any_of(None if r is None else r[0] <= port <= r[1] for r in _ports(values))


def matches_ephemeral(values: list[str]) -> bool | None:
    """Returns whether every, no or some client port is in a list of source ports."""
    if not values:
        return None
    ranges = _ports(values)
    known = sorted(r for r in ranges if r is not None)
    low, high = EPHEMERAL
    reached = low
    for first, last in known:
        if first <= reached <= last + 1:
            reached = max(reached, last + 1)
    if reached > high:
        return True
    touched = any(first <= high and last >= low for first, last in known)
    return None if touched or None in ranges else False


def both(properties: dict[str, Any], singular: str, plural: str) -> list[str]:
    """Returns the union of a singular and a plural field without what is empty."""
    single = properties.get(singular)
    return [str(v) for v in [*([single] if single else []), *(properties.get(plural) or [])] if v not in (None, "")]


def _groups(properties: dict[str, Any], key: str) -> list[str]:
    return [str(g.get("id", "")).lower() for g in properties.get(key) or []]


def _matches_source(properties: dict[str, Any], packet: Packet, around: Surroundings) -> bool | None:
    prefixes = both(properties, "sourceAddressPrefix", "sourceAddressPrefixes")
    groups = _groups(properties, "sourceApplicationSecurityGroups")
    if not prefixes and not groups:
        return None
    results = [matches_prefix(packet.source, p, around) for p in prefixes]
    for group in groups:
        if group in around.unreadable_groups:
            # a public source is no member, whoever the members are
            results.append(False if is_public(packet.source) else None)
        else:
            results.append(str(packet.source) in around.group_members.get(group, frozenset()))
    return any_of(results)


def _matches_destination(properties: dict[str, Any], packet: Packet, around: Surroundings) -> bool | None:
    prefixes = both(properties, "destinationAddressPrefix", "destinationAddressPrefixes")
    groups = _groups(properties, "destinationApplicationSecurityGroups")
    if not prefixes and not groups:
        return None
    return any_of(
        [matches_prefix(packet.destination, p, around) for p in prefixes] + [g in around.own_groups for g in groups]
    )


def matches_rule(properties: dict[str, Any], packet: Packet, around: Surroundings) -> bool | None:
    """Returns whether an NSG rule matches a TCP packet."""
    return all_of(
        [
            str(properties.get("protocol", "")).lower() in ("tcp", "*", "all"),
            _matches_source(properties, packet, around),
            matches_ephemeral(both(properties, "sourcePortRange", "sourcePortRanges")),
            _matches_destination(properties, packet, around),
            matches_port(packet.port, both(properties, "destinationPortRange", "destinationPortRanges")),
        ]
    )


def matches_admin_rule(properties: dict[str, Any], packet: Packet, around: Surroundings) -> bool | None:
    """Returns whether a security admin rule matches a TCP packet; what it does not name is any."""

    def side(entries: list[dict[str, Any]], address: Address) -> bool | None:
        if not entries:
            return True
        return any_of(matches_prefix(address, str(e.get("addressPrefix", "")), around) for e in entries)

    source_ports = [str(p) for p in properties.get("sourcePortRanges") or ["*"]]
    ports = [str(p) for p in properties.get("destinationPortRanges") or ["*"]]
    return all_of(
        [
            str(properties.get("protocol", "")).lower() in ("tcp", "any", "*"),
            side(properties.get("sources") or [], packet.source),
            side(properties.get("destinations") or [], packet.destination),
            matches_ephemeral(source_ports),
            matches_port(packet.port, ports),
        ]
    )
