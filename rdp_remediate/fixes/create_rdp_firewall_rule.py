"""Create the firewall rule for Remote Desktop where there is none."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.network_words import Access
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.report import Finding
from rdp_remediate.network.guest_firewall import BUILT_IN_TCP
from rdp_remediate.network.guest_rules import DEFAULT_RDP_PORT
from rdp_remediate.network.question import ask


@fix(
    faults=("fw-rdp-rule-missing", "fw-custom-port-rule-missing"),
    layer="guest",
    order=42,
    permissions=RUN_COMMAND,
    closed_by=("firewall",),
)
def create_rdp_firewall_rule(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Create one inbound rule for TermService on the RDP port.

    Changes: on port 3389 the built-in rule with its built-in values; on another port the rule rdp-remediate-In-TCP-PORT.
    Undo: removes the rule again.
    Refuses when: RDP is set to another port than the one that the client is led to.
    """
    del findings
    question = ask(facts)
    port = need(facts.guest.rdp_port())
    if port != question.port:
        yield Refused(
            "port_unmatched", f"RDP is set to port {port}, the client is led to {question.port}; that is settled first."
        )
        return
    name = BUILT_IN_TCP if port == DEFAULT_RDP_PORT else f"rdp-remediate-In-TCP-{port}"
    asks = None
    if port != DEFAULT_RDP_PORT and not _opened_on_purpose(facts, port):
        asks = (
            f"no rule of an NSG names port {port} and lets the client through, so nothing shows that the port is meant"
        )
    yield Draft(
        kind="firewall_rule_created",
        target={"rule": name, "port": port},
        expected=None,
        desired=port,
        title=f"Create the Windows firewall rule {name} for TermService on TCP {port}",
        postcondition=f"{name} admits TCP {port} to TermService",
        always_ask=asks,
    )


def _opened_on_purpose(facts: Facts, port: int) -> bool:
    """The client gets through, and somebody wrote an allow rule for this very port."""
    question = ask(facts)
    written = [r for i in question.nsg_ids if (nsg := facts.network.nsgs.get(i.lower())) for r in nsg.rules]
    return question.allowed and any(
        rule.access is Access.ALLOW and not rule.is_default and (port, port) in rule.destination_ports.ranges
        for rule in written
    )
