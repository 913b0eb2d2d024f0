"""Start the services of the guest firewall."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Yielded, fix
from rdp_remediate.fixes.service_steps import service_steps
from rdp_remediate.models.report import Finding
from rdp_remediate.network.question import FIREWALL_SERVICES


@fix(
    faults=("firewall-services-stopped",),
    layer="guest",
    order=19,
    permissions=RUN_COMMAND,
    closed_by=("service",),
)
def start_firewall_services(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Start BFE and then Windows Firewall, with their default start type where somebody changed it.

    Changes: the start type back to Automatic, with approval; the state to Running. No rule and no profile is touched.
    Undo: writes the start type back; Windows lets nobody stop these services, so they stay running.
    Refuses when: never by itself.
    """
    del findings
    asks = None
    for name in FIREWALL_SERVICES:
        service = need(facts.guest.service(name))
        if service is not None and service.start_type == "Disabled":
            asks = f"the start type of {name} was changed to {service.start_type}"
    for name in FIREWALL_SERVICES:
        service = need(facts.guest.service(name))
        if service is None or service.state == "Running":
            continue
        yield from service_steps(name, service, "Auto", always_ask=asks, stoppable=False)
