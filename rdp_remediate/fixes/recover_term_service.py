"""Get a TermService going again that hangs or has crashed."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import TERM_SERVICE
from rdp_remediate.facts.need import need
from rdp_remediate.facts.term_service import is_own_dll, service_dll
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(faults=("termservice-hang-or-crash",), layer="guest", order=21, permissions=RUN_COMMAND, closed_by=("service",))
def recover_term_service(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """End the process of a hung TermService and start it; start a crashed one.

    Changes: the process of TermService, which must host nothing else; its state to Running.
    Undo: a process that was ended cannot be put back; a start is undone by a stop.
    Refuses when: the service runs at the moment, is disabled, or loads foreign code.
    """
    del findings
    service = need(facts.guest.service(TERM_SERVICE))
    if service is None or service.state == "Running":
        yield Refused(
            "runs_now",
            "TermService runs at the moment; find out why it ends: a dump of its process, then Microsoft support.",
            "whoever runs the machine",
        )
        return
    if not is_own_dll(need(service_dll(facts.guest))):
        yield Refused("foreign_code", "TermService loads code that is not Microsoft's; it is not started unattended.")
        return
    if service.state in ("StartPending", "StopPending"):
        yield Draft(
            kind="service_recovery",
            target={"service": TERM_SERVICE},
            expected=service.state,
            desired="Running",
            title=f"End the process {service.pid} of the hung TermService and start it",
            postcondition="TermService is running",
            risk=Risk.DISRUPTIVE,
            drops_sessions=True,
            always_ask="it ends the process of a service that hangs",
            undoable=False,
        )
        return
    if service.start_type == "Disabled":
        yield Refused("other_cause_first", "TermService is disabled; its start type comes first.")
        return
    yield Draft(
        kind="service_state",
        target={"service": TERM_SERVICE},
        expected=service.state,
        desired="Running",
        title="Start TermService, which ended with an error",
        postcondition="TermService is running",
        risk=Risk.DISRUPTIVE,
        always_ask="it ended with an error and may do so again",
    )
