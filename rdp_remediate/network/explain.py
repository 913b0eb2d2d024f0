"""The full trace of one flow: every rule that was asked, and in which of its five dimensions it did not match.

Rules are matched one by one here, by §1.1 of network-semantics, without the bit vectors of `decide`; a property test
holds the two together.
"""

from dataclasses import dataclass

from rdp_remediate.facts.network_addresses import EVERY_ADDRESS, IPV6_BASE, address_number, address_text
from rdp_remediate.facts.network_model import NetworkFacts
from rdp_remediate.network.arrival import Arrival, Blocked
from rdp_remediate.network.classic import is_classic
from rdp_remediate.network.decision import Decider, Decision, Explanation, Flow, Layer, Match, TraceRow, Verdict
from rdp_remediate.network.filters import UNREADABLE, Filtered, combine, join_admin, reconcile, slow_outcomes
from rdp_remediate.network.layers import Filters, NsgLayer
from rdp_remediate.network.path import Judge, decide, network, vm_of
from rdp_remediate.network.prefixes import contains, covers, is_public
from rdp_remediate.network.routes import route_word
from rdp_remediate.network.tables import CompiledRule, Outcome, RuleTable, all_of


@dataclass(frozen=True, slots=True)
class _Asked:
    """One rule against the flow."""

    layer: Layer
    rule: CompiledRule
    protocol: Match
    source: Match
    source_port: Match
    destination: Match
    destination_port: Match

    @property
    def whole(self) -> Match:
        return all_of(self.rule.certain, self.source, self.destination, self.destination_port)


def explain(facts: NetworkFacts, flow: Flow) -> Explanation:
    """The decision on a flow with its whole trace; agrees with `decide`."""
    quick = decide(facts, flow)
    vm = vm_of(facts, flow)
    compiled = network(facts)
    address = None if is_classic(facts, vm) else compiled.directory.dialled(flow.dialled_address)
    if address is None:
        return Explanation(quick, (), _steps(quick, None))
    judge = compiled.judge(address, flow.dialled_port, vm, (flow.ip_configuration or "").lower(), flow.entry)
    client = address_number(flow.client) if flow.client else None
    if isinstance(judge, Blocked) or quick.verdict is Verdict.NO_PATH:
        return Explanation(quick, (), _steps(quick, None), tuple(Layer)[1:7])
    source = _source(judge, client)
    if source is None:
        return Explanation(quick, (), _steps(quick, judge.arrival))
    trace, deciding, filtered = _trace(judge, source)
    set_of_sources = judge.arrival.sources is not None or _egress(judge, client)
    decision = quick if set_of_sources else _conclude(judge, source, filtered)
    return Explanation(
        decision,
        tuple(_row(asked, decision, deciding) for asked in trace),
        _steps(decision, judge.arrival, judge, source),
        _not_reached(decision),
    )


def _source(judge: Judge, client: int | None) -> int | None:
    """The source that the filters see; of a set, its first address stands for the trace."""
    if judge.arrival.sources is not None:
        return judge.arrival.sources[0][0] if judge.arrival.sources else None
    if client is None or (judge.arrival.destination or 0) >= IPV6_BASE > client:
        return None
    return client


def _egress(judge: Judge, client: int | None) -> bool:
    return client is not None and judge.arrival.public and not is_public(client)


def _conclude(judge: Judge, source: int, filtered: Filtered) -> Decision:
    outcome, routes, _ = judge.reply(source)
    return judge.conclude(filtered, outcome, routes)


def _ask(layer: Layer, table: RuleTable, arrival: Arrival, source: int) -> list[_Asked]:
    out = []
    for rule in table.rules:
        if arrival.destination is None:
            possible = Match.UNKNOWN if rule.destination.yes or rule.destination.maybe else Match.NO
            destination = Match.YES if covers(rule.destination.yes, EVERY_ADDRESS) else possible
        else:
            destination = rule.destination.match(arrival.destination)
        if destination is not Match.YES and set(rule.groups) & set(arrival.ip_configuration.groups):
            destination = Match.UNKNOWN if arrival.floating else Match.YES
        out.append(
            _Asked(
                layer, rule, rule.protocol, rule.source.match(source), rule.source_port, destination,
                rule.ports.match(arrival.port),
            )
        )  # fmt: skip
    return out


def _courses(asked: list[_Asked], layer: NsgLayer) -> tuple[Outcome, ...] | None:
    if layer.table is None:
        return None if layer.present is False else UNREADABLE
    return slow_outcomes([one.rule for one in asked], [one.whole for one in asked], layer.table)


def _layers(filters: Filters, arrival: Arrival, source: int) -> tuple[list[_Asked], list[_Asked]]:
    first, second = (
        _ask(layer.layer, layer.table, arrival, source) if layer.table else []
        for layer in (filters.subnet, filters.nic)
    )
    return first, second


def _trace(judge: Judge, source: int) -> tuple[list[_Asked], set[int], Filtered]:
    """Every rule against the flow, those that decide their own layer (by `id`), and the filters' verdict."""
    arrival, guarded = judge.arrival, judge.guarded
    admin = [[(table, _ask(Layer.ADMIN, table, arrival, source)) for table in tables] for tables in guarded.admin]
    standing = join_admin(
        [slow_outcomes([a.rule for a in asked], [a.whole for a in asked], table) for table, asked in tables]
        for tables in admin
    )
    scope = judge.scope
    public = is_public(source)
    guessing = scope.guess and public and arrival.public and contains(scope.virtual_network.maybe, source)
    results: list[Filtered] = []
    shown: tuple[_Asked, ...] = ()
    deciding = {id(rule) for _, rule in standing}
    for filters in (guarded.plain, guarded.effective):
        if filters is None:
            continue
        subnet, nic = _layers(filters, arrival, source)
        courses = _courses(subnet, filters.subnet), _courses(nic, filters.nic)
        results.append(
            combine(standing, *courses, closed=judge.closed(public=public), has_nsg=filters.has_nsg, guessing=guessing)
        )
        if not results[1:] or (filters.subnet.readable and filters.nic.readable):
            shown = (*subnet, *nic)
        deciding |= {id(rule) for outcomes in courses for _, rule in outcomes or ()}
    listed = [one for tables in admin for _, asked in tables for one in asked]
    return [*listed, *shown], deciding, reconcile(results[0], results[1] if len(results) > 1 else None)


def _row(asked: _Asked, decision: Decision, deciding: set[int]) -> TraceRow:
    rule = asked.rule.rule
    return TraceRow(
        asked.layer, rule.name, rule.arm_id, rule.priority, rule.access.value, asked.protocol, asked.source,
        asked.source_port, asked.destination, asked.destination_port,
        decides=id(asked.rule) in deciding,
        reached=asked.layer not in _not_reached(decision),
    )  # fmt: skip


_ORDER = (Layer.ADMIN, Layer.PLATFORM, Layer.SUBNET, Layer.NIC, Layer.LB, Layer.ROUTE)


def _not_reached(decision: Decision) -> tuple[Layer, ...]:
    """The layers behind the one that dropped the packet, or that an admin AlwaysAllow skips."""
    if decision.verdict is Verdict.DENY:
        last = max((_ORDER.index(one.layer) for one in decision.deciders if one.layer in _ORDER), default=-1)
        return _ORDER[last + 1 :]
    if decision.verdict is Verdict.ALLOW and all(one.layer is Layer.ADMIN for one in decision.deciders):
        return (Layer.PLATFORM, Layer.SUBNET, Layer.NIC)
    return ()


def _steps(
    decision: Decision, arrival: Arrival | None, judge: Judge | None = None, source: int | None = None
) -> tuple[str, ...]:
    """What happened to the packet, one sentence each."""
    out = []
    if arrival is not None:
        seen = "an unknown private address" if arrival.destination is None else address_text(arrival.destination)
        out.append(
            f"{arrival.kind.value} entry {arrival.entry_id} leads to {seen}:{arrival.port} on {arrival.nic.arm_id}"
        )
        if arrival.sources:
            out.append(f"the filters see a source in {address_text(arrival.sources[0][0])}-"
                       f"{address_text(arrival.sources[-1][1])}, not the client")  # fmt: skip
    out += [_said(one) for one in decision.deciders]
    if judge is not None and source is not None and decision.verdict is not Verdict.DENY:
        outcome, routes, _ = judge.reply(source)
        out += [f"the reply takes route {route_word(route)}: {outcome.value}" for route in routes]
    out += [f"not seen: {gap}" for gap in decision.data_gaps]
    return (*out, f"verdict {decision.verdict.value}")


def _said(one: Decider) -> str:
    priority = f" (priority {one.priority})" if one.priority is not None else ""
    where = f" {one.resource_id}" if one.resource_id else ""
    return f"{one.layer.value} {one.rule}{priority}{where}"
