"""Do the services that are the guest firewall run?"""

from typing import Any

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop
from rdp_remediate.network.question import FIREWALL_SERVICES


@check(hop=Hop.GUEST_FIREWALL, faults=("firewall-services-stopped",), requires=("vm_is_running",))
def guest_firewall_services_run(facts: Facts) -> Outcome:
    r"""The services of Windows Firewall (BFE and mpssvc) are running.

    Why: a stopped firewall service does not open Windows, it closes it: without its rules nothing is let in.
    Evidence: guest services.
    By hand:
        * firewall-services-stopped: `sc.exe config BFE start= auto`, `sc.exe config mpssvc start= auto`, then `Start-Service BFE`
          and `Start-Service mpssvc`, in this order. "Access is denied" means that the registry permissions below
          HKLM:\SYSTEM\CurrentControlSet\Services\<service> were changed: compare them with a healthy machine of the same build.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/serial-console-cmd-ps-commands
    """
    services = {name: need(facts.guest.service(name)) for name in FIREWALL_SERVICES}
    for name, service in services.items():
        if service is None:
            return unknown(f"The service {name} is not installed on this Windows.", because=f"guest.services.{name}")
        if service.state not in ("Running", "Stopped"):
            return unknown(f"{name} is {service.state}: neither running nor stopped.", because="service state")
    stopped = [name for name, service in services.items() if service is not None and service.state == "Stopped"]
    if not stopped:
        return passed("BFE and mpssvc are running")
    start = {name: service.start_type for name, service in services.items() if service is not None}
    evidence: dict[str, Any] = {"service": stopped[0], "stopped": stopped, "start_types": start}
    return failed(
        "firewall-services-stopped",
        f"The firewall service {' and '.join(stopped)} is stopped: Windows lets nothing in.",
        **evidence,
    )
