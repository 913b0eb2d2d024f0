"""The section remote_desktop of the guest's answer; of TermService's account and dependencies only the usual is known."""

from datetime import timedelta
from typing import Any

from rdp_remediate.lab.guest_runtime import GuestState
from rdp_remediate.lab.guests import registry
from rdp_remediate.lab.guests.listener import configured_port, find_service
from rdp_remediate.lab.guests.moments import moment

Answer = dict[str, Any]
_LARGE_MB = 1024
_POLICY_OWNED = {
    "AllowTSConnections": "fDenyTSConnections",
    "ConfiguredLicenseServers": "LicenseServers",
    "EnableAutomaticReconnection": "fDisableAutoReconnect",
    "SingleSession": "fSingleSessionPerUser",
    "MinEncryptionLevel": "MinEncryptionLevel",
    "SecurityLayer": "SecurityLayer",
    "UserAuthenticationRequired": "UserAuthentication",
}
"""A setting whose PolicySource is 1 while the policy's copy of this value is there."""
_DAYS = 7
_LOG = "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational"


def remote_desktop(state: GuestState) -> Answer:
    """Returns the section; what is usual is left out."""
    told: Answer = {"session_host": False}
    service = find_service(state, "TermService")
    if service is not None and service["display_name"] != "Remote Desktop Services":
        told["display_name"] = service["display_name"]
    size = next(
        (one.get("working_set_mb", 0) for one in state["processes"] if service and one["pid"] == service["pid"]), 0
    )
    if service is not None and service["pid"] and size >= _LARGE_MB:
        told["memory"] = size
    owned = [
        name
        for name, value in _POLICY_OWNED.items()
        if registry.read_value(state, registry.TERMINAL_SERVICES_POLICY, value) is not None
    ]
    if owned:
        told["policy_owned"] = owned
    adapter = _listener_adapter(state)
    if adapter is not None:
        told["listener_adapter"] = adapter
    owner = (service or {}).get("pid") or None
    foreign = [
        row["pid"]
        for row in sorted(state["tcp"], key=lambda row: str(row["local_address"]))
        if row["state"] == "Listen" and row["local_port"] == configured_port(state) and row["pid"] != owner
    ]
    hosted = [name for name, one in state["services"].items() if foreign and one["pid"] == foreign[0]]
    if hosted:
        told["port_services"] = hosted[:4]
    if _has_limit(state):
        told["limit_drops"] = {"idle": _drops(state, "3"), "time": _drops(state, "4")}
    return told


def _listener_adapter(state: GuestState) -> str | None:
    number = registry.read_int(state, registry.RDP_TCP, "LanAdapter")
    if not number:
        return None
    status = "missing"
    for key, _ in registry.keys(state, registry.LANA_TABLE):
        if registry.read_int(state, key, "LanaId") != number:
            continue
        guid = key.rsplit("\\", 1)[-1].lower()
        for adapter in state["network"]["adapters"]:
            if str(adapter.get("guid", "")).lower() == guid and not adapter.get("hidden"):
                status = adapter["status"]
    return status


def _has_limit(state: GuestState) -> bool:
    return any(
        registry.read_int(state, key, name)
        for key in (registry.RDP_TCP, registry.TERMINAL_SERVICES_POLICY)
        for name in ("MaxIdleTime", "MaxConnectionTime")
    )


def _drops(state: GuestState, reason: str) -> int:
    since = moment(state["now"]) - timedelta(days=_DAYS)
    found = 0
    for event in state["events"]:
        if event["log"] == _LOG and event["id"] == 40 and moment(event["time"]) >= since:
            data = event.get("data") or {}
            values = list(data.values()) if isinstance(data, dict) else list(data)
            found += len(values) > 1 and str(values[1]) == reason
    return found
