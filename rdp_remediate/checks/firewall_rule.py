"""What the rule for RDP that comes nearest lacks in one dimension, for the checks that name one each."""

from collections.abc import Callable

from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.guest import FirewallRule
from rdp_remediate.network.guest_rules import shortfall
from rdp_remediate.network.question import guest_admission


def lacks(
    facts: Facts, dimension: str, fault: str, reason: Callable[[FirewallRule, str], str], *, fine: str
) -> Outcome:
    """Fails where the rule that comes nearest misses the client's connection by this dimension.

    Args:
        facts: What was seen.
        dimension: One of `Shortfall.dimensions`.
        fault: The fault then.
        reason: The sentence that says so, from the rule and the profile in use.
        fine: What is said else.
    """
    if need(guest_admission(facts)).policy_owned:
        return skipped("guest_firewall_honours_allow_rules")
    found = shortfall(facts)
    if found is not None and found.rule is not None and dimension in found.dimensions:
        return failed(fault, reason(found.rule, found.profile), rule=found.rule.name, profile=found.profile)
    return passed(fine)
