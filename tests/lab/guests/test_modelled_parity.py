"""The modelled guest answers as the executed scripts do, for every state that it claims to know."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.errors import UsageError
from rdp_remediate.guest.scripts import collect_script, repair_script
from rdp_remediate.lab import build
from rdp_remediate.lab.guest_runtime import GuestState
from rdp_remediate.lab.guests.modelled import ModelledGuest
from rdp_remediate.lab.guests.winps import WinpsGuest
from rdp_remediate.lab.scenario import built_in
from tests.lab.guests.cases import CASES, POL, STOPPED, TCP_RULE, TS, Op, ops, value
from tests.lab.guests.parity import comparable, decoded, executed_state, modelled_state, request
from tests.lab.guests.winps_guest import BASES, winps_guest

VECTORS = Path(__file__).resolve().parents[4] / "shared" / "vectors"


async def differences(
    winps: WinpsGuest, base: str, operations: list[Op], script: str, parameters: dict[str, str]
) -> tuple[dict[str, Any], GuestState, GuestState]:
    """Returns what the two answers do not share, and both states afterwards."""
    executed = await winps.run_script(executed_state(base, operations), script, parameters, timeout_s=60)
    modelled = await ModelledGuest().run_script(modelled_state(base, operations), script, parameters, timeout_s=60)
    left, right = comparable(decoded(modelled)), comparable(decoded(executed))
    told = {key: (left.get(key), right.get(key)) for key in left | right if left.get(key) != right.get(key)}
    return told, modelled.state, executed.state


@pytest.mark.slow
async def test_collect_answers_alike_for_every_case() -> None:
    async with winps_guest() as winps:
        for name in CASES:
            told, _, _ = await differences(winps, "server2022", ops(name), collect_script(), request())
            assert told == {}, name


@pytest.mark.slow
async def test_collect_answers_alike_on_every_base() -> None:
    parameters = request(self_address="10.0.0.4")
    async with winps_guest() as winps:
        for base in BASES:
            told, _, _ = await differences(winps, base, ops("healthy"), collect_script(), parameters)
            assert told == {}, base
            told, _, _ = await differences(winps, base, [*DISABLED, *RULE_OFF], collect_script(), parameters)
            assert told == {}, base


@pytest.mark.slow
async def test_collect_answers_alike_for_every_built_in_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "utc_now", lambda: datetime(2026, 1, 15, 10, 0, tzinfo=UTC))
    modelled = ModelledGuest()
    async with winps_guest() as winps:
        for name, scenario in built_in().items():
            answers = []
            for runtime in (modelled, winps):
                world = build.build_world(scenario, runtime)
                guest = world.guests.get(world.vm_id.lower())
                assert guest is not None, name
                result = await runtime.run_script(guest, collect_script(), request(), timeout_s=60)
                answers.append(comparable(decoded(result)))
            assert answers[0] == answers[1], name


@pytest.mark.slow
async def test_collect_answers_alike_for_the_vectors_that_are_modelled() -> None:
    if not VECTORS.is_dir():
        pytest.skip("the shared vectors are not there: put them at ../shared/vectors beside the checkout")
    compared = 0
    async with winps_guest() as winps:
        for file in ("guest_firewall.json", "guest_rdp_service.json", "compound.json", "traps.json"):
            for scenario in json.loads((VECTORS / file).read_text(encoding="utf-8")):
                operations = scenario.get("guest")
                if not operations or not _is_modelled(scenario["base"], operations):
                    continue
                told, _, _ = await differences(winps, scenario["base"], operations, collect_script(), request())
                assert told == {}, scenario["name"]
                compared += 1
    assert compared > 30


def _is_modelled(base: str, operations: list[Op]) -> bool:
    try:
        modelled_state(base, operations)
    except UsageError:
        # The state needs winps, or an operation selects what only winps' larger state has.
        return False
    return True


def step(kind: str, target: dict[str, str], expected: object, desired: object, **more: object) -> dict[str, Any]:
    fields = {"id": "g1", "group": "fix", "kind": kind, "target": target, "expected": expected, "desired": desired,
              "sessions": None}  # fmt: skip
    return fields | more


DENY = {"path": r"TS\fDenyTSConnections"}
TERM = {"service": "TermService"}
BLOCK = {"profile": "Public", "setting": "allow_inbound_rules"}
RULE = {"rule": "RemoteDesktop-UserMode-In-TCP"}
DISABLED = ops("service disabled and stopped")
SIGNED_IN = ops("people signed in")
RULE_OFF: list[Op] = [{"path": ["firewall", "rules", TCP_RULE, "enabled"], "value": False}]

REPAIRS: dict[str, tuple[list[Op], list[dict[str, Any]]]] = {
    "a registry value": ([value(TS, "fDenyTSConnections", 1)], [step("registry", DENY, 1, 0)]),
    "already true": ([], [step("registry", DENY, 1, 0)]),
    "stale": ([value(TS, "fDenyTSConnections", 2)], [step("registry", DENY, 1, 0)]),
    "a value of a policy": (
        [value(TS, "fDenyTSConnections", 1), value(POL, "fDenyTSConnections", 1)], [step("registry", DENY, 1, 0)]
    ),
    "a value that is absent": ([], [step("registry", {"path": r"RT\fLogonDisabled"}, None, 0)]),
    "a value that is removed": ([], [step("registry", {"path": r"RT\LanAdapter"}, 0, None)]),
    "a value that is never written": ([], [step("registry", {"path": r"POL\fDenyTSConnections"}, None, 0)]),
    "NLA is never written": ([], [step("registry", {"path": r"RT\UserAuthentication"}, 1, 0)]),
    "start type and state": (
        DISABLED,
        [step("service_start", TERM, "Disabled", "Manual"), step("service_state", TERM, "Stopped", "Running", id="g2")],
    ),
    "start of a disabled service": (DISABLED, [step("service_state", TERM, "Stopped", "Running")]),
    "undo of a group": (
        [*DISABLED, value(TS, "fDenyTSConnections", 1)],
        [
            step("registry", DENY, 1, 0),
            step("service_state", TERM, "Stopped", "Running", id="g2"),
            step("service_start", TERM, "Disabled", "Manual", id="g3"),
            step("firewall_rule", RULE, True, False, id="g4", group="other"),
        ],
    ),
    "stop with a dependent that runs": ([], [step("service_state", TERM, "Running", "Stopped")]),
    "stop in order": (
        [],
        [
            step("service_state", {"service": "UmRdpService"}, "Running", "Stopped"),
            step("service_state", TERM, "Running", "Stopped", id="g2"),
        ],
    ),
    "restart": ([], [step("service_restart", TERM, 1200, None), step("service_restart", TERM, 1200, None, id="g2")]),
    "restart after a port change": (
        [],
        [
            step("registry", {"path": r"RT\PortNumber"}, 3389, 3390),
            step("service_restart", TERM, 1200, None, id="g2"),
        ],
    ),
    "restart with the sessions that were seen": (
        SIGNED_IN, [step("service_restart", TERM, 1200, None, sessions=[2, 3])]
    ),
    "restart with other sessions": (SIGNED_IN, [step("service_restart", TERM, 1200, None, sessions=[])]),
    "firewall rule": (RULE_OFF, [step("firewall_rule", RULE, False, True)]),
    "firewall rule that is missing": (ops("rule missing"), [step("firewall_rule", RULE, False, True)]),
    "a rule that is not ours": ([], [step("firewall_rule", {"rule": "WINRM-HTTP-In-TCP"}, True, False)]),
    "firewall profile": (ops("all inbound blocked"), [step("firewall_profile", BLOCK, False, True)]),
    "firewall profile of a policy": (ops("policy blocks all"), [step("firewall_profile", BLOCK, False, True)]),
    "firewall is never switched off": ([], [step("firewall_profile", BLOCK | {"setting": "enabled"}, True, False)]),
    "a service that is not ours": ([], [step("service_state", {"service": "Spooler"}, "Running", "Stopped")]),
    "an unknown kind": ([], [step("reboot", {}, None, None)]),
    "two faults at once": (
        [*STOPPED, *RULE_OFF],
        [
            step("service_state", TERM, "Stopped", "Running", group="a"),
            step("firewall_rule", RULE, False, True, id="g2", group="b"),
        ],
    ),
}  # fmt: skip


@pytest.mark.slow
async def test_repair_answers_alike_and_leaves_the_same_guest() -> None:
    async with winps_guest() as winps:
        for name, (operations, steps) in REPAIRS.items():
            parameters = request(script="repair", steps=steps)
            told, modelled, executed = await differences(winps, "server2022", operations, repair_script(), parameters)
            assert told == {}, name
            left, right = _touched(modelled), _touched(executed)
            assert left == right, name


@pytest.mark.slow
async def test_a_domain_controller_is_left_alone_by_both() -> None:
    operations: list[Op] = [*RULE_OFF, {"path": ["os", "domain_role"], "value": 5}]
    steps = [step("firewall_rule", RULE, False, True)]
    async with winps_guest() as winps:
        for allowed, outcome in ((False, "refused"), (True, "applied")):
            parameters = request(script="repair", steps=steps, allow_domain_controller=allowed)
            told, state, _ = await differences(winps, "server2022-domain", operations, repair_script(), parameters)
            assert told == {}, outcome
            answer = decoded(await ModelledGuest().run_script(
                modelled_state("server2022-domain", operations), repair_script(), parameters, timeout_s=60
            ))  # fmt: skip
            assert [entry["outcome"] for entry in answer["repair"]["steps"]] == [outcome]
            assert state["firewall"]["rules"][0]["enabled"] is allowed


def _touched(state: GuestState) -> dict[str, Any]:
    """Returns what repairs can change, without process ids."""
    names = ("TermService", "UmRdpService", "SessionEnv")
    pids = {state["services"]["TermService"]["pid"]}
    return {
        "ts": state["registry"][TS]["fDenyTSConnections"],
        "rt": {
            name: entry
            for name, entry in state["registry"][TS + r"\WinStations\RDP-Tcp"].items()
            if name in {"PortNumber", "LanAdapter", "fLogonDisabled", "UserAuthentication"}
        },
        "services": {name: (state["services"][name]["state"], state["services"][name]["start_type"]) for name in names},
        "rules": {
            rule["name"]: rule["enabled"]
            for rule in state["firewall"]["rules"]
            if rule["name"].startswith("RemoteDesktop-UserMode")
        },
        "profiles": {name: profile["allow_inbound_rules"] for name, profile in state["firewall"]["profiles"].items()},
        "listening": sorted(
            (row["local_address"], row["local_port"]) for row in state["tcp"] if row["pid"] in pids and row["pid"]
        ),
        "sessions": sorted((row["id"], row["name"], row["user"], row["state"]) for row in state["sessions"]),
    }
