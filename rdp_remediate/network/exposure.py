"""Who else gets in: exact, by going through every stretch of addresses that has one decision."""

from collections.abc import Iterable
from dataclasses import dataclass

from rdp_remediate.facts.network_addresses import ANY_IPV4, ANY_IPV6, Ranges, merge, prefix_range
from rdp_remediate.facts.network_model import NetworkFacts
from rdp_remediate.network.arrival import Blocked, EntryKind
from rdp_remediate.network.decision import Decider, Layer, Verdict
from rdp_remediate.network.entries import Entry, judge_of
from rdp_remediate.network.path import Judge
from rdp_remediate.network.prefixes import HOST_VIP, PUBLIC, cidrs, intersect, subtract, union

MOST_OF_THE_INTERNET = 1 << 30
"""So many addresses that the configured sources of nobody hold them."""

_OPEN = (Verdict.ALLOW, Verdict.INDETERMINATE)
_MANY = 64


@dataclass(frozen=True, slots=True)
class Admitted:
    """Addresses that a door admits, or of which that can't be excluded.

    Attributes:
        sources: CIDRs, at most 64; `addresses` counts all of them.
        deciders: The rules that admit them.
    """

    entry: Entry
    verdict: Verdict
    sources: tuple[str, ...]
    addresses: int
    deciders: tuple[Decider, ...]


@dataclass(frozen=True, slots=True)
class Exposure:
    """Who besides the configured sources can get to the guest's port.

    Attributes:
        internet: Internet addresses outside the configured sources, admitted or not excluded, by door.
        virtual_network: VNet, peered and on-premises ranges that are admitted, for the report.
        unclear: Doors of which nothing could be told.
    """

    internet: tuple[Admitted, ...]
    virtual_network: tuple[Admitted, ...]
    unclear: tuple[str, ...]

    @property
    def safe(self) -> bool:
        """Whether no Internet address outside the configured sources gets ALLOW or INDETERMINATE on any door."""
        return not self.internet and not self.unclear


def nsg_rule_of(deciders: Iterable[Decider]) -> Decider | None:
    """The rule of an NSG among what decides, the one next to the VM first."""
    rules = [
        one
        for one in deciders
        if one.layer in (Layer.NIC, Layer.SUBNET) and "/securityrules/" in one.resource_id.lower()
    ]
    return min(rules, key=lambda one: one.layer is not Layer.NIC, default=None)


def source_ranges(sources: Iterable[str]) -> Ranges:
    """The addresses of configured sources; what is no address or prefix adds nothing."""
    return merge(span for text in sources if (span := prefix_range(text)) is not None)


def admits_outside(facts: NetworkFacts, doors: Iterable[Entry], guest_port: int, sources: Iterable[str]) -> Exposure:
    """Who outside the configured sources would reach a listener on the guest's port.

    Doors that lead to another port of the VM don't count. Sources inside VirtualNetwork don't count as Internet unless
    a route to an appliance or gateway puts public prefixes into that tag (or may, unread): then clients of the Internet
    may come in that way with their own addresses, and what the NSGs admit from there counts (DESIGN §4).
    """
    allowed = source_ranges(sources)
    internet: list[Admitted] = []
    inside: list[Admitted] = []
    unclear: list[str] = []
    for door in doors:
        if door.backend_port != guest_port:
            continue
        if door.address is None:
            unclear.append(f"{door.resource_id} has no address now; who could use it can't be told")
            continue
        judge = judge_of(facts, door)
        if isinstance(judge, Blocked):
            unclear.extend(judge.gaps or (f"{door.resource_id} leads nowhere",))
            continue
        family = (ANY_IPV6,) if ":" in door.private_address else (ANY_IPV4,)
        outside = intersect(subtract(PUBLIC, allowed), family)
        internet += _from_internet(judge, door, outside)
        if door.kind is EntryKind.PRIVATE:
            inside += _admitted(judge, door, intersect(subtract(_inside(judge), allowed), family))
    return Exposure(tuple(internet), tuple(inside), tuple(dict.fromkeys(unclear)))


def _inside(judge: Judge) -> Ranges:
    """VNet, peers and what routes add, without the part that only a default route adds."""
    scope = judge.scope
    own = union(scope.core, subtract(scope.virtual_network.yes, scope.wide))
    return subtract(own, ((HOST_VIP, HOST_VIP),))


def _from_internet(judge: Judge, door: Entry, outside: Ranges) -> list[Admitted]:
    arrival = judge.arrival
    if arrival.kind is EntryKind.BASTION:
        return []  # Bastion asks who its user is; its sessions are not the Internet's.
    if arrival.kind is EntryKind.DNAT:
        if not door.public:
            return []
        clients = outside if arrival.clients is None else intersect(outside, arrival.clients)
        decision = judge.over(arrival.sources or ())
        if not clients or decision.verdict not in _OPEN:
            return []
        return [_as_admitted(door, decision.verdict, clients, decision.deciders)]
    if arrival.public:
        return _admitted(judge, door, subtract(outside, _private_use(judge)))
    tag = judge.scope.virtual_network
    through = intersect(outside, subtract(union(tag.yes, tag.maybe), judge.scope.core))
    return _admitted(judge, door, through, filters_only=True)


def _private_use(judge: Judge) -> Ranges:
    """Public prefixes that this VNet uses as its own; the Internet's address of that number is somebody else."""
    return judge.scope.core


def _admitted(judge: Judge, door: Entry, sources: Ranges, *, filters_only: bool = False) -> list[Admitted]:
    found: dict[tuple[Verdict, tuple[Decider, ...]], list[tuple[int, int]]] = {}
    for first, last, decision in judge.pieces(sources):
        verdict, deciders = decision.verdict, decision.deciders
        if filters_only:
            # How an appliance passes Internet clients on is not visible: what the NSGs let through counts as possible.
            filtered = judge.filtered(first)
            verdict = Verdict.DENY if filtered.verdict is Verdict.DENY else Verdict.INDETERMINATE
            deciders = filtered.deciders
        if verdict in _OPEN:
            found.setdefault((verdict, deciders), []).append((first, last))
    return [_as_admitted(door, verdict, merge(spans), deciders) for (verdict, deciders), spans in found.items()]


def _as_admitted(door: Entry, verdict: Verdict, ranges: Ranges, deciders: tuple[Decider, ...]) -> Admitted:
    shown: list[str] = []
    for text in cidrs(ranges):
        shown.append(text)
        if len(shown) == _MANY:
            break
    return Admitted(door, verdict, tuple(shown), sum(last - first + 1 for first, last in ranges), deciders)
