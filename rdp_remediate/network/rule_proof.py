"""Shows, before anything is written, that a new rule admits its sources and changes nothing else.

Exact, not by sampling: in each dimension every stretch between two rule boundaries is compared. Outside the new rule's
sources, destination or port the rules that match are the same as before, so the verdict and the deciding rule are too;
inside, every stretch of sources is decided and must be ALLOW.
"""

from dataclasses import dataclass

from rdp_remediate.facts.network_addresses import Ranges
from rdp_remediate.facts.network_model import Nsg
from rdp_remediate.facts.network_words import Access
from rdp_remediate.network.arrival import Arrival
from rdp_remediate.network.prefixes import contains
from rdp_remediate.network.scope import Scope
from rdp_remediate.network.tables import RuleTable


@dataclass(frozen=True, slots=True)
class RuleProof:
    """What the simulation showed.

    Attributes:
        holds: Whether every source becomes ALLOW at this NSG and everything else keeps verdict and deciding rule.
        admitted: Stretches of sources inside the rule, each decided ALLOW.
        unchanged: Stretches outside, by dimension, in which the same rules match as before.
        why_not: The first counterexample.
    """

    nsg_id: str
    holds: bool
    admitted: int
    unchanged: dict[str, int]
    why_not: str = ""


def prove(before: Nsg, after: Nsg, name: str, *, scope: Scope, arrival: Arrival, sources: Ranges) -> RuleProof:
    """Simulates the NSG with the new rule.

    Args:
        before: The NSG without the rule.
        after: The same with the rule.
        name: The rule's name.
        scope: What tags mean here.
        arrival: The destination and port that the rule is for.
        sources: The sources that it is to admit.
    """
    old = RuleTable(scope.compile(rule) for rule in before.rules)
    new = RuleTable(scope.compile(rule) for rule in after.rules)
    position = next((i for i, rule in enumerate(new.rules) if rule.rule.name == name), None)
    if position is None or arrival.destination is None or len(new.rules) != len(old.rules) + 1:
        return RuleProof(after.arm_id, False, 0, {}, "the rule does not stand in the simulated NSG")
    own = new.rules[position]
    if own.rule.access is not Access.ALLOW or own.groups:
        return RuleProof(after.arm_id, False, 0, {}, "the rule is no plain allow rule")
    inside = {
        "source": sources,
        "destination": ((arrival.destination, arrival.destination),),
        "port": ((arrival.port, arrival.port),),
    }
    unchanged: dict[str, int] = {}
    for dimension, ranges in inside.items():
        count, problem = _compare(old, new, position, dimension, ranges)
        unchanged[dimension] = count
        if problem:
            return RuleProof(after.arm_id, False, 0, unchanged, problem)
    yes, maybe = new.slab(arrival.destination, arrival.port, arrival.ip_configuration.groups)
    admitted = 0
    for start in _starts(new, sources):
        source_yes, source_maybe = new.sources.at(start)
        for access, rule in new.outcomes(yes & source_yes, maybe & source_maybe):
            if access is not Access.ALLOW:
                said = rule.rule.name if rule else "nothing"
                return RuleProof(after.arm_id, False, admitted, unchanged, f"{said} still decides for a source")
        admitted += 1
    return RuleProof(after.arm_id, True, admitted, unchanged)


def _starts(table: RuleTable, ranges: Ranges) -> list[int]:
    cuts = table.sources.starts
    return sorted({first for first, _ in ranges} | {cut for cut in cuts if contains(ranges, cut)})


def _compare(old: RuleTable, new: RuleTable, position: int, dimension: str, inside: Ranges) -> tuple[int, str]:
    """Compares both tables in every stretch of a dimension; returns the stretches outside and the first difference."""
    before, after = old.line(dimension), new.line(dimension)
    own = 1 << position
    count = 0
    cuts = sorted({*before.starts, *after.starts, *(n for span in inside for n in (span[0], span[1] + 1))})
    for start in cuts:
        is_inside = contains(inside, start)
        for mine, theirs in zip(after.at(start), before.at(start), strict=True):
            if (mine & (own - 1)) | (mine >> (position + 1) << position) != theirs:
                return count, f"another rule matches differently at {dimension} {start}"
            if bool(mine & own) != is_inside:
                return count, f"the rule does not cover exactly its {dimension}"
        count += not is_inside
    return count, ""
