"""Start the RD Connection Broker."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import BROKER_SERVICE
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.report import Finding


@fix(faults=("rdcb-broken",), layer="guest", order=20, permissions=RUN_COMMAND, closed_by=("service",))
def start_connection_broker(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Start TSSDis.

    Changes: the state of TSSDis to Running.
    Undo: stops it.
    Refuses when: it is disabled; somebody took the broker out of service.
    """
    service = need(facts.guest.service(BROKER_SERVICE))
    if service is None or service.start_type == "Disabled":
        yield Refused("by_hand", findings[0].by_hand or "TSSDis is disabled.", "the owner of the farm")
        return
    yield Draft(
        kind="service_state",
        target={"service": BROKER_SERVICE},
        expected=service.state,
        desired="Running",
        title="Start the RD Connection Broker (TSSDis)",
        postcondition="TSSDis is running",
    )
