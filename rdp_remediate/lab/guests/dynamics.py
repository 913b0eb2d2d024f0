r"""What Windows itself does when guest state changes, as far as the lab's guests need it without winps.

Source: STATE.md of winps, "Dynamics"; tests/lab/guests/test_dynamics.py compares with the tool. Done here: process ids
of stopped services, service and firewall registry mirrors, policy copies of the firewall, the RDP listener.
"""

import copy
from typing import Any

from rdp_remediate.lab.guest_runtime import GuestState
from rdp_remediate.lab.guests import registry
from rdp_remediate.lab.guests.listener import (
    accepts_connections,
    configured_port,
    find_service,
    listener_addresses,
)

START_TYPES = {0: "Boot", 1: "System", 2: "Auto", 3: "Manual", 4: "Disabled"}
PROFILE_KEYS = {
    "domainprofile": "Domain",
    "publicprofile": "Public",
    "standardprofile": "Private",
    "privateprofile": "Private",
}
_LISTENER_SESSION = {"id": 65536, "name": "rdp-tcp", "user": "", "state": "Listen"}
_FIRST_FREE_PID = 4000


def settle(state: GuestState) -> GuestState:
    """Returns the state after Windows' own reactions; the state given is left as it is, and settling is idempotent."""
    settled = copy.deepcopy(state)
    _mirror_services(settled)
    _mirror_firewall(settled)
    _match_processes(settled)
    _read_listener_settings(settled)
    if settled["dynamics"].get("listener", True):
        _settle_listener(settled)
    return settled


def next_pid(state: GuestState) -> int:
    """Returns a process id above every one in use, a multiple of four as Windows gives them."""
    used: list[int] = [process.get("pid", 0) for process in state.get("processes", [])]
    used += [service.get("pid", 0) for service in state.get("services", {}).values()]
    return max([_FIRST_FREE_PID, *used]) // 4 * 4 + 12


def _mirror_services(state: GuestState) -> None:
    r"""A Start value under Services\<name> is the service's start type, and is kept there only."""
    for name, service in state.get("services", {}).items():
        key = f"{registry.SERVICES}\\{name}"
        start = registry.read_int(state, key, "Start")
        if start in START_TYPES:
            service["start_type"] = START_TYPES[start]
            registry.write_value(state, key, "Start", None)


def _mirror_firewall(state: GuestState) -> None:
    """Local firewall values and policy copies in the registry are settings of the profiles; a policy wins."""
    for root, by_policy in ((registry.FIREWALL_LOCAL, False), (registry.FIREWALL_POLICY, True)):
        for key, values in registry.keys(state, root):
            profile = _profile(state, key[len(root) + 1 :])
            if profile is None:
                continue
            for name in list(values):
                setting = _firewall_setting(name, values[name][1])
                if setting is None:
                    continue
                if by_policy:
                    _keep_local(profile)
                    profile["source"] = "GroupPolicy"
                else:
                    profile.setdefault("explicit", [])
                    if setting[0] not in profile["explicit"]:
                        profile["explicit"].append(setting[0])
                    del values[name]
                profile[setting[0]] = setting[1]


def _profile(state: GuestState, key_name: str) -> dict[str, Any] | None:
    profiles = state.get("firewall", {}).get("profiles", {})
    found: dict[str, Any] | None = profiles.get(PROFILE_KEYS.get(key_name.lower(), ""))
    return found


def _keep_local(profile: dict[str, Any]) -> None:
    if "local" not in profile:
        profile["local"] = {
            name: copy.copy(value) for name, value in profile.items() if name not in {"source", "local"}
        }


def _firewall_setting(name: str, data: object) -> tuple[str, object] | None:
    match name.lower():
        case "enablefirewall":
            return "enabled", data != 0
        case "donotallowexceptions":
            return "allow_inbound_rules", data == 0
        case "defaultinboundaction":
            return "default_inbound", "Allow" if data == 0 else "Block"
        case "defaultoutboundaction":
            return "default_outbound", "Allow" if data == 0 else "Block"
        case "allowlocalpolicymerge":
            return "allow_local_rules", data != 0
    return None


def _match_processes(state: GuestState) -> None:
    """A stopped service has no process id, a running one has one; a process ends with its last service."""
    processes = state.get("processes", [])
    for name, service in state.get("services", {}).items():
        hosts = [process for process in processes if name in process.get("services", [])]
        if service.get("state") == "Stopped":
            service["pid"] = 0
        elif service.get("state") == "Running" and not service.get("pid"):
            service["pid"] = hosts[0]["pid"] if hosts else next_pid(state)
        for process in hosts:
            if process["pid"] != service.get("pid"):
                process["services"].remove(name)
                if not process["services"]:
                    processes.remove(process)


def _read_listener_settings(state: GuestState) -> None:
    """TermService reads these when it starts; a state that does not say what it read then has read them now."""
    dynamics = state.setdefault("dynamics", {"listener": True})
    service = find_service(state, "TermService") or {}
    if service.get("state") != "Running" or "listener_port" not in dynamics:
        dynamics["listener_port"] = configured_port(state)
        dynamics["listener_lan_adapter"] = registry.read_int(state, registry.RDP_TCP, "LanAdapter") or 0


def _settle_listener(state: GuestState) -> None:
    dynamics = state["dynamics"]
    pid = (find_service(state, "TermService") or {}).get("pid", 0)
    port = dynamics["listener_port"]
    rows = state.setdefault("tcp", [])
    present = [row for row in rows if _is_listener_row(state, row, pid)]
    taken = any(row.get("state") == "Listen" and row.get("local_port") == port and row not in present for row in rows)
    wanted: list[str] = []
    if accepts_connections(state) and not taken:
        wanted = listener_addresses(state, dynamics["listener_lan_adapter"])
    if sorted((row["local_address"], row["local_port"], row["pid"]) for row in present) != sorted(
        (address, port, pid) for address in wanted
    ):
        state["tcp"] = [row for row in rows if row not in present] + [
            {
                "local_address": address,
                "local_port": port,
                "remote_address": "::" if ":" in address else "0.0.0.0",  # noqa: S104 - a row of the guest's TCP table
                "remote_port": 0,
                "state": "Listen",
                "pid": pid,
            }
            for address in wanted
        ]
    sessions = state.setdefault("sessions", [])
    listens = any(row.get("name") == "rdp-tcp" for row in sessions)
    if wanted and not listens:
        sessions.append(dict(_LISTENER_SESSION))
    elif not wanted and listens:
        state["sessions"] = [row for row in sessions if row.get("name") != "rdp-tcp"]


def _is_listener_row(state: GuestState, row: dict[str, Any], pid: int) -> bool:
    """True if TermService listens here, or a process did that has ended: its sockets go with it."""
    owner = row.get("pid")
    if row.get("state") != "Listen" or owner in {0, 4}:
        return False
    if owner == pid:
        return True
    owners = {process.get("pid") for process in state.get("processes", [])}
    return owner not in owners | {service.get("pid") for service in state.get("services", {}).values()}
