"""Who decides this packet.

Order (network-semantics §0): the way in, security admin rules, the platform's default, the subnet's NSG, the NIC's NSG,
the health probe of a load-balancing rule, the way of the reply. A DENY is reported before a broken reply.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from rdp_remediate.facts.network_addresses import IPV6_BASE, Ranges, address_number, address_text
from rdp_remediate.facts.network_model import NetworkFacts, Route
from rdp_remediate.facts.network_words import Sku
from rdp_remediate.network.arrival import NO_PUBLIC_ENTRY, NO_RULE_ON_PORT, Arrival, Blocked, EntryKind, no_path
from rdp_remediate.network.classic import decide_classic, is_classic
from rdp_remediate.network.decision import Decision, Flow, Layer, Verdict
from rdp_remediate.network.directory import Directory
from rdp_remediate.network.filters import NOTHING, UNREADABLE, Filtered, combine, join_admin, reconcile
from rdp_remediate.network.layers import Compiler, Filters, Guarded, NsgLayer
from rdp_remediate.network.prefixes import HOST_VIP, PUBLIC, contains, is_public, subtract
from rdp_remediate.network.routes import Reply, is_exempt, reply, route_decider
from rdp_remediate.network.scope import build_scope
from rdp_remediate.network.tables import Outcome, RuleTable

_ONCE = (
    "appliances behind a route, virtual WAN intent, DDoS rules and the propagation of recent changes are not modelled",
)
_EGRESS = "the client is private but dials a public address: which public address it leaves from is not known"
_MANY = 100_000


class Network:
    """Compiled facts: built once per `NetworkFacts`, shared by every question about them."""

    def __init__(self, facts: NetworkFacts) -> None:
        self.facts = facts
        self.directory = Directory(facts)
        self.compiler = Compiler(facts)
        self._guarded: dict[tuple[str, str], Guarded] = {}
        self._judges: dict[tuple[object, ...], Judge | Blocked] = {}

    def guarded(self, arrival: Arrival) -> Guarded:
        """The filters in front of the NIC that the packet arrives at."""
        key = (arrival.nic.key, arrival.ip_configuration.subnet)
        found = self._guarded.get(key)
        if found is None:
            scope = build_scope(self.facts, *key)
            found = self._guarded[key] = self.compiler.guarded(arrival.nic, scope)
        return found

    def judge(self, address: int, port: int, vm: str, one: str = "", entry: str | None = None) -> "Judge | Blocked":
        """The judge of a dialled address and port, or why no packet gets as far."""
        key = (address, port, vm, one, entry)
        found = self._judges.get(key)
        if found is None:
            arrival = self.directory.resolve(address, port, vm, one, entry)
            found = arrival if isinstance(arrival, Blocked) else Judge(arrival, self.guarded(arrival))
            if len(self._judges) > _MANY:
                self._judges.clear()
            self._judges[key] = found
        return found


@lru_cache(maxsize=16)
def network(facts: NetworkFacts) -> Network:
    """The compiled form of the facts; made on first use.

    The last ones are kept, not all: a Network holds its facts, so that a weak dictionary would never let one go.
    """
    return Network(facts)


class _Slab:
    """One table, cut down to the destination and port of one arrival."""

    __slots__ = ("maybe", "table", "yes")

    def __init__(self, table: RuleTable, arrival: Arrival, port: int, destination: int | None) -> None:
        self.table = table
        self.yes, self.maybe = table.slab(
            destination, port, arrival.ip_configuration.groups, groups_certain=not arrival.floating
        )

    def masks(self, source: int) -> tuple[int, int]:
        yes, maybe = self.table.sources.at(source)
        return yes & self.yes, maybe & self.maybe

    def outcomes(self, masks: tuple[int, int]) -> tuple[Outcome, ...]:
        return self.table.outcomes(*masks)


class Judge:
    """Decides for every client of one arrival."""

    def __init__(self, arrival: Arrival, guarded: Guarded) -> None:
        self.arrival = arrival
        self.guarded = guarded
        self.scope = guarded.scope
        self._admin = [[self._slab(table) for table in tables] for tables in guarded.admin]
        self._views = [(guarded.plain, self._pair(guarded.plain))]
        if guarded.effective is not None:
            self._views.append((guarded.effective, self._pair(guarded.effective)))
        self._filtered = guarded.memo
        self._decisions: dict[tuple[object, ...], Decision] = {}
        self._sets: dict[Ranges, Decision] = {}
        self.probe = self._probe()

    def _slab(self, table: RuleTable) -> _Slab:
        return _Slab(table, self.arrival, self.arrival.port, self.arrival.destination)

    def _pair(self, filters: Filters) -> tuple[_Slab | None, _Slab | None]:
        subnet, nic = filters.subnet.table, filters.nic.table
        return (self._slab(subnet) if subnet else None, self._slab(nic) if nic else None)

    def _probe(self) -> Filtered | None:
        """What the NSGs do with the load balancer's health probe; None when nothing is probed."""
        if not self.arrival.gated:
            return None
        if self.arrival.probe_port is None:
            return Filtered(Verdict.INDETERMINATE, ())
        own = self.arrival.ip_configuration.private_address
        found: list[Filtered] = []
        for filters, _ in self._views:
            courses = [
                _courses(layer, None)
                if layer.table is None
                else layer.table.outcomes(
                    *_Slab(layer.table, self.arrival, self.arrival.probe_port, own).masks(HOST_VIP)
                )
                for layer in (filters.subnet, filters.nic)
            ]
            found.append(combine(NOTHING, courses[0], courses[1], closed=False, has_nsg=True))
        return reconcile(found[0], found[1] if len(found) > 1 else None)

    def filtered(self, source: int) -> Filtered:
        """What admin rules, platform and NSGs do with packets from this source."""
        admin = tuple(tuple(slab.masks(source) for slab in tables) for tables in self._admin)
        views = tuple(tuple(slab.masks(source) if slab else None for slab in pair) for _, pair in self._views)
        public = is_public(source)
        guessing = (
            self.scope.guess and public and self.arrival.public and contains(self.scope.virtual_network.maybe, source)
        )
        closed = self.closed(public=public)
        key = (admin, views, closed, guessing)
        found = self._filtered.get(key)
        if found is None:
            if len(self._filtered) > _MANY:
                self._filtered.clear()
            found = self._filtered[key] = self._filter(admin, views, closed=closed, guessing=guessing)
        return found

    def _filter(
        self,
        admin: tuple[tuple[tuple[int, int], ...], ...],
        views: tuple[tuple[tuple[int, int] | None, ...], ...],
        *,
        closed: bool | None,
        guessing: bool,
    ) -> Filtered:
        standing = join_admin(
            [slab.outcomes(masks) for slab, masks in zip(slabs, of_tables, strict=True)]
            for slabs, of_tables in zip(self._admin, admin, strict=True)
        )
        results = []
        for (filters, pair), masks in zip(self._views, views, strict=True):
            courses = [
                _courses(layer, slab.outcomes(mask) if slab and mask else None)
                for layer, slab, mask in zip((filters.subnet, filters.nic), pair, masks, strict=True)
            ]
            results.append(combine(standing, *courses, closed=closed, has_nsg=filters.has_nsg, guessing=guessing))
        return reconcile(results[0], results[1] if len(results) > 1 else None)

    def closed(self, *, public: bool) -> bool | None:
        """Whether this entry is closed to such a client when there is no NSG at all."""
        if not (public and self.arrival.public):
            return False
        return {Sku.STANDARD: True, Sku.BASIC: False, Sku.UNKNOWN: None}[self.arrival.sku]

    def reply(self, source: int) -> tuple[Reply, list[Route], bool]:
        """What happens to the reply, the routes it may take, and whether others may exist."""
        if is_exempt(source):
            return Reply.ARRIVES, [], False
        routes, open_end = self.scope.routes.choices(source)
        meanings = {
            reply(route, source, public_entry=self.arrival.public, through=self.arrival.through) for route in routes
        }
        if open_end:
            gateway = self.scope.routes.gateway_unread and not self.scope.routes.unread
            lost = Reply.ASYMMETRIC if self.arrival.public and is_public(source) else Reply.ARRIVES
            meanings.add(lost if gateway and routes else Reply.UNKNOWN)
        return (meanings.pop() if len(meanings) == 1 else Reply.UNKNOWN), routes, open_end

    def at(self, source: int) -> Decision:
        """The decision for packets whose source the filters see as this address."""
        filtered = self.filtered(source)
        outcome, routes, open_end = self.reply(source)
        key = (filtered, outcome, tuple(map(id, routes)), open_end)
        found = self._decisions.get(key)
        if found is None:
            found = self._decisions[key] = self.conclude(filtered, outcome, routes)
        return found

    def conclude(self, filtered: Filtered, outcome: Reply, routes: list[Route]) -> Decision:
        """Joins filters, probe and reply."""
        verdict, deciders = filtered.verdict, filtered.deciders
        probe = self.probe.verdict if self.probe else Verdict.ALLOW
        if verdict is not Verdict.DENY:
            by_route = tuple(dict.fromkeys(route_decider(route) for route in routes))
            by_probe = tuple(replace(one, layer=Layer.LB) for one in self.probe.deciders) if self.probe else ()
            if probe is Verdict.DENY:
                verdict, deciders = Verdict.LB_PROBE_BLOCKED, by_probe
            elif outcome in (Reply.ASYMMETRIC, Reply.BLACKHOLE):
                verdict = Verdict.ASYMMETRIC if outcome is Reply.ASYMMETRIC else Verdict.BLACKHOLE
                deciders = by_route
            elif probe is Verdict.INDETERMINATE or outcome is Reply.UNKNOWN:
                more = (*(by_probe if probe is Verdict.INDETERMINATE else ()), *by_route)
                verdict = Verdict.INDETERMINATE
                deciders = tuple(dict.fromkeys((*deciders, *(more if outcome is Reply.UNKNOWN else by_probe))))
            elif self.guarded.admin_unread or self.arrival.gaps:
                verdict = Verdict.INDETERMINATE
        several = verdict is Verdict.INDETERMINATE or (verdict is Verdict.DENY and len(deciders) > 1)
        return Decision(
            verdict,
            deciders,
            deciders if several else (),
            (*_ONCE, *self.arrival.assumptions, *self.scope.assumptions, *filtered.assumptions),
            tuple(dict.fromkeys((*self.arrival.gaps, *self.guarded.gaps, *filtered.problems))),
            self.guarded.admin_unread,
            "" if self.arrival.destination is None else address_text(self.arrival.destination),
            self.arrival.port,
        )

    def cuts(self) -> set[int]:
        """Every address at which the decision may change from one source to the next."""
        out = {number for first, last in PUBLIC for number in (first, last + 1)}
        for tables in self._admin:
            for slab in tables:
                out.update(slab.table.sources.starts)
        for _, pair in self._views:
            for one in pair:
                if one is not None:
                    out.update(one.table.sources.starts)
        out |= self.scope.routes.cuts()
        for first, last in self.scope.virtual_network.maybe:
            out.update((first, last + 1))
        out.update((HOST_VIP, HOST_VIP + 1))
        return out

    def pieces(self, sources: Ranges) -> Iterator[tuple[int, int, Decision]]:
        """The sources cut so that each piece has one decision."""
        cuts = sorted(self.cuts())
        position = 0
        for first, last in sources:
            while position < len(cuts) and cuts[position] <= first:
                position += 1
            start, ahead = first, position
            while start <= last:
                end = min(last, cuts[ahead] - 1) if ahead < len(cuts) else last
                yield start, end, self.at(start)
                start, ahead = end + 1, ahead + 1

    def over(self, sources: Ranges, gap: str = "") -> Decision:
        """The decision when the source is some address of a set: firm only if it is the same for all of them."""
        found = self._sets.get(sources)
        if found is None:
            decisions = list(dict.fromkeys(decision for _, _, decision in self.pieces(sources)))
            found = decisions[0] if decisions else Decision(Verdict.INDETERMINATE, ())
            if len({one.verdict for one in decisions}) != 1:
                found = replace(found, verdict=Verdict.INDETERMINATE)
            if len(decisions) > 1:
                deciders = tuple(dict.fromkeys(d for one in decisions for d in one.deciders))
                found = replace(found, deciders=deciders, candidates=deciders)
            self._sets[sources] = found
        return replace(found, data_gaps=(gap, *found.data_gaps)) if gap else found

    def reaches(self, client: int) -> bool:
        """Whether packets of this client can get to a private address at all: those of the open Internet can't."""
        if self.arrival.public or self.arrival.kind in (EntryKind.DNAT, EntryKind.BASTION) or not is_public(client):
            return True
        return contains(subtract(self.scope.virtual_network.yes, self.scope.wide), client)

    def client(self, client: int) -> Decision:
        """The decision for a client's own address."""
        arrival = self.arrival
        if not self.reaches(client):
            return _blocked(no_path(NO_PUBLIC_ENTRY, "", "the Internet routes nothing to a private address"))
        if arrival.clients is not None and not contains(arrival.clients, client):
            return _blocked(no_path(NO_RULE_ON_PORT, arrival.entry_id, "the DNAT rule does not name the client"))
        if arrival.sources is not None:
            return self.over(arrival.sources)
        if arrival.public and not is_public(client) and not is_exempt(client):
            return self.over(PUBLIC, _EGRESS)
        return self.at(client)


def _courses(layer: NsgLayer, outcomes: tuple[Outcome, ...] | None) -> tuple[Outcome, ...] | None:
    if outcomes is not None:
        return outcomes
    return None if layer.present is False else UNREADABLE


def _blocked(blocked: Blocked) -> Decision:
    return Decision(
        blocked.verdict,
        blocked.deciders,
        blocked.deciders if blocked.verdict is Verdict.INDETERMINATE else (),
        blocked.assumptions,
        blocked.gaps,
    )


def vm_of(facts: NetworkFacts, flow: Flow) -> str:
    """The key of the VM that a flow is about; empty when any VM of the evidence may be."""
    return (flow.vm_id or facts.target.vm).rstrip("/").lower()


def unknown(*gaps: str) -> Decision:
    """A decision that can't be made."""
    return Decision(Verdict.INDETERMINATE, (), (), (), gaps)


def decide(facts: NetworkFacts, flow: Flow) -> Decision:
    """The verdict on a new TCP connection and what decided it; total over any input."""
    compiled = network(facts)
    vm = vm_of(facts, flow)
    if is_classic(facts, vm):
        return decide_classic(facts, vm, flow)
    address = compiled.directory.dialled(flow.dialled_address)
    if address is None:
        return unknown(f"{flow.dialled_address!r} is no address and no name of a public IP in the evidence")
    judge = compiled.judge(address, flow.dialled_port, vm, (flow.ip_configuration or "").lower(), flow.entry)
    if isinstance(judge, Blocked):
        return _blocked(judge)
    if judge.arrival.kind is EntryKind.BASTION:
        return judge.over(judge.arrival.sources or ())
    client = address_number(flow.client) if flow.client else None
    if client is None:
        return unknown(f"the client's address {flow.client!r} is not known")
    if (client >= IPV6_BASE) != (address >= IPV6_BASE):
        return unknown("client and dialled address are of different address families")
    return judge.client(client)
