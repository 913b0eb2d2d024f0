"""Let the listener negotiate TLS and NLA."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding

NEGOTIATION = r"RT\fAllowSecProtocolNegotiation"


@fix(faults=("security-negotiation-disabled",), layer="guest", order=30, permissions=RUN_COMMAND)
def allow_security_negotiation(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    r"""Let the listener negotiate the security protocol with clients.

    Changes: RT\fAllowSecProtocolNegotiation, then one restart of TermService, which is when Windows reads it.
    Undo: writes the recorded value back.
    Refuses when: never by itself; the restart drops sessions, so a person decides.
    """
    del findings
    yield Draft(
        kind="registry",
        target={"path": NEGOTIATION},
        expected=need(facts.guest.registry_number(NEGOTIATION)),
        desired=1,
        title="Let the listener negotiate TLS and NLA",
        postcondition="RT\\fAllowSecProtocolNegotiation is 1",
        risk=Risk.DISRUPTIVE,
        always_ask="it takes effect with a restart of TermService, which disconnects sessions",
        restart=True,
    )
