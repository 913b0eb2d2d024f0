"""Start the services that Windows' network hangs on."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Yielded, fix
from rdp_remediate.fixes.service_steps import service_steps
from rdp_remediate.models.report import Finding

_DEPENDENT = ("Dhcp", "Dnscache", "NlaSvc", "LanmanWorkstation")
"""What stops with nsi and starts by itself at the next boot only."""


@fix(
    faults=("nsi-not-running", "dhcp-client-disabled"),
    layer="guest",
    order=18,
    permissions=RUN_COMMAND,
)
def start_network_services(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Start nsi and what fell with it, or the DHCP Client alone.

    Changes: the start type of nsi or Dhcp from Disabled to Automatic, its default; their state, and that of Dhcp, Dnscache, NlaSvc
    and LanmanWorkstation where they are set to start by themselves, to Running.
    Undo: stops them and writes the recorded start type back.
    Refuses when: never by itself.
    """
    named = {finding.fault for finding in findings}
    roots = [name for name, fault in (("nsi", "nsi-not-running"), ("Dhcp", "dhcp-client-disabled")) if fault in named]
    for name in roots:
        service = need(facts.guest.service(name))
        if service is None or service.state == "Running":
            continue
        yield from service_steps(name, service, "Auto", opens=False)
    for name in _DEPENDENT if "nsi" in roots else ():
        service = need(facts.guest.service(name))
        if (
            name not in roots
            and service is not None
            and service.state == "Stopped"
            and service.start_type.startswith("Auto")
        ):
            yield from service_steps(name, service, "Auto", changes=(), opens=False)
