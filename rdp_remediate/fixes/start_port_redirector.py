"""Let the port redirector of Remote Desktop start again."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import TERM_SERVICE
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Refused, Yielded, fix
from rdp_remediate.fixes.service_steps import service_steps
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
    listener = need(facts.guest.service(TERM_SERVICE))
    # Starting it would start TermService; whether that may run is another question.
    starts = service.state == "Stopped" and listener is not None and listener.state == "Running"
    yield from service_steps(_SERVICE, service, "Manual", changes=(service.start_type,), start=starts, opens=False)
