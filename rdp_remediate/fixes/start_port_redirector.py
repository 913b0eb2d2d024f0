"""Let the port redirector of Remote Desktop start again."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import TERM_SERVICE
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.report import Finding

_SERVICE = "UmRdpService"


@fix(faults=("umrdpservice-disabled",), layer="guest", order=22, permissions=RUN_COMMAND, closed_by=("service",))
def start_port_redirector(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Give UmRdpService its default start type and start it.

    Changes: its start type from Disabled to Manual; its state to Running while TermService runs, on which it depends.
    Undo: stops it and puts the recorded start type back.
    Refuses when: the service is not installed.
    """
    del findings
    service = need(facts.guest.service(_SERVICE))
    if service is None:
        yield Refused("not_installed", "UmRdpService is not installed on this Windows.", "the owner of the image")
        return
    yield Draft(
        kind="service_start",
        target={"service": _SERVICE},
        expected=service.start_type,
        desired="Manual",
        title="Set the start type of UmRdpService to Manual, its default",
        postcondition="UmRdpService has start type Manual",
        opens=False,
    )
    listener = need(facts.guest.service(TERM_SERVICE))
    # Starting it would start TermService; whether that may run is another question.
    if service.state == "Stopped" and listener is not None and listener.state == "Running":
        yield Draft(
            kind="service_state",
            target={"service": _SERVICE},
            expected=service.state,
            desired="Running",
            title="Start UmRdpService",
            postcondition="UmRdpService is running",
            opens=False,
        )
