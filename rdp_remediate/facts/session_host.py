"""Azure Virtual Desktop session hosts, which take no inbound RDP by design."""

from rdp_remediate.facts.guest import GuestFacts
from rdp_remediate.facts.platform import VirtualMachine
from rdp_remediate.models.fact import Unavailable

_SERVICE = "RDAgentBootLoader"


def is_avd_session_host(vm: VirtualMachine, guest: GuestFacts) -> str | None:
    """The sign of an Azure Virtual Desktop session host, or None when none was seen."""
    for key, value in vm.tags.items():
        if "microsoft.desktopvirtualization/hostpools" in value.lower():
            return f"tag {key}"
    service = guest.service(_SERVICE)
    if not isinstance(service, Unavailable) and service.value is not None:
        return f"service {_SERVICE}"
    return None
