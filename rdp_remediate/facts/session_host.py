"""What kind of host takes the sessions: Azure Virtual Desktop, a Remote Desktop Session Host, a server or a client."""

from rdp_remediate.facts.guest import GuestFacts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.facts.platform import VirtualMachine
from rdp_remediate.models.fact import Reason, Unavailable

CLIENT_WINDOWS = 1
"""Win32_OperatingSystem.ProductType of Windows 10 and 11."""

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


def is_session_host(guest: GuestFacts) -> bool:
    """Whether the role Remote Desktop Session Host is installed.

    Raises:
        UnseenError: It could not be read.
    """
    if "remote_desktop.session_host" in guest.items:
        raise UnseenError(guest.items["remote_desktop.session_host"])
    found = need(guest.remote_desktop).session_host
    if found is None:
        source = "guest.remote_desktop.session_host"
        raise UnseenError(Unavailable(Reason.NOT_COLLECTED, "the role of the host was not told", source))
    return found
