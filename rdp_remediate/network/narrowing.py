"""Which rules let the whole Internet in to RDP, and how each would look with the configured sources alone.

Simulated before it is offered: nobody of the virtual network, no health probe and no configured source loses what the
rule gave, and afterwards the Internet is shut out. A rule that opens more than the RDP port, and one that is not the
owner's own, is never touched.
"""

import copy
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, ip_address, ip_network
from itertools import pairwise
from typing import Any

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.network_addresses import EVERY_ADDRESS, IPV6_BASE, Ranges, merge, texts
from rdp_remediate.facts.network_model import NetworkFacts, Nsg, Rule
from rdp_remediate.facts.network_rules import nsg_rule
from rdp_remediate.facts.network_words import Access, Direction
from rdp_remediate.models.base import JsonObject
from rdp_remediate.network.arrival import Blocked
from rdp_remediate.network.blast_radius import BlastRadius, blast_radius
from rdp_remediate.network.decision import Verdict
from rdp_remediate.network.denials import nsg_of_id
from rdp_remediate.network.entries import Entry, entries, judge_of
from rdp_remediate.network.exposure import MOST_OF_THE_INTERNET, Admitted, admits_outside, nsg_rule_of
from rdp_remediate.network.path import Judge
from rdp_remediate.network.prefixes import HOST_VIP, PROBE_V6, cidrs, intersect, subtract, union
from rdp_remediate.network.question import ask
from rdp_remediate.network.rule_request import Refusal, Refused, RuleRequest, allowed_networks, ranges_of
from rdp_remediate.network.rule_slot import is_jit, not_writable
from rdp_remediate.network.tables import RuleTable

_MOST_RULES = 4
_OPEN_WORDS = frozenset({"*", "internet"})
_WIDE_V4 = 1 << 24
_SHORT_V6 = 16


@dataclass(frozen=True, slots=True)
class Narrowing:
    """One rule as it is and as it would be; nothing but its source differs.

    Attributes:
        removed: The open sources that go.
        sources: What the rule names afterwards.
        radius: What else the NSG guards.
    """

    nsg_id: str
    name: str
    before: JsonObject
    after: JsonObject
    removed: tuple[str, ...]
    sources: tuple[str, ...]
    radius: BlastRadius


def plan_narrowing(facts: Facts) -> tuple[Narrowing, ...] | Refused:
    """The rules to narrow until no public way in admits most of the Internet any more, or exactly one refusal."""
    networks = _sources(facts)
    if isinstance(networks, Refused):
        return networks
    port = ask(facts).port
    current, made = facts.network, list[Narrowing]()
    for _ in range(_MOST_RULES + 1):
        doors = [one for one in entries(current, facts.target.vm_id, port) if one.public]
        exposure = admits_outside(current, doors, port, ())
        wide = [one for one in exposure.internet if one.addresses >= MOST_OF_THE_INTERNET]
        if not wide and not exposure.unclear:
            return tuple(made)
        if not any(one.verdict is Verdict.ALLOW for one in wide):
            why = "; ".join(exposure.unclear) or "rules that cannot be judged decide about the Internet"
            return Refused(Refusal.INDETERMINATE, f"who gets in afterwards cannot be told: {why}")
        narrowed = _narrow(facts, current, next(one for one in wide if one.verdict is Verdict.ALLOW), networks)
        if isinstance(narrowed, Refused):
            return narrowed
        one, current = narrowed
        made.append(one)
    return Refused(
        Refusal.NOT_NARROWABLE, f"more than {_MOST_RULES} rules let the Internet in; tidy up the NSG by hand"
    )


def _sources(facts: Facts) -> tuple[str, ...] | Refused:
    """The configured sources, if they are narrow, of one family, and hold the client who asks."""
    found = allowed_networks(RuleRequest(tuple(facts.policy.sources)))
    if isinstance(found, Refused):
        return found
    if len(found) > 1:
        why = "the configured sources are IPv4 and IPv6, which one rule cannot hold; split the rule by hand"
        return Refused(Refusal.NOT_NARROWABLE, why)
    (networks,) = found.values()
    question = ask(facts)
    if question.client_known:
        client = ip_address(question.clients[0])
        if not any(client.version == one.version and client in one for one in networks):
            why = f"the client {client} is outside the configured sources and would be cut off itself"
            return Refused(Refusal.CUTS_OTHERS, why)
    return tuple(map(str, networks))


def _narrow(
    facts: Facts, current: NetworkFacts, wide: Admitted, sources: tuple[str, ...]
) -> tuple[Narrowing, NetworkFacts] | Refused:
    decider = nsg_rule_of(wide.deciders)
    if decider is None:
        by = wide.deciders[0].rule if wide.deciders else "the want of any NSG"
        return Refused(Refusal.NOT_NARROWABLE, f"{by} lets the Internet in, and no rule of an NSG can narrow that")
    nsg = current.nsgs.get(nsg_of_id(decider.resource_id).lower())
    rule = next((r for r in nsg.rules if r.name.casefold() == decider.rule.casefold()), None) if nsg else None
    if nsg is None or rule is None:
        return Refused(Refusal.INDETERMINATE, f"the NSG of the rule {decider.rule} could not be read")
    refused = _not_ours_to_narrow(nsg, rule, len(sources), wide.entry)
    if refused is not None:
        return refused
    before = _as_read(facts, nsg, rule)
    if before is None:
        return Refused(Refusal.INDETERMINATE, f"the rule {rule.name} itself could not be read")
    removed = tuple(one for one in _named(before) if _is_open(one))
    if not removed:
        why = f"the rule {rule.name} admits {', '.join(_named(before)[:3]) or 'a group'}, which is not simply the Internet"
        return Refused(Refusal.NOT_NARROWABLE, why, rule.arm_id)
    kept = tuple(one for one in _named(before) if one not in removed)
    named = tuple(dict.fromkeys((*kept, *sources)))
    after = _with_sources(before, named)
    slim = nsg_rule({"name": rule.name, **after}, nsg.arm_id, False, [])
    if slim.problems:
        return Refused(Refusal.NOT_NARROWABLE, f"Azure would refuse the narrowed rule: {slim.problems[0]}", rule.arm_id)
    narrowed = replace(nsg, rules=tuple(slim if one is rule else one for one in nsg.rules))
    judge = judge_of(current, wide.entry)
    if isinstance(judge, Blocked) or judge.arrival.destination is None:
        return Refused(Refusal.INDETERMINATE, "what the rule decides could not be simulated")
    harm = _harm(judge, nsg, narrowed, sources)
    if harm:
        shown = ", ".join(list(cidrs(harm))[:3])
        why = f"it would also cut {shown}: a deny below {rule.name} would then decide; give those a rule of their own first"
        return Refused(Refusal.CUTS_OTHERS, why, rule.arm_id)
    radius = blast_radius(facts.network, nsg.key)
    if len(radius.vms) > facts.policy.blast_radius_limit:
        why = f"the NSG guards {len(radius.vms)} VMs, more than the {facts.policy.blast_radius_limit} that the settings allow"
        return Refused(Refusal.BLAST_RADIUS, why, nsg.arm_id)
    following = replace(
        current,
        nsgs={**current.nsgs, nsg.key: narrowed},
        effective_rules={k: v for k, v in current.effective_rules.items() if k != judge.arrival.nic.key},
    )
    return Narrowing(nsg.arm_id, rule.name, before, after, removed, named, radius), following


def _not_ours_to_narrow(nsg: Nsg, rule: Rule, prefixes: int, door: Entry) -> Refused | None:
    if is_jit(rule):
        return Refused(
            Refusal.USE_JIT, f"{rule.name} is Defender's; change the just-in-time policy instead", rule.arm_id
        )
    if rule.is_default or rule.direction is not Direction.INBOUND or rule.access is not Access.ALLOW:
        return Refused(Refusal.NOT_NARROWABLE, f"{rule.name} is no inbound allow rule that somebody wrote", rule.arm_id)
    foreign = not_writable(nsg, prefixes, replaces=True)
    if foreign is not None:
        return foreign
    ports = rule.destination_ports
    if ports.unreadable or ports.ranges != ((door.backend_port, door.backend_port),):
        said = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in ports.ranges[:5]) or "ports that cannot be read"
        why = f"{rule.name} opens {said}, not RDP alone; narrowing it would cut the users of the other ports"
        return Refused(Refusal.CUTS_OTHERS, why, rule.arm_id)
    return None


def _as_read(facts: Facts, nsg: Nsg, rule: Rule) -> JsonObject | None:
    """The rule's own JSON, without what Azure adds and nobody may write."""
    properties = facts.resources.get(nsg.key, {}).get("properties")
    listed = properties.get("securityRules") if isinstance(properties, dict) else None
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, dict) and str(item.get("name", "")).casefold() == rule.name.casefold():
            inner = item.get("properties")
            if not isinstance(inner, dict):
                return None
            return {"properties": {k: copy.deepcopy(v) for k, v in inner.items() if k != "provisioningState"}}
    return None


def _named(body: JsonObject) -> tuple[str, ...]:
    inner: dict[str, Any] = body["properties"]
    return tuple(map(str, texts(inner.get("sourceAddressPrefix"), inner.get("sourceAddressPrefixes"))))


def _is_open(text: str) -> bool:
    """Whether a source is the Internet itself or a large part of it."""
    if text.strip().lower() in _OPEN_WORDS:
        return True
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        return False
    if isinstance(network, IPv4Network):
        return network.num_addresses >= _WIDE_V4 and not network.is_private
    return network.prefixlen <= _SHORT_V6


def _with_sources(body: JsonObject, sources: tuple[str, ...]) -> JsonObject:
    """The same rule with these sources: one in the singular field, several in the plural one."""
    inner = {k: copy.deepcopy(v) for k, v in body["properties"].items() if k != "sourceAddressPrefix"}
    inner["sourceAddressPrefixes"] = [] if len(sources) == 1 else list(sources)
    if len(sources) == 1:
        inner["sourceAddressPrefix"] = sources[0]
    return {"properties": inner}


def _harm(judge: Judge, before: Nsg, after: Nsg, sources: tuple[str, ...]) -> Ranges:
    """Addresses of the virtual network, of Azure's probes and of the sources that the NSG would treat otherwise."""
    scope = judge.scope
    lost = _lost(judge, before, after)
    own = union(
        scope.core,
        subtract(scope.virtual_network.yes, scope.wide),
        ((HOST_VIP, HOST_VIP), (PROBE_V6, PROBE_V6)),
        ranges_of(tuple(ip_network(one, strict=False) for one in sources if _is_network(one))),
    )
    return intersect(lost, own)


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _lost(judge: Judge, before: Nsg, after: Nsg) -> Ranges:
    """Sources whose access the change takes away or makes doubtful."""
    arrival, scope = judge.arrival, judge.scope
    tables = [RuleTable(scope.compile(rule) for rule in nsg.rules) for nsg in (before, after)]
    slabs = [
        table.slab(
            arrival.destination, arrival.port, arrival.ip_configuration.groups, groups_certain=not arrival.floating
        )
        for table in tables
    ]

    def course(index: int, source: int) -> frozenset[Access | None]:
        table, (yes, maybe) = tables[index], slabs[index]
        source_yes, source_maybe = table.sources.at(source)
        return frozenset(access for access, _ in table.outcomes(yes & source_yes, maybe & source_maybe))

    cuts = sorted({*tables[0].sources.starts, *tables[1].sources.starts, 0, IPV6_BASE})
    spans = [
        (first, following - 1)
        for first, following in pairwise([*cuts, EVERY_ADDRESS[-1][1] + 1])
        if course(0, first) != course(1, first)
    ]
    return intersect(merge(spans), EVERY_ADDRESS)
