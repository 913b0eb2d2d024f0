"""Rules compiled to bit vectors: every dimension's number line is cut where any rule starts or ends.

Between two cuts the rules that match in that dimension are one integer, a bit per rule in order of priority. The rules
that match a flow are the AND of three integers, so a decision costs three binary searches whatever the number of rules.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

from rdp_remediate.facts.network_addresses import EVERY_ADDRESS, EVERY_PORT, Range, Ranges
from rdp_remediate.facts.network_model import Rule
from rdp_remediate.facts.network_words import Access, Direction, Transport
from rdp_remediate.network.decision import Match
from rdp_remediate.network.prefixes import contains, covers, overlap, subtract, union

EPHEMERAL: Ranges = ((1024, 65535),)
"""Ports that a client sends from (network-semantics §1.4)."""

ADMIN_ACTIONS = (Access.ALLOW, Access.DENY, Access.ALWAYS_ALLOW)
NSG_ACTIONS = (Access.ALLOW, Access.DENY)


@dataclass(frozen=True, slots=True)
class Tri:
    """A set of numbers of which some are certain and some only possible."""

    yes: Ranges = ()
    maybe: Ranges = ()

    def match(self, number: int) -> Match:
        """Whether the number is in the set."""
        if contains(self.yes, number):
            return Match.YES
        return Match.UNKNOWN if contains(self.maybe, number) else Match.NO


def ports_of(rule: Rule) -> Tri:
    """The destination ports that a rule covers."""
    spec = rule.destination_ports
    return Tri(spec.ranges, subtract(EVERY_PORT, spec.ranges) if spec.unreadable else ())


def source_port_match(rule: Rule) -> Match:
    """Whether a rule covers the port that the client happens to send from."""
    spec = rule.source_ports
    if covers(spec.ranges, EPHEMERAL):
        return Match.YES
    if spec.unreadable or overlap(spec.ranges, EPHEMERAL):
        return Match.UNKNOWN
    return Match.NO


def protocol_match(rule: Rule) -> Match:
    """Whether a rule covers TCP."""
    if rule.transport in (Transport.TCP, Transport.ANY):
        return Match.YES
    return Match.UNKNOWN if rule.transport is Transport.UNKNOWN else Match.NO


def all_of(*matches: Match) -> Match:
    """NO if any is NO, else UNKNOWN if any is UNKNOWN, else YES."""
    if Match.NO in matches:
        return Match.NO
    return Match.UNKNOWN if Match.UNKNOWN in matches else Match.YES


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRule:
    """A rule with its addresses expanded for one place in the network.

    Attributes:
        groups: Destination application security groups; they match by IP configuration, not by address.
        guess: Whether its source is the tag VirtualNetwork alone, of which unread routes may hide a part.
    """

    rule: Rule
    source: Tri
    destination: Tri
    groups: tuple[str, ...]
    ports: Tri
    protocol: Match
    source_port: Match
    guess: bool = False

    @property
    def certain(self) -> Match:
        """What does not depend on addresses and ports: protocol, source port, direction, and a valid priority."""
        rule = self.rule
        shape = Match.UNKNOWN if rule.priority is None or rule.direction is Direction.UNKNOWN else Match.YES
        return all_of(self.protocol, self.source_port, shape)


def rule_order(rule: Rule) -> tuple[int, str, str]:
    """Lower numbers first; a rule without a valid priority may stand before all others."""
    return (-1 if rule.priority is None else rule.priority, rule.name.casefold(), rule.arm_id.casefold())


Outcome = tuple[Access | None, CompiledRule | None]
"""One possible course: an access and the rule that gave it; (None, None) when no rule matched."""


class _Line:
    """A number line cut into segments, with the certain and the possible rules of each."""

    __slots__ = ("maybe", "starts", "yes")

    def __init__(self, sets: Sequence[Tri]) -> None:
        events: dict[int, list[int]] = {0: [0, 0]}

        def toggle(ranges: Iterable[Range], which: int, bit: int) -> None:
            for first, last in ranges:
                events.setdefault(first, [0, 0])[which] ^= bit
                events.setdefault(last + 1, [0, 0])[which] ^= bit

        for position, one in enumerate(sets):
            toggle(one.yes, 0, 1 << position)
            toggle(union(one.yes, one.maybe) if one.maybe else one.yes, 1, 1 << position)
        self.starts: list[int] = sorted(events)
        self.yes: list[int] = []
        self.maybe: list[int] = []
        yes = maybe = 0
        for start in self.starts:
            yes ^= events[start][0]
            maybe ^= events[start][1]
            self.yes.append(yes)
            self.maybe.append(maybe)

    def at(self, number: int) -> tuple[int, int]:
        position = bisect_right(self.starts, number) - 1
        return self.yes[position], self.maybe[position]

    def anywhere(self) -> tuple[int, int]:
        """Rules that match every address, and rules that match any."""
        inside = [contains(EVERY_ADDRESS, start) for start in self.starts]
        yes = [mask for mask, real in zip(self.yes, inside, strict=True) if real]
        maybe = [mask for mask, real in zip(self.maybe, inside, strict=True) if real]
        # Without a rule that starts at IPv6's first number the last segment of IPv4 goes on into IPv6.
        return reduce(int.__and__, yes), reduce(int.__or__, maybe)


class RuleTable:
    """The inbound rules of one NSG, or of one network manager, for TCP, compiled once."""

    __slots__ = ("_destinations", "_group_bits", "_memo", "_ports", "_same", "certain", "possible", "rules",
                 "sources", "unknown_access")  # fmt: skip

    def __init__(self, rules: Iterable[CompiledRule], unknown_access: tuple[Access, ...] = NSG_ACTIONS) -> None:
        live = [
            rule for rule in rules if rule.rule.direction is not Direction.OUTBOUND and rule.certain is not Match.NO
        ]
        self.rules = tuple(sorted(live, key=lambda rule: rule_order(rule.rule)))
        self.sources = _Line([rule.source for rule in self.rules])
        self._destinations = _Line([rule.destination for rule in self.rules])
        self._ports = _Line([rule.ports for rule in self.rules])
        self.certain = self.possible = 0
        self._group_bits: dict[str, int] = {}
        by_priority: dict[int | None, int] = {}
        for position, rule in enumerate(self.rules):
            bit = 1 << position
            self.possible |= bit
            if rule.certain is Match.YES:
                self.certain |= bit
            for group in rule.groups:
                self._group_bits[group] = self._group_bits.get(group, 0) | bit
            by_priority[rule.rule.priority] = by_priority.get(rule.rule.priority, 0) | bit
        self._same = [by_priority[rule.rule.priority] for rule in self.rules]
        self.unknown_access = unknown_access
        self._memo: dict[tuple[int, int], tuple[Outcome, ...]] = {}

    def slab(
        self, destination: int | None, port: int, groups: tuple[str, ...], groups_certain: bool = True
    ) -> tuple[int, int]:
        """Rules that match this destination and port: certain ones and possible ones."""
        yes, maybe = self._destinations.anywhere() if destination is None else self._destinations.at(destination)
        for group in groups:
            bits = self._group_bits.get(group, 0)
            maybe |= bits
            if groups_certain:
                yes |= bits
        port_yes, port_maybe = self._ports.at(port)
        return yes & port_yes & self.certain, maybe & port_maybe & self.possible

    def outcomes(self, yes: int, maybe: int) -> tuple[Outcome, ...]:
        """The possible courses when exactly these rules match: in order of priority up to the first certain one.

        Rules that share a priority, which Azure does not allow, are all candidates.
        """
        found = self._memo.get((yes, maybe))
        if found is not None:
            return found
        out: list[Outcome] = []
        pending = maybe
        while pending:
            same = self._same[(pending & -pending).bit_length() - 1]
            hits = pending & same
            certain = bool(yes & same)
            while hits:
                rule = self.rules[(hits & -hits).bit_length() - 1]
                hits &= hits - 1
                access = rule.rule.access
                out.extend((one, rule) for one in (self.unknown_access if access is Access.UNKNOWN else (access,)))
            if certain:
                break
            pending &= ~same
        else:
            out.append((None, None))
        if len(self._memo) > 50_000:
            self._memo.clear()
        self._memo[yes, maybe] = tuple(out)
        return self._memo[yes, maybe]

    def line(self, dimension: str) -> _Line:
        """The cuts of one dimension, for proofs: `source`, `destination` or `port`."""
        return {"source": self.sources, "destination": self._destinations, "port": self._ports}[dimension]
