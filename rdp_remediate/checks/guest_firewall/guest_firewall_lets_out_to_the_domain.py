"""Does Windows Firewall let a domain member reach its domain controllers?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.asker import signs_in_with_domain
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.models.guest import FirewallProfile, FirewallRule
from rdp_remediate.models.report import Effect, Hop
from rdp_remediate.network.guest_firewall import is_policy

_DOMAIN_PORTS = (88, 389)
"""Kerberos and LDAP: without them nobody of the domain signs in."""


@check(hop=Hop.GUEST_FIREWALL, faults=("fw-outbound-block",), requires=("guest_firewall_services_run",))
def guest_firewall_lets_out_to_the_domain(facts: Facts) -> Outcome:
    """The guest firewall lets a domain member reach its domain controllers.

    Why: answers of an accepted inbound connection pass whatever the outbound rules say, so an outbound rule on the RDP port is no
    fault; but NLA of a domain user asks a domain controller, and a blocked lsass cannot.
    Evidence: outbound rules of the effective policy for lsass or every program, default action of the profile in use.
    By hand:
        * fw-outbound-block: ask the owner of <rule>; then disable exactly that rule, or where the profile blocks by default enable
          `CoreNet-GP-LSASS-Out-TCP`, the narrow allow rule of Windows for domain controllers.
    See: https://learn.microsoft.com/windows/win32/fwp/ale-re-authorization
    """
    if not need(facts.guest.os).part_of_domain:
        return passed("no member of a domain")
    firewall = need(facts.guest.firewall)
    if "firewall.outbound" in facts.guest.items:
        raise UnseenError(facts.guest.items["firewall.outbound"])
    for name in firewall.active:
        profile = next((p for key, p in firewall.profiles.items() if key.lower() == name.lower()), None)
        if profile is None or not profile.enabled:
            continue
        counted = [r for r in firewall.outbound if _counts(r, profile, name)]
        blocking = next((r for r in counted if r.action.lower() == "block"), None)
        allowing = any(r.action.lower() == "allow" for r in counted)
        if blocking is None and (profile.default_outbound.lower() != "block" or allowing):
            continue
        what = f"the rule {blocking.name}" if blocking else "the default outbound action"
        return failed(
            "fw-outbound-block",
            f"In the firewall profile {name} {what} keeps Windows from its domain controllers: domain users cannot sign in.",
            Effect.BLOCKS if signs_in_with_domain(facts) else Effect.DEGRADES,
            rule=blocking.name if blocking else "the profile's default action",
            blocking=blocking.name if blocking else None,
            policy=is_policy(blocking.store if blocking else profile.source),
            profile=name,
        )
    return passed("nothing outbound is blocked for lsass")


def _counts(rule: FirewallRule, profile: FirewallProfile, name: str) -> bool:
    if not rule.enabled or not (profile.allow_local_rules or is_policy(rule.store)):
        return False
    if not any(p.lower() in ("any", name.lower()) for p in rule.profiles):
        return False
    ports = [span for token in rule.remote_ports if (span := _span(token)) is not None]
    everywhere = any(address.lower() in ("any", "*") for address in rule.remote_addresses)
    open_service = rule.service.lower() in ("any", "", "*")
    local_any = any(port.lower() in ("any", "*") for port in rule.local_ports)
    covers = any(first <= port <= last for first, last in ports for port in _DOMAIN_PORTS)
    return covers and everywhere and open_service and local_any


def _span(token: str) -> tuple[int, int] | None:
    text = token.strip().lower()
    if text in ("any", "*"):
        return 0, 65535
    low, _, high = text.partition("-")
    return (int(low), int(high or low)) if low.isdigit() and (high.isdigit() or not high) else None
