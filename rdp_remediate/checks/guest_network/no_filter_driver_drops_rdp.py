"""Does a filter of another product drop the client?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Confidence, Hop
from rdp_remediate.network.guest_firewall import Because
from rdp_remediate.network.question import ask, guest_admission


@check(hop=Hop.GUEST_NETWORK, faults=("third-party-filter-driver",), requires=("vm_is_running",))
def no_filter_driver_drops_rdp(facts: Facts) -> Outcome:
    """No audited filter of another product blocks the client's connection.

    Why: antivirus and VPN products filter beside Windows Firewall. That such a driver is there does not show that it drops anything
    (NDIS filters log nothing); only an audited block does.
    Evidence: Security 5157 of the last hours for the RDP port, with the filter's origin.
    By hand:
        * third-party-filter-driver: with its owner switch the product off or uninstall it (<origin>), and test again.
    See: https://learn.microsoft.com/windows/security/threat-protection/auditing/event-5157
    """
    question = ask(facts)
    rows = need(facts.guest.blocked())
    hits = [row for row in rows if row.event_id == 5157 and row.origin and row.source in question.clients]
    if not hits:
        return passed("no block by another product is on record")
    if need(guest_admission(facts)).because in (Because.FIREWALL_OFF, Because.THIRD_PARTY):
        return skipped("guest_firewall_alone_filters")
    return failed(
        "third-party-filter-driver",
        f"The filter {hits[-1].origin} blocked {hits[-1].source} to TCP {question.port} (Security 5157).",
        confidence=Confidence.LIKELY,
        origin=hits[-1].origin,
        at=f"{hits[-1].at:%Y-%m-%dT%H:%M:%SZ}",
    )
