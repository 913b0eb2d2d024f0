"""Which rule of the guest firewall was to let RDP in, and by what it misses the client's connection.

The decision itself is guest_firewall's; this only chooses the rule that a person would look at, so that each fw-* check
names its own part of what is wrong with it.
"""

from dataclasses import dataclass

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.guest import FirewallRule, FirewallSection
from rdp_remediate.network import guest_firewall
from rdp_remediate.network.guest_firewall import Admission, GuestFirewallDecision
from rdp_remediate.network.question import ask, guest_admission, guest_flow

DEFAULT_RDP_PORT = 3389

BINDING = ("service", "program", "local_address", "interface", "port", "protocol")
"""Dimensions that bind a rule to TermService, its port and the adapter."""


@dataclass(frozen=True)
class Shortfall:
    """No rule admits the client; the rule that comes nearest, if there is any that is meant for RDP.

    Attributes:
        rule: The built-in rule where it can matter, else the enabled allow rule that misses by the least.
        dimensions: By what it misses; empty when it is only switched off.
        profile: The profile in use.
        port: The RDP port.
    """

    rule: FirewallRule | None
    dimensions: tuple[str, ...]
    profile: str
    port: int


def open_view(firewall: FirewallSection) -> FirewallSection:
    """The firewall without block rules and without "block all": what its allow rules alone admit."""
    return guest_firewall.lifted(firewall, block_rules=True)


def blocking_rules(facts: Facts) -> list[FirewallRule]:
    """The enabled block rules that cover one of the clients, whatever else the firewall says."""
    decision = need(guest_admission(facts, guest_firewall.lifted))
    if decision.admission is not Admission.DENY or decision.because is not guest_firewall.Because.BLOCK_RULE:
        return []
    firewall, question = need(facts.guest.firewall), ask(facts)
    flows = [guest_flow(facts, client, question.entry, question.port) for client in question.clients]
    merged = next(
        (p.allow_local_rules for n, p in firewall.profiles.items() if n.lower() == decision.profile.lower()), True
    )
    return [
        rule
        for rule in firewall.rules
        if rule.enabled
        and rule.action.lower() == "block"
        and rule.direction.lower() == "inbound"
        and (merged or guest_firewall.is_policy(rule.store))
        and any(f is not None and guest_firewall.matches(rule, f, decision.profile) is True for f in flows)
    ]


def shortfall(facts: Facts) -> Shortfall | None:
    """What the allow rules lack; None when they admit the client, or when it cannot be judged or a policy decides.

    Raises:
        UnseenError: The firewall could not be read.
    """
    decision = need(guest_admission(facts, open_view))
    if decision.admission is not Admission.DENY or decision.policy_owned or not decision.profile:
        return None
    question = ask(facts)
    rules = need(facts.guest.firewall).rules
    built_in = next((r for r in rules if r.name == guest_firewall.BUILT_IN_TCP), None)
    missed = _missed(facts, built_in, decision)
    usable = built_in is not None and built_in.action.lower() == "allow"
    if usable and ("port" not in missed or question.port == DEFAULT_RDP_PORT):
        return Shortfall(built_in, missed, decision.profile, question.port)
    for misfit in decision.misfits:
        if not {"port", "protocol"} & set(misfit.dimensions):
            return Shortfall(misfit.rule, misfit.dimensions, decision.profile, question.port)
    return Shortfall(None, (), decision.profile, question.port)


def _missed(facts: Facts, rule: FirewallRule | None, decision: GuestFirewallDecision) -> tuple[str, ...]:
    if rule is None:
        return ()
    question = ask(facts)
    found: dict[str, None] = {}
    for client in question.clients:
        flow = guest_flow(facts, client, question.entry, question.port)
        if flow is not None:
            found |= dict.fromkeys(guest_firewall.missed(rule, flow, decision.profile))
    return tuple(found)
