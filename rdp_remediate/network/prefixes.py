"""Arithmetic on sorted, disjoint ranges of address numbers."""

from bisect import bisect_right
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, summarize_address_range

from rdp_remediate.facts.network_addresses import IPV6_BASE, Range, Ranges, merge

# Never public: network-semantics §1.6. The host's virtual address 168.63.129.16 is inside public space but is Azure's.
HOST_VIP = 0xA83F8110
PROBE_V6 = IPV6_BASE + 0xFE80_0000_0000_0000_0000_1234_5678_9ABC
_SPECIAL_V4: Ranges = merge(
    [
        (0x00000000, 0x00FFFFFF),
        (0x0A000000, 0x0AFFFFFF),
        (0x64400000, 0x647FFFFF),
        (0x7F000000, 0x7FFFFFFF),
        (0xA9FE0000, 0xA9FEFFFF),
        (0xAC100000, 0xAC1FFFFF),
        (0xC0A80000, 0xC0A8FFFF),
        (0xE0000000, 0xFFFFFFFF),
        (HOST_VIP, HOST_VIP),
    ]
)
_GLOBAL_V6: Range = (IPV6_BASE + (0x2000 << 112), IPV6_BASE + (0x4000 << 112) - 1)


def contains(ranges: Ranges, number: int) -> bool:
    """Whether the number lies in one of the ranges."""
    position = bisect_right(ranges, (number, IPV6_BASE << 2)) - 1
    return position >= 0 and ranges[position][1] >= number


def intersect(left: Ranges, right: Ranges) -> Ranges:
    """What both hold."""
    out: list[Range] = []
    i = j = 0
    while i < len(left) and j < len(right):
        first, last = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if first <= last:
            out.append((first, last))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(out)


def subtract(left: Ranges, right: Ranges) -> Ranges:
    """What the left one holds and the right one does not."""
    out: list[Range] = []
    j = 0
    for low, last in left:
        first = low
        while j < len(right) and right[j][1] < first:
            j += 1
        k = j
        while k < len(right) and right[k][0] <= last:
            if right[k][0] > first:
                out.append((first, right[k][0] - 1))
            first = max(first, right[k][1] + 1)
            k += 1
        if first <= last:
            out.append((first, last))
    return tuple(out)


def union(*sets: Ranges) -> Ranges:
    """What any of them holds."""
    return merge(span for ranges in sets for span in ranges)


def covers(outer: Ranges, inner: Ranges) -> bool:
    """Whether the outer ranges hold all of the inner ones."""
    return not subtract(inner, outer)


def overlap(left: Ranges, right: Ranges) -> bool:
    """Whether the two have an address in common."""
    return bool(intersect(left, right))


PUBLIC: Ranges = union(subtract(((0, (1 << 32) - 1),), _SPECIAL_V4), (_GLOBAL_V6,))
"""Addresses that the Internet routes."""


def is_public(number: int) -> bool:
    """Whether the Internet routes this address."""
    return contains(PUBLIC, number)


def cidrs(ranges: Ranges) -> Iterator[str]:
    """The ranges as CIDR text, exactly."""
    for first, last in ranges:
        if first >= IPV6_BASE:
            low6, high6 = IPv6Address(first - IPV6_BASE), IPv6Address(last - IPV6_BASE)
            yield from (str(network) for network in summarize_address_range(low6, high6))
        else:
            yield from (str(network) for network in summarize_address_range(IPv4Address(first), IPv4Address(last)))
