"""Does something else than Windows Firewall drop the client?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.report import Confidence, Hop
from rdp_remediate.network.guest_firewall import Because
from rdp_remediate.network.question import ask, guest_admission

_IPSEC = (4652, 4653, 4654)


@check(
    hop=Hop.GUEST_FIREWALL,
    faults=("ipsec-domain-isolation", "third-party-host-firewall"),
    requires=("guest_firewall_services_run",),
)
def guest_firewall_alone_filters(facts: Facts) -> Outcome:
    """Nothing but Windows Firewall filters the client's connection.

    Why: connection security rules (IPsec) refuse a client that cannot authenticate, and other products filter beside or in place of
    Windows Firewall. That a product or a driver is there does not show that it drops anything: only an audited block does.
    Evidence: connection security rules in force, Security events 5157 and 4652 to 4654 of the last hours, Security Center.
    By hand:
        * ipsec-domain-isolation: with the security team exempt the client or TCP <port> from the rule <rule>, or let the client
          take part (domain membership, certificate).
        * third-party-host-firewall: allow inbound TCP <port> in the console of the product (<origin>), with its owner.
    See: https://learn.microsoft.com/windows/security/threat-protection/auditing/event-5157
    """
    firewall = need(facts.guest.firewall)
    question = ask(facts)
    decision = need(guest_admission(facts))
    blocked = facts.guest.blocked()
    if decision.because is Because.AUTHENTICATION_REQUIRED:
        rules = ", ".join(rule.name for rule in firewall.ipsec)
        for row in need(blocked):
            if row.event_id in _IPSEC and row.source in question.clients:
                return failed(
                    "ipsec-domain-isolation",
                    f"Connection security rules require authentication, and that of {row.source} failed (event {row.event_id}).",
                    rule=rules,
                    port=question.port,
                    at=f"{row.at:%Y-%m-%dT%H:%M:%SZ}",
                )
        return unknown(
            f"The rule {rules} requires that the client authenticates with IPsec; whether it can is not known.",
            because="guest.firewall.ipsec",
        )
    if decision.because in (Because.FIREWALL_OFF, Because.THIRD_PARTY) and not isinstance(blocked, Unavailable):
        for row in blocked.value:
            if row.event_id == 5157 and row.origin and row.source in question.clients:
                return failed(
                    "third-party-host-firewall",
                    f"The filter {row.origin} blocked {row.source} to TCP {question.port} (Security 5157).",
                    confidence=Confidence.LIKELY,
                    origin=row.origin,
                    port=question.port,
                    at=f"{row.at:%Y-%m-%dT%H:%M:%SZ}",
                )
    need(blocked)
    if decision.because is Because.THIRD_PARTY:
        return unknown(
            f"{firewall.products[0]} filters in place of Windows Firewall; what it lets in cannot be read.",
            because="guest.firewall.products",
        )
    return passed("no IPsec requirement, and no other filter is known to have blocked the client")
