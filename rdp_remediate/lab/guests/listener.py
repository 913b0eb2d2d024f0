r"""What the RDP listener is in a guest state: whether it exists, on which port, with which security and certificate.

Sources: STATE.md of winps ("Dynamics") and the rows it was compared with; policy copies under
SOFTWARE\Policies\Microsoft\Windows NT\Terminal Services win over the local values.
"""

import base64
import binascii
from typing import Any

from rdp_remediate.lab.guest_runtime import GuestState, RdpListener
from rdp_remediate.lab.guests.registry import (
    LANA_TABLE,
    RDP_TCP,
    TERMINAL_SERVER,
    TERMINAL_SERVICES_POLICY,
    key_exists,
    keys,
    read_int,
    read_value,
)

DEFAULT_PORT = 3389
SELF_SIGNED_STORE = "LocalMachine\\Remote Desktop"
COMPUTER_STORE = "LocalMachine\\My"


def find_service(state: GuestState, name: str) -> dict[str, Any] | None:
    """Returns a service by name, without regard to case."""
    for listed, service in state.get("services", {}).items():
        if listed.lower() == name.lower():
            return dict(service) if not isinstance(service, dict) else service
    return None


def policy_or_local_int(state: GuestState, local_key: str, name: str) -> int | None:
    """Returns the policy copy of a Terminal Services value if there is one, else the local value."""
    policy = read_int(state, TERMINAL_SERVICES_POLICY, name)
    return read_int(state, local_key, name) if policy is None else policy


def accepts_connections(state: GuestState) -> bool:
    """True if the settings let TermService open its listener; the port and the adapter are judged elsewhere.

    An absent fDenyTSConnections denies, as Windows treats it.
    """
    service = find_service(state, "TermService")
    return (
        service is not None
        and service.get("state") == "Running"
        and policy_or_local_int(state, TERMINAL_SERVER, "fDenyTSConnections") == 0
        and key_exists(state, RDP_TCP)
        and read_int(state, RDP_TCP, "fEnableWinStation") != 0
        and read_int(state, TERMINAL_SERVER, "TSEnabled") != 0
        and state.get("os", {}).get("safe_mode") != "Minimal"
    )


def configured_port(state: GuestState) -> int:
    r"""Returns RT\PortNumber, 3389 when it is absent."""
    port = read_int(state, RDP_TCP, "PortNumber")
    return DEFAULT_PORT if port is None else port


def listener_addresses(state: GuestState, lan_adapter: int) -> list[str]:
    """Returns the local addresses that the listener binds: all, or the IPv4 addresses of the adapter chosen."""
    if lan_adapter == 0:
        return ["0.0.0.0", "::"]  # noqa: S104 - a row of the guest's TCP table, nothing is bound
    network = state.get("network", {})
    for key, values in keys(state, LANA_TABLE):
        lana = next((entry for name, entry in values.items() if name.lower() == "lanaid"), None)
        if lana is None or lana[1] != lan_adapter:
            continue
        guid = key.rsplit("\\", 1)[-1].lower()
        indexes = {
            adapter.get("if_index")
            for adapter in network.get("adapters", [])
            if str(adapter.get("guid", "")).lower() == guid
        }
        return [
            row["address"]
            for row in network.get("addresses", [])
            if row.get("if_index") in indexes and row.get("family", "IPv4") == "IPv4"
        ]
    return []


def bound_certificate(state: GuestState) -> dict[str, Any] | None:
    r"""Returns the entry of the certificate that the listener presents, None when there is none that works.

    RT\SSLCertificateSHA1Hash names a certificate of the computer's store; when it is not there or its key is not
    usable Windows says so (events 1051, 1055) and takes the self-signed one.
    """
    certificates = state.get("certificates", {})
    custom = custom_thumbprint(state)
    if custom is not None:
        for entry in certificates.get(COMPUTER_STORE, []):
            if str(entry.get("thumbprint", "")).upper() == custom and _usable(entry):
                found: dict[str, Any] = entry
                return found
    for entry in certificates.get(SELF_SIGNED_STORE, []):
        if _usable(entry):
            found = entry
            return found
    return None


def custom_thumbprint(state: GuestState) -> str | None:
    r"""Returns the thumbprint that RT\SSLCertificateSHA1Hash names, upper case, None when the value is absent."""
    entry = read_value(state, RDP_TCP, "SSLCertificateSHA1Hash")
    if entry is None or entry[0] != "Binary" or not isinstance(entry[1], str):
        return None
    try:
        return base64.b64decode(entry[1], validate=True).hex().upper()
    except binascii.Error:
        return None


def rdp_listener(state: GuestState) -> RdpListener | None:
    """Returns the listener that a settled state shows, None when TermService listens nowhere."""
    service = find_service(state, "TermService")
    if service is None or not any(row.get("name") == "rdp-tcp" for row in state.get("sessions", [])):
        return None
    ports = {
        row["local_port"]
        for row in state.get("tcp", [])
        if row.get("state") == "Listen" and row.get("pid") == service.get("pid")
    }
    port = state.get("dynamics", {}).get("listener_port", configured_port(state))
    if port not in ports:
        return None
    certificate = bound_certificate(state)
    layer = policy_or_local_int(state, RDP_TCP, "SecurityLayer")
    # Without negotiation the listener speaks standard RDP security only.
    if read_int(state, RDP_TCP, "fAllowSecProtocolNegotiation") == 0:
        layer = 0
    return RdpListener(
        port=port,
        security_layer=1 if layer is None else layer,
        user_authentication=policy_or_local_int(state, RDP_TCP, "UserAuthentication") == 1,
        thumbprint=None if certificate is None else str(certificate["thumbprint"]).upper(),
        computer_name=state.get("os", {}).get("computer_name", ""),
    )


def _usable(entry: dict[str, Any]) -> bool:
    return entry.get("has_private_key", True) is not False and entry.get("key_usable", True) is not False
