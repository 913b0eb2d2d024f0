"""Chooses the narrowest NSG rules that admit given sources, proves them by simulation, or says exactly why not.

Never a source wider than asked, never a tag, never another destination or port; child PUTs only. The NIC's rule is
written first and the subnet's second, so nothing opens before the last write. Source: network-semantics §7.
"""

from dataclasses import dataclass, replace
from typing import Any

from rdp_remediate.facts.network_addresses import address_text
from rdp_remediate.facts.network_model import NetworkFacts, Nsg
from rdp_remediate.facts.network_rules import nsg_rule
from rdp_remediate.facts.network_words import Access
from rdp_remediate.network.blast_radius import BlastRadius, PlannedRule, blast_radius, too_wide
from rdp_remediate.network.decision import Decider, Decision, Layer, Verdict
from rdp_remediate.network.filters import NOTHING, join_admin
from rdp_remediate.network.layers import NsgLayer
from rdp_remediate.network.marker import description, read_marker, rule_name_for
from rdp_remediate.network.path import Judge, network
from rdp_remediate.network.prefixes import overlap, union
from rdp_remediate.network.routes import Reply, route_word
from rdp_remediate.network.rule_doors import Door, doors_for
from rdp_remediate.network.rule_proof import RuleProof, prove
from rdp_remediate.network.rule_request import (
    Network,
    Refusal,
    Refused,
    RuleRequest,
    allowed_networks,
    ranges_of,
)
from rdp_remediate.network.rule_slot import find_slot, not_writable


@dataclass(frozen=True, slots=True)
class RulePlan:
    """The rules in the order in which they are to be written, or the refusal.

    Attributes:
        refusal: Set when nothing is planned; with neither rules nor refusal the sources already get in.
        after: The decision for the sources once the rules stand, worst first.
        skipped: Sources that get no rule, and why.
        admin_unread: Security admin rules could not be read: the rules may not be enough, and nobody unattended writes.
    """

    rules: tuple[PlannedRule, ...] = ()
    refusal: Refused | None = None
    blast_radius: tuple[BlastRadius, ...] = ()
    proof: tuple[RuleProof, ...] = ()
    after: Decision | None = None
    skipped: tuple[str, ...] = ()
    admin_unread: bool = False
    data_gaps: tuple[str, ...] = ()


def plan_rule(facts: NetworkFacts, request: RuleRequest) -> RulePlan:
    """The rules that let the sources in, proven; or exactly one refusal. Writes nothing."""
    networks = allowed_networks(request)
    if isinstance(networks, Refused):
        return RulePlan(refusal=networks)
    rules: list[PlannedRule] = []
    proofs: list[RuleProof] = []
    skipped: list[str] = []
    no_path: Refused | None = None
    doors_of: list[list[Door]] = []
    current = facts
    for family, listed in networks.items():
        found = doors_for(facts, request, family, ranges_of(listed))
        if isinstance(found, Refused):
            if found.code is not Refusal.NO_PATH:
                return RulePlan(refusal=found)
            no_path = found
            skipped += [f"{network_}: {found.why}" for network_ in listed]
            continue
        doors = found
        taken = union(*(door.sources for door in doors))
        covered = tuple(one for one in listed if overlap(ranges_of((one,)), taken))
        skipped += [f"{one}: nothing leads from there to the VM and back" for one in listed if one not in covered]
        planned = _Planner(current, request, family, covered, doors).plan()
        if isinstance(planned, Refused):
            return RulePlan(refusal=planned, skipped=tuple(skipped))
        rules += planned[0]
        proofs += planned[1]
        current = planned[2]
        doors_of.append(doors)
    if not doors_of:
        return RulePlan(refusal=no_path, skipped=tuple(skipped))
    rules.sort(key=lambda rule: Layer.NIC not in rule.layers)
    radius = tuple(blast_radius(facts, key) for key in dict.fromkeys(rule.nsg_id.lower() for rule in rules))
    shared = too_wide(facts, request, radius, rules)
    if shared:
        return RulePlan(refusal=shared, blast_radius=radius, skipped=tuple(skipped))
    after = _after(current, doors_of)
    judges = [door.judge for doors in doors_of for door in doors]
    failed = next((one for one in proofs if not one.holds), None)
    closed = after is not None and after.verdict not in (Verdict.ALLOW, Verdict.INDETERMINATE)
    if failed or closed:
        why = failed.why_not if failed else f"with the rule the verdict would be {after.verdict if after else ''}"
        return RulePlan(refusal=Refused(Refusal.INDETERMINATE, f"the simulation does not hold: {why}"))
    return RulePlan(
        tuple(rules),
        None,
        radius,
        tuple(proofs),
        after,
        tuple(skipped),
        any(judge.guarded.admin_unread for judge in judges),
        tuple(dict.fromkeys(gap for judge in judges for gap in judge.guarded.gaps)),
    )


class _Planner:
    """Plans the rules of one address family."""

    def __init__(
        self, facts: NetworkFacts, request: RuleRequest, family: int, networks: tuple[Network, ...], doors: list[Door]
    ) -> None:
        self.facts = facts
        self.request = request
        self.family = family
        self.networks = networks
        self.doors = doors
        self.sources = ranges_of(networks)
        self.judge = doors[0].judge
        self.arrival = doors[0].judge.arrival

    def plan(self) -> tuple[list[PlannedRule], list[RuleProof], NetworkFacts] | Refused:
        """The rules, their proofs and the facts as they would be with them."""
        refused = self._in_the_way()
        if refused:
            return refused
        facts = self.facts
        pieces = (piece for door in self.doors for piece in door.judge.pieces(door.sources))
        if all(decision.verdict is Verdict.ALLOW for _, _, decision in pieces):
            return [], [], facts
        rules: list[PlannedRule] = []
        proofs: list[RuleProof] = []
        filters = self.judge.guarded.plain
        by_nsg: dict[str, list[Layer]] = {}
        for layer in (filters.nic, filters.subnet):
            if layer.table is not None:
                by_nsg.setdefault(layer.nsg, []).append(layer.layer)
        for key, layers in by_nsg.items():
            nsg = facts.nsgs[key]
            state = self._state(nsg)
            if state is Verdict.ALLOW:
                continue
            made = self._rule(nsg, tuple(layers), state)
            if isinstance(made, Refused):
                return made
            rule, before, after = made
            proofs.append(
                prove(before, after, rule.name, scope=self.judge.scope, arrival=self.arrival, sources=self.sources)
            )
            rules.append(rule)
            facts = replace(
                facts,
                nsgs={**facts.nsgs, key: after},
                effective_rules={k: v for k, v in facts.effective_rules.items() if k != self.arrival.nic.key},
            )
        return rules, proofs, facts

    def _in_the_way(self) -> Refused | None:
        """What no NSG rule can change."""
        for door in self.doors:
            judge, guarded = door.judge, door.judge.guarded
            for first, _, _ in judge.pieces(door.sources):
                denied = _admin_denies(judge, first)
                if denied is not None:
                    return Refused(
                        Refusal.ADMIN,
                        f"security admin rule {denied.rule} decides before any NSG; ask whoever runs the network manager",
                        denied.resource_id,
                    )
            unread = next((layer for layer in (guarded.plain.subnet, guarded.plain.nic) if not layer.readable), None)
            if unread is not None:
                return Refused(
                    Refusal.INDETERMINATE,
                    f"the {unread.layer.value}'s NSG could not be read; give the app the right to read it",
                    unread.nsg,
                )
            absent = guarded.plain.subnet.present is False and guarded.plain.nic.present is False
            if absent and judge.closed(public=judge.arrival.public) is not False:
                return Refused(
                    Refusal.NEEDS_NSG,
                    "a Standard public address without an NSG is closed; attaching one changes everything else on that "
                    "NIC or subnet, so a person has to decide it",
                    judge.arrival.nic.arm_id,
                )
            for first, _, _ in judge.pieces(door.sources):
                outcome, routes, _ = judge.reply(first)
                if outcome in (Reply.ASYMMETRIC, Reply.BLACKHOLE):
                    return Refused(
                        Refusal.ROUTE,
                        f"the reply leaves by route {route_word(routes[0]) if routes else 'unread'}; repair the route or "
                        "come in through the appliance or Bastion",
                        routes[0].arm_id if routes else "",
                    )
            if judge.probe is not None and judge.probe.verdict is Verdict.DENY:
                return Refused(
                    Refusal.PROBE,
                    "an NSG denies the load balancer's health probe (168.63.129.16), so no client is sent to the VM",
                    judge.probe.deciders[0].resource_id if judge.probe.deciders else "",
                )
            if judge.arrival.gaps or judge.arrival.destination is None:
                return Refused(Refusal.INDETERMINATE, "; ".join(judge.arrival.gaps) or "the private address is unknown")
        return None

    def _state(self, nsg: Nsg) -> Verdict:
        """What the NSG does with the sources now: ALLOW for all, DENY for some, or INDETERMINATE."""
        table = network(self.facts).compiler.nsg_table(nsg.key, self.judge.scope)
        layer = NsgLayer(Layer.NIC, True, table, nsg.key)
        yes, maybe = table.slab(
            self.arrival.destination,
            self.arrival.port,
            self.arrival.ip_configuration.groups,
            groups_certain=not self.arrival.floating,
        )
        worst = Verdict.ALLOW
        for door in self.doors:
            for first, _, _ in door.judge.pieces(door.sources):
                source_yes, source_maybe = layer.table.sources.at(first) if layer.table else (0, 0)
                found = {access for access, _ in table.outcomes(yes & source_yes, maybe & source_maybe)}
                if found == {Access.DENY}:
                    worst = Verdict.DENY if worst is not Verdict.INDETERMINATE else worst
                elif found != {Access.ALLOW}:
                    worst = Verdict.INDETERMINATE
        return worst

    def _rule(self, nsg: Nsg, layers: tuple[Layer, ...], state: Verdict) -> tuple[PlannedRule, Nsg, Nsg] | Refused:
        vm = (self.request.vm_id or self.facts.target.vm or self.arrival.nic.vm).rstrip("/")
        spelled = tuple(map(str, self.networks))
        own = rule_name_for(
            vm, self.arrival.ip_configuration.key, nsg.key, port=self.arrival.port, sources=spelled, family=self.family
        )
        name, replaces = _free_name(nsg, own)
        refused = not_writable(nsg, len(spelled), replaces=replaces)
        if refused:
            return refused
        jit = self.request.jit
        if jit is None:
            jit = vm.lower() in self.facts.jit_vms
        slot = find_slot(
            nsg,
            self.judge.scope,
            self.arrival,
            self.sources,
            override_deny=self.request.override_deny,
            jit=jit,
            replaces=name if replaces else "",
        )
        if isinstance(slot, Refused):
            return slot
        if state is Verdict.INDETERMINATE and not slot.above:
            return Refused(
                Refusal.INDETERMINATE,
                "whether the NSG lets the sources in can't be told; read the tags or groups that its rules name",
                nsg.arm_id,
            )
        destination = address_text(self.arrival.destination or 0)
        body = rule_body(spelled, destination, self.arrival.port, slot.priority)
        body["properties"]["description"] = description(
            self.request.run_id, self.request.expires_at, body["properties"]
        )
        others = tuple(rule for rule in nsg.rules if rule.name.casefold() != name.casefold())
        made = nsg_rule({"name": name, **body}, nsg.arm_id, False, [])
        planned = PlannedRule(
            nsg.arm_id,
            name,
            f"{nsg.arm_id}/securityRules/{name}",
            layers,
            slot.priority,
            spelled,
            destination,
            self.arrival.port,
            body,
            replaces,
            tuple(rule.name for rule in slot.above),
        )
        return planned, replace(nsg, rules=others), replace(nsg, rules=(*others, made))


def rule_body(sources: tuple[str, ...], destination: str, port: int, priority: int) -> dict[str, Any]:
    """The ARM body: one prefix in the singular field, several in the plural one (network-semantics §7.2)."""
    one = len(sources) == 1
    return {
        "properties": {
            "direction": "Inbound",
            "access": "Allow",
            "protocol": "Tcp",
            "priority": priority,
            "sourcePortRange": "*",
            "destinationPortRange": str(port),
            "destinationAddressPrefix": destination,
            **({"sourceAddressPrefix": sources[0]} if one else {"sourceAddressPrefixes": list(sources)}),
        }
    }


def _free_name(nsg: Nsg, own: str) -> tuple[str, bool]:
    """Our name, and whether a rule of ours has it; a foreign rule is never overwritten, another name is taken."""
    taken = {rule.name.casefold(): rule for rule in nsg.rules}
    for suffix in ("", *(f"-{n}" for n in range(2, 100))):
        there = taken.get((own + suffix).casefold())
        if there is None:
            return own + suffix, False
        if read_marker(there.description) is not None:
            return there.name, True
    return own, False


def _admin_denies(judge: Judge, source: int) -> Decider | None:
    """The admin rule that denies this source for certain."""
    courses = join_admin(
        [table.outcomes(*_masks(judge, table, source)) for table in tables] for tables in judge.guarded.admin
    )
    denies = [rule for access, rule in courses if access is Access.DENY and rule is not None]
    if courses == NOTHING or len(denies) != len(courses):
        return None
    return Decider(Layer.ADMIN, denies[0].rule.name, denies[0].rule.priority, denies[0].rule.arm_id)


def _masks(judge: Judge, table: Any, source: int) -> tuple[int, int]:
    arrival = judge.arrival
    yes, maybe = table.slab(arrival.destination, arrival.port, arrival.ip_configuration.groups)
    source_yes, source_maybe = table.sources.at(source)
    return yes & source_yes, maybe & source_maybe


def _after(facts: NetworkFacts, doors_of: list[list[Door]]) -> Decision | None:
    """The worst decision for the sources once the rules stand."""
    order = (Verdict.ALLOW, Verdict.INDETERMINATE)
    worst: Decision | None = None
    compiled = network(facts)
    for doors in doors_of:
        for door in doors:
            judge = Judge(door.judge.arrival, compiled.guarded(door.judge.arrival))
            for _, _, decision in judge.pieces(door.sources):
                rank = order.index(decision.verdict) if decision.verdict in order else 2
                held = order.index(worst.verdict) if worst and worst.verdict in order else 2
                if worst is None or rank > held:
                    worst = decision
    return worst
