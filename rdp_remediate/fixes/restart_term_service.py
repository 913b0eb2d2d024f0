"""Restart a TermService that has grown too large."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import TERM_SERVICE
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Effect, Finding


@fix(faults=("rds-service-busy-or-leak",), layer="guest", order=37, permissions=RUN_COMMAND)
def restart_term_service(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Restart TermService, which frees what its process holds.

    Changes: one restart of TermService; people are disconnected, their sessions stay.
    Undo: none, a process that was ended cannot be put back.
    Refuses when: there is memory left, so that it can wait for a quiet hour.
    """
    if findings[0].effect is not Effect.BLOCKS:
        yield Refused(
            "can_wait",
            "New sessions still have room: restart it in a quiet hour, after a dump.",
            "whoever runs the machine",
        )
        return
    service = need(facts.guest.service(TERM_SERVICE))
    yield Draft(
        kind="service_restart",
        target={"service": TERM_SERVICE},
        expected=service.pid if service else 0,
        desired=None,
        title="Restart TermService, which has used up the memory",
        postcondition="TermService runs in a new process and listens as it is set to",
        risk=Risk.DISRUPTIVE,
        drops_sessions=True,
        always_ask="what leaks can only be found in a dump of the process, which a restart ends",
        undoable=False,
        restart=True,
    )
