"""Addresses and ports as ARM spells them, turned into numbers.

IPv4 and IPv6 share one number line: an IPv4 address is its own number, an IPv6 address is `IPV6_BASE` plus its number.
So a set of addresses of both families is one sorted list of ranges, and no range ever spans two families.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Range = tuple[int, int]
"""First and last number, both included."""
Ranges = tuple[Range, ...]
"""Sorted, disjoint, not adjacent."""

IPV6_BASE = 1 << 128
ANY_IPV4: Range = (0, (1 << 32) - 1)
ANY_IPV6: Range = (IPV6_BASE, IPV6_BASE + (1 << 128) - 1)
EVERY_ADDRESS: Ranges = (ANY_IPV4, ANY_IPV6)
EVERY_PORT: Ranges = ((0, 65535),)
LONGEST_LIST = 20_000
"""More prefixes than any rule, tag or route table of Azure holds; what comes after is not read and said so."""

_TAG = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]*\Z")
_PORT = re.compile(r"\d{1,5}\Z", re.ASCII)
_NOT_A_TAG = frozenset({"any", "all", "none", "null"})
_CLASSIC_TAGS = {"virtual_network": "virtualnetwork", "azure_loadbalancer": "azureloadbalancer"}


@dataclass(frozen=True, slots=True)
class AddressSpec:
    """One side of a rule: everything its address fields name.

    Attributes:
        ranges: Addresses named as such.
        tags: Service tags, casefolded, blanks removed.
        groups: Lower-case ids of application security groups.
        unreadable: Whether a part could not be understood; then any other address may match too.
        doubtful: Whether ARM would reject this combination (mixed families); then no match is certain.
        doubtful_ranges: Addresses of which it is not known whether they match.
        empty: Whether no field held anything.
    """

    ranges: Ranges = ()
    tags: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    unreadable: bool = False
    doubtful: bool = False
    doubtful_ranges: Ranges = ()
    empty: bool = False


@dataclass(frozen=True, slots=True)
class PortSpec:
    """The ports of one side of a rule; `unreadable` means that any other port may match too."""

    ranges: Ranges = ()
    unreadable: bool = False


@dataclass(slots=True)
class Problems:
    """Collects what could not be read of one resource, once per sentence."""

    found: list[str] = field(default_factory=list)

    def add(self, problem: str) -> None:
        """Keeps a problem; the same sentence is kept once."""
        if problem not in self.found:
            self.found.append(problem)


def shown(value: object) -> str:
    """A value of unknown size and kind as short text for a note."""
    text = str(value)
    return repr(text if len(text) <= 60 else text[:57] + "...")


def merge(ranges: Iterable[Range]) -> Ranges:
    """The same addresses as sorted, disjoint, not adjacent ranges."""
    out: list[Range] = []
    for first, last in sorted(ranges):
        if out and first <= out[-1][1] + 1:
            if last > out[-1][1]:
                out[-1] = (out[-1][0], last)
        else:
            out.append((first, last))
    return tuple(out)


@lru_cache(maxsize=65_536)
def address_number(text: str) -> int | None:
    """The number of an address, or None when the text is no address. An IPv4-mapped IPv6 address is the IPv4 one."""
    try:
        address = ip_address(text.strip().strip("[]"))
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return int(address.ipv4_mapped)
        return IPV6_BASE + int(address)
    return int(address)


@lru_cache(maxsize=65_536)
def address_text(number: int) -> str:
    """The usual spelling of an address number."""
    if number >= IPV6_BASE:
        return str(ip_address((number - IPV6_BASE).to_bytes(16, "big")))
    return str(ip_address(number.to_bytes(4, "big")))


def network_range(network: IPv4Network | IPv6Network) -> Range:
    """First and last address of a network."""
    base = IPV6_BASE if isinstance(network, IPv6Network) else 0
    return base + int(network.network_address), base + int(network.broadcast_address)


@lru_cache(maxsize=65_536)
def prefix_range(text: str) -> Range | None:
    """The addresses of a CIDR, a bare address or `first-last`; host bits are masked, as Azure masks them.

    Returns None when the text is none of these.
    """
    text = text.strip()
    if not text or not (text[0].isdigit() or ":" in text):
        return None
    if "-" in text:
        first, _, last = text.partition("-")
        low, high = address_number(first), address_number(last)
        if low is None or high is None or low > high or (low < IPV6_BASE) != (high < IPV6_BASE):
            return None
        return low, high
    try:
        return network_range(ip_network(text, strict=False))
    except ValueError:
        return None


def is_tag(text: str) -> bool:
    """Whether the text has the shape of a service tag."""
    return bool(_TAG.match(text)) and text.casefold() not in _NOT_A_TAG


def tag_key(text: str) -> str:
    """The one spelling of a service tag: casefolded, without blanks, in Resource Manager's words."""
    key = re.sub(r"\s+", "", text).casefold()
    return _CLASSIC_TAGS.get(key, key)


def texts(*values: object) -> list[object]:
    """Singular and plural fields as one list; empty strings, nulls and missing keys are dropped, nothing else is."""
    out: list[object] = []
    for value in values:
        if value is None or value == "":
            continue
        if isinstance(value, list | tuple):
            out.extend(item for item in value[:LONGEST_LIST] if item is not None and item != "")
            if len(value) > LONGEST_LIST:
                out.append(f"{len(value) - LONGEST_LIST} entries more than are read")
        else:
            out.append(value)
    return out


def parse_addresses(values: Iterable[object], groups: tuple[str, ...], side: str, problems: Problems) -> AddressSpec:
    """One side of a rule from its address fields.

    `*` is every address of both families, `0.0.0.0/0` every IPv4 address only. `any` is rejected by ARM and never
    taken for any address. Source: network-semantics §1.5; Microsoft.Network networkSecurityGroup.json 2023-09-01.
    """
    ranges: list[Range] = []
    tags: list[str] = []
    unreadable = False
    families: set[bool] = set()
    count = 0
    for value in values:
        count += 1
        text = value.strip() if isinstance(value, str) else ""
        if text == "*":
            ranges.extend(EVERY_ADDRESS)
            continue
        span = prefix_range(text) if text else None
        if span is not None:
            if text == "0.0.0.0":  # noqa: S104 - the spelling in a rule, nothing is bound
                problems.add(f"{side} address 0.0.0.0 is read as one host, not as every address")
            families.add(span[0] >= IPV6_BASE)
            ranges.append(span)
        elif text and is_tag(re.sub(r"\s+", "", text)):
            tags.append(tag_key(text))
        else:
            unreadable = True
            problems.add(f"{side} address {shown(value)} is no address, prefix or tag")
    empty = not count and not groups
    if empty:
        problems.add(f"no {side} address at all")
    doubtful = len(families) > 1
    if doubtful:
        problems.add(f"{side} mixes IPv4 and IPv6, which Azure rejects")
    return AddressSpec(
        merge(ranges), tuple(dict.fromkeys(tags)), groups, unreadable or empty, doubtful=doubtful, empty=empty
    )


def parse_ports(values: Iterable[object], side: str, problems: Problems) -> PortSpec:
    """Ports of one side of a rule: `*`, `n` or `a-b` (0 to 65535, both included); blanks and commas are tolerated."""
    ranges: list[Range] = []
    unreadable = False
    count = 0
    for value in values:
        if isinstance(value, bool) or not isinstance(value, str | int):
            count, unreadable = count + 1, True
            problems.add(f"{side} port {shown(value)} is no port")
            continue
        for token in str(value).split(","):
            text = token.strip()
            if not text:
                continue
            count += 1
            if text == "*":
                ranges.extend(EVERY_PORT)
                continue
            first, dash, last = (part.strip() for part in text.partition("-"))
            last = last if dash else first
            if _PORT.match(first) and _PORT.match(last) and int(first) <= int(last) <= 65535:
                ranges.append((int(first), int(last)))
            else:
                unreadable = True
                problems.add(f"{side} port {shown(text)} is no port or range of ports")
    if not count:
        problems.add(f"no {side} port at all")
        unreadable = True
    return PortSpec(merge(ranges), unreadable)
