"""The priority of a new allow rule: directly above the first deny that can match any part of it.

Not only the deny that decided one packet counts: with several sources different denies may apply. Source:
network-semantics §7.3.
"""

import re
from dataclasses import dataclass

from rdp_remediate.facts.network_addresses import Ranges
from rdp_remediate.facts.network_model import Nsg, Rule
from rdp_remediate.facts.network_words import Access, Direction
from rdp_remediate.network.arrival import Arrival
from rdp_remediate.network.decision import Match
from rdp_remediate.network.prefixes import overlap, union
from rdp_remediate.network.rule_request import Refusal, Refused
from rdp_remediate.network.scope import Scope
from rdp_remediate.network.tables import CompiledRule

JIT_RULE = re.compile(r"SecurityCenter-JITRule[-_]", re.IGNORECASE)
_MOST_RULES = 1000
_MOST_PREFIXES = 4000
_FOREIGN = (
    ("microsoft.databricks-workspaces", "Azure Databricks"),
    ("nrms-rule-", "Microsoft's network rule management (NRMS)"),
    ("k8s-azure-lb_", "Kubernetes (AKS)"),
)


@dataclass(frozen=True, slots=True)
class Slot:
    """A free priority, and the denies that the new rule will stand above."""

    priority: int
    above: tuple[Rule, ...]


def is_jit(rule: Rule) -> bool:
    """Whether Defender's just-in-time access made this rule (network-semantics §5)."""
    return bool(JIT_RULE.match(rule.name))


def could_match(rule: CompiledRule, arrival: Arrival, sources: Ranges) -> bool:
    """Whether an inbound rule can match any part of what the new rule covers; UNKNOWN counts as a match."""
    if rule.rule.direction is Direction.OUTBOUND or rule.certain is Match.NO:
        return False
    if not overlap(union(rule.source.yes, rule.source.maybe), sources):
        return False
    if rule.ports.match(arrival.port) is Match.NO:
        return False
    by_group = bool(set(rule.groups) & set(arrival.ip_configuration.groups))
    if arrival.destination is None:
        return True
    return by_group or rule.destination.match(arrival.destination) is not Match.NO


def find_slot(
    nsg: Nsg, scope: Scope, arrival: Arrival, sources: Ranges, *, override_deny: bool, jit: bool, replaces: str = ""
) -> Slot | Refused:
    """A free priority above every deny in the way, or the refusal.

    Args:
        nsg: The NSG that is to get the rule.
        scope: What its tags mean here.
        arrival: What the filters see.
        sources: The rule's sources.
        override_deny: Whether a person approved a rule above a written deny.
        jit: Whether the VM has a just-in-time policy; 100 to 119 are then left to it.
        replaces: Name of a rule of ours that the new one will replace.
    """
    rules = [rule for rule in nsg.rules if not rule.is_default and rule.name.casefold() != replaces.casefold()]
    denies = [
        rule
        for rule in rules
        if rule.access in (Access.DENY, Access.UNKNOWN) and could_match(scope.compile(rule), arrival, sources)
    ]
    written = [rule for rule in denies if not is_jit(rule)]
    if denies and not written:
        return Refused(
            Refusal.USE_JIT,
            f"only just-in-time access closes the port ({denies[0].name}); ask it to open the port",
            denies[0].arm_id,
        )
    if written and not override_deny:
        return Refused(
            Refusal.EXPLICIT_DENY,
            f"somebody wrote {written[0].name} (priority {written[0].priority}) to deny this; "
            "a rule above it needs approval",
            written[0].arm_id,
        )
    unplaced = [rule for rule in denies if rule.priority is None]
    if unplaced:
        return Refused(
            Refusal.INDETERMINATE, f"the priority of {unplaced[0].name} could not be read", unplaced[0].arm_id
        )
    top = min((rule.priority for rule in denies if rule.priority is not None), default=4097)
    used = {rule.priority for rule in rules if rule.direction is not Direction.OUTBOUND}
    guarded = jit or any(is_jit(rule) for rule in rules)
    lowest = 120 if guarded else 100
    for first, last in ((min(top - 1, 4096), 120), (min(top - 1, 119), lowest)):
        for priority in range(first, last - 1, -1):
            if priority not in used:
                return Slot(priority, tuple(denies))
    return Refused(
        Refusal.NO_SLOT,
        f"no free priority above {min(denies, key=lambda r: r.priority or 0).name if denies else 'the default rules'}; "
        "re-number a rule of the NSG",
        nsg.arm_id,
    )


def not_writable(nsg: Nsg, prefixes: int, *, replaces: bool) -> Refused | None:
    """Why this NSG takes no rule of ours: its state, its owner or its limits (network-semantics §7.1, S21)."""
    if nsg.provisioning_state and nsg.provisioning_state.casefold() != "succeeded":
        return Refused(
            Refusal.NSG_NOT_READY,
            f"the NSG is {nsg.provisioning_state}; wait until its own change has ended",
            nsg.arm_id,
        )
    owner = foreign_owner(nsg)
    if owner:
        return Refused(Refusal.FOREIGN_NSG, f"the NSG is managed by {owner}; ask its owner", nsg.arm_id)
    custom = [rule for rule in nsg.rules if not rule.is_default]
    if len(custom) - bool(replaces) >= _MOST_RULES:
        return Refused(Refusal.RULE_LIMIT, f"the NSG has {len(custom)} rules, the most that Azure allows", nsg.arm_id)
    held = sum(len(rule.source.ranges) for rule in custom)
    if held + prefixes > _MOST_PREFIXES:
        return Refused(
            Refusal.RULE_LIMIT,
            f"the NSG's rules hold {held} source prefixes; with {prefixes} more Azure's limit is passed",
            nsg.arm_id,
        )
    return None


def foreign_owner(nsg: Nsg) -> str:
    """The service that manages this NSG itself and would undo our rule, or the empty string."""
    name = nsg.key.rsplit("/", 1)[-1]
    if name.startswith("aks-agentpool-") or any(key.casefold().startswith("aks-managed") for key, _ in nsg.tags):
        return "AKS"
    for rule in nsg.rules:
        for start, owner in _FOREIGN:
            if rule.name.casefold().startswith(start):
                return owner
    return ""
