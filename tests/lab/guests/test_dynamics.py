"""Windows' own reactions, compared with winps: for each state, what settles in Python is what settles in the tool."""

from copy import deepcopy
from typing import Any

import pytest

from rdp_remediate.lab.guest_runtime import GuestRuntime, GuestState
from rdp_remediate.lab.guests import states
from rdp_remediate.lab.guests.dynamics import settle
from rdp_remediate.lab.guests.listener import rdp_listener
from rdp_remediate.lab.guests.modelled import ModelledGuest
from rdp_remediate.lab.json_ops import apply_ops
from tests.lab.guests.cases import BEYOND_MODELLED, CASES, FWP, RT, STOPPED, TS, Op, ops, service, value
from tests.lab.guests.parity import executed_state
from tests.lab.guests.winps_guest import winps_guest, winps_or_skip

FWL = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy"
SERVICES = r"HKLM\SYSTEM\CurrentControlSet\Services"
MORE: dict[str, list[Op]] = {
    "start type from the registry": [value(rf"{SERVICES}\TermService", "Start", 4)],
    "local firewall from the registry": [
        value(rf"{FWL}\PublicProfile", "DoNotAllowExceptions", 1),
        value(rf"{FWL}\StandardProfile", "EnableFirewall", 0),
    ],
    "policy over the registry": [
        value(rf"{FWL}\DomainProfile", "EnableFirewall", 1), value(rf"{FWP}\DomainProfile", "EnableFirewall", 0)
    ],
    "deny of another number": [value(TS, "fDenyTSConnections", 2)],
    "service off in the registry": [value(TS, "TSEnabled", 0)],
    "port taken": [{"path": ["tcp"], "append": {"local_address": "0.0.0.0", "local_port": 3389,
                    "remote_address": "0.0.0.0", "remote_port": 0, "state": "Listen", "pid": 1320}}],
    "another process of the service": service("TermService", pid=4444),
    "running without a process": service("TermService", pid=0),
    "stopped without a process": [*service("TermService", pid=0), *STOPPED],
    "listener key gone": [{"path": ["registry", RT], "remove": True},
                          {"path": ["registry", rf"{RT}\TSMMRemotingAllowedApps"], "remove": True}],
    "safe mode with network": [{"path": ["os", "safe_mode"], "value": "Network"}],
    "kept as written": [{"path": ["dynamics", "listener"], "value": False}, value(TS, "fDenyTSConnections", 1)],
}  # fmt: skip
LEFT_OUT = {"an antivirus", "another service", "IPsec", "no certificate", "policy firewall rules"}


def settled_parts(state: GuestState) -> dict[str, Any]:
    """Returns what dynamics decide."""
    service_names = ("TermService", "UmRdpService", "SessionEnv", "RpcSs", "mpssvc")
    pid = state["services"]["TermService"]["pid"]
    return {
        "listening": sorted(
            (row["local_address"], row["local_port"], row["remote_address"]) for row in state["tcp"] if row["pid"] == pid
        ),
        "sessions": sorted((row["id"], row["name"], row["user"], row["state"]) for row in state["sessions"]),
        "services": {
            name: (state["services"][name]["state"], state["services"][name]["start_type"],
                   state["services"][name]["pid"])
            for name in service_names
        },
        "profiles": state["firewall"]["profiles"],
        "processes": {row["pid"] for row in state["processes"] if "TermService" in row["services"]},
        "port": state["dynamics"].get("listener_port"),
    }  # fmt: skip


async def test_states_settle_as_winps_settles_them() -> None:
    cases = {**CASES, **MORE, **{name: case for name, case in BEYOND_MODELLED.items() if name not in LEFT_OUT}}
    async with winps_guest() as winps:
        for name, operations in cases.items():
            result = await winps.run_script(
                executed_state("server2022", deepcopy(operations)), "$null", {}, timeout_s=30
            )
            state = states.healthy_state("server2022")
            apply_ops(state, deepcopy(operations))
            settled = settle(state)
            left, right = settled_parts(settled), settled_parts(result.state)
            assert left == right, name
            assert settle(settled) == settled, name


def test_settling_leaves_the_state_given_as_it_is() -> None:
    state = states.healthy_state("server2022")
    state["services"]["TermService"]["state"] = "Stopped"
    before = deepcopy(state)
    assert settle(state)["services"]["TermService"]["pid"] == 0
    assert state == before


def test_a_port_is_read_when_the_service_starts() -> None:
    state = settle(states.healthy_state("server2022"))
    apply_ops(state, [value(RT, "PortNumber", 3390)])
    listener = rdp_listener(settle(state))
    assert listener is not None
    assert listener.port == 3389
    state["services"]["TermService"]["state"] = "Stopped"
    state = settle(state)
    assert rdp_listener(state) is None
    state["services"]["TermService"].update(state="Running", pid=5000)
    listener = rdp_listener(settle(state))
    assert listener is not None
    assert listener.port == 3390


@pytest.mark.parametrize(
    ("name", "layer", "nla"),
    [("healthy", 2, True), ("security from policy", 0, False), ("no NLA", 1, False), ("no negotiation", 0, True)],
)
def test_the_listener_shows_its_security(name: str, layer: int, nla: bool) -> None:
    state = states.healthy_state("server2022")
    apply_ops(state, ops(name))
    listener = rdp_listener(settle(state))
    assert listener is not None
    assert (listener.security_layer, listener.user_authentication) == (layer, nla)
    assert listener.thumbprint == "3828F284EE2737C9A2E283B43C4C513D31EC151B"
    assert listener.computer_name == "RDPVM01"


@pytest.mark.parametrize("runtime", ["modelled", "winps"])
def test_what_a_scenario_changes_was_so_when_windows_started(runtime: str) -> None:
    guest: GuestRuntime = ModelledGuest() if runtime == "modelled" else winps_or_skip()
    state = guest.healthy_state("server2022")
    apply_ops(state, [value(RT, "PortNumber", 3390)])
    listener = guest.rdp_listener(guest.settle(state))
    assert listener is not None
    assert listener.port == 3390
