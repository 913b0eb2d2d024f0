"""Let Windows make the listener's self-signed certificate again."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import TERM_SERVICE
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(faults=("cert-self-signed-expired-or-missing",), layer="guest", order=36, permissions=RUN_COMMAND)
def renew_self_signed_certificate(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Restart TermService, which makes a missing or expired self-signed certificate again.

    Changes: one restart of TermService; nothing is deleted, Windows replaces the certificate itself.
    Undo: none, the old certificate's key is gone.
    Refuses when: never by itself; clients see a new certificate and sessions drop, so a person decides.
    """
    del findings
    service = need(facts.guest.service(TERM_SERVICE))
    yield Draft(
        kind="service_restart",
        target={"service": TERM_SERVICE},
        expected=service.pid if service else 0,
        desired=None,
        title="Restart TermService so that Windows makes its self-signed certificate again",
        postcondition="the listener has a self-signed certificate that is valid",
        risk=Risk.DISRUPTIVE,
        drops_sessions=True,
        always_ask="clients will be asked to trust a new certificate",
        undoable=False,
        restart=True,
    )
