"""Put the clock of a member of a domain right."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.fixes.service_steps import service_steps
from rdp_remediate.models.report import Finding


@fix(faults=("clock-skew",), layer="guest", order=21, permissions=RUN_COMMAND, closed_by=("service",))
def put_the_clock_right(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Start the Windows Time service and synchronise the clock.

    Changes: the start type of W32Time from Disabled to Auto, its state to Running, the clock to the time of its source.
    Undo: stops the service and puts its start type back; a clock is not put wrong again.
    Refuses when: the service is not installed.
    """
    del findings
    service = need(facts.guest.service("W32Time"))
    if service is None:
        yield Refused("not_installed", "W32Time is not installed on this Windows.", "the owner of the image")
        return
    yield from service_steps("W32Time", service, "Auto", because="", start_title="Start the Windows Time service")
    yield Draft(
        kind="clock",
        target={"clock": "Windows"},
        expected="off",
        desired="right",
        title="Synchronise the clock with its time source",
        postcondition="the clock differs from the domain controller's by less than five minutes",
        undoable=False,
    )
