"""Let the service start again that makes the RDP certificate."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Refused, Yielded, fix
from rdp_remediate.fixes.service_steps import service_steps
from rdp_remediate.models.report import Effect, Finding

_SERVICE = "SessionEnv"


@fix(faults=("sessionenv-disabled",), layer="guest", order=24, permissions=RUN_COMMAND, closed_by=("service",))
def start_session_environment(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Give SessionEnv its default start type and start it.

    Changes: its start type from Disabled to Manual; its state to Running. It makes a missing certificate when it starts.
    Undo: stops it and puts the recorded start type back.
    Refuses when: the service is not installed.
    """
    service = need(facts.guest.service(_SERVICE))
    if service is None:
        yield Refused("not_installed", "SessionEnv is not installed on this Windows.", "the owner of the image")
        return
    opens = findings[0].effect is Effect.BLOCKS
    starts = service.state == "Stopped"
    yield from service_steps(_SERVICE, service, "Manual", changes=(service.start_type,), start=starts, opens=opens)
