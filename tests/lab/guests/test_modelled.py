import base64
import json
from typing import Any

import pytest

from rdp_remediate.guest.protocol import decode_answer
from rdp_remediate.guest.scripts import collect_script, repair_script
from rdp_remediate.lab.guest_runtime import Admission, GuestRuntime
from rdp_remediate.lab.guests.modelled import ModelledGuest, NeedsWinpsError
from rdp_remediate.lab.json_ops import apply_ops
from tests.lab.guests.cases import BEYOND_MODELLED, Op, ops
from tests.lab.guests.parity import decoded, modelled_state, request


async def test_it_is_a_guest_runtime() -> None:
    runtime: GuestRuntime = ModelledGuest()
    state = runtime.settle(runtime.healthy_state("server2022"))
    listener = runtime.rdp_listener(state)
    assert listener is not None
    assert runtime.admits(state, "203.0.113.7", listener.port) is Admission.ACCEPT
    await runtime.close()


@pytest.mark.parametrize("script", ["Get-Service TermService", "", "# rdp-remediate collect 2\nGet-Date"])
async def test_any_other_script_needs_winps(script: str) -> None:
    runtime = ModelledGuest()
    state = runtime.healthy_state("server2022")
    result = await runtime.run_script(state, script, {}, timeout_s=10)
    assert result.stdout == ""
    assert result.stderr.startswith("needs winps: ")
    assert result.state == state


@pytest.mark.parametrize("name", list(BEYOND_MODELLED))
async def test_a_state_that_is_not_modelled_needs_winps(name: str) -> None:
    runtime = ModelledGuest()
    state = runtime.healthy_state("server2022")
    apply_ops(state, BEYOND_MODELLED[name])
    with pytest.raises(NeedsWinpsError, match=r"needs winps: .*--guest winps"):
        runtime.settle(state)
    result = await runtime.run_script(state, collect_script(), {}, timeout_s=10)
    assert result.stdout == ""
    assert result.stderr.startswith("needs winps: ")


@pytest.mark.parametrize(
    "parameter",
    [
        "not base64!",
        base64.urlsafe_b64encode(b"[]").decode(),
        base64.urlsafe_b64encode(b'{"schema": "x"}').decode(),
        "A" * 9000,
    ],
)
async def test_a_request_that_is_none_of_ours_needs_winps(parameter: str) -> None:
    runtime = ModelledGuest()
    state = runtime.healthy_state("server2022")
    result = await runtime.run_script(state, collect_script(), {"Request": parameter}, timeout_s=10)
    assert result.stdout == ""
    assert "the request cannot be read" in result.stderr


async def test_the_second_slice_says_so() -> None:
    runtime = ModelledGuest()
    state = runtime.healthy_state("server2022")
    result = await runtime.run_script(state, collect_script(), request(slice=2), timeout_s=10)
    answer = decoded(result, 2)
    assert answer["slice"] == 2
    assert len(result.stdout.encode()) <= 4001


async def test_an_answer_without_room_drops_what_is_needed_least() -> None:
    runtime = ModelledGuest()
    operations: list[Op] = [
        {"path": ["sessions"], "append": {"id": 100 + number, "name": f"rdp-tcp#{number * 7919}",
                                          "user": f"user{number * 104729:x}", "state": "Active"}}
        for number in range(110)
    ]  # fmt: skip
    state = modelled_state("server2022", operations)
    first = await runtime.run_script(state, collect_script(), request(), timeout_s=10)
    second = await runtime.run_script(state, collect_script(), request(slice=2), timeout_s=10)
    assert len(first.stdout.encode()) <= 4001
    answer = decoded(first)
    assert "firewall" in answer
    assert "services" in answer
    assert "sessions" not in answer
    assert {"sessions"} <= {row["fact"] for row in answer["unavailable"] if row["reason"] == "truncated"}
    assert len(decoded(second, 2)["sessions"]) == 113


async def test_a_repair_can_be_repeated_and_undone() -> None:
    runtime = ModelledGuest()
    state = modelled_state("server2022", ops("service disabled and stopped"))
    steps: list[dict[str, Any]] = [
        {"id": "a", "group": "g", "kind": "service_start", "target": {"service": "TermService"},
         "expected": "Disabled", "desired": "Manual", "sessions": None},
        {"id": "b", "group": "g", "kind": "service_state", "target": {"service": "TermService"},
         "expected": "Stopped", "desired": "Running", "sessions": []},
    ]  # fmt: skip
    done = await runtime.run_script(state, repair_script(), request(script="repair", steps=steps), timeout_s=10)
    assert _outcomes(done.stdout) == ["applied", "applied"]
    assert runtime.rdp_listener(done.state) is not None
    again = await runtime.run_script(done.state, repair_script(), request(script="repair", steps=steps), timeout_s=10)
    assert _outcomes(again.stdout) == ["already_true", "already_true"]
    inverse = [step | {"expected": step["desired"], "desired": step["expected"]} for step in reversed(steps)]
    undone = await runtime.run_script(
        again.state, repair_script(), request(script="repair", run_id="run-2", steps=inverse), timeout_s=10
    )
    assert _outcomes(undone.stdout) == ["applied", "applied"]
    assert undone.state["services"]["TermService"]["start_type"] == "Disabled"
    assert undone.state["services"]["TermService"]["state"] == "Stopped"
    assert runtime.rdp_listener(undone.state) is None


async def test_before_values_are_recorded_for_administrators_only() -> None:
    runtime = ModelledGuest()
    state = modelled_state("server2022", ops("rule off"))
    steps = [{"id": "a", "group": "g", "kind": "firewall_rule", "target": {"rule": "RemoteDesktop-UserMode-In-TCP"},
              "expected": False, "desired": True, "sessions": None}]  # fmt: skip
    result = await runtime.run_script(state, repair_script(), request(script="repair", steps=steps), timeout_s=10)
    folder = result.state["files"]["C:\\ProgramData\\rdp-remediate"]
    assert ";WD)" not in folder["sddl"]
    record = result.state["files"]["C:\\ProgramData\\rdp-remediate\\run-1.json"]["text"].split("\r\n")
    assert json.loads(record[0])["before"] is False
    # A guest that holds the record of a repair is still one that is modelled.
    assert runtime.settle(result.state) == result.state


async def test_past_the_deadline_no_step_starts() -> None:
    runtime = ModelledGuest()
    state = modelled_state("server2022", ops("rule off"))
    steps = [{"id": "a", "group": "g", "kind": "firewall_rule", "target": {"rule": "RemoteDesktop-UserMode-In-TCP"},
              "expected": False, "desired": True, "sessions": None}]  # fmt: skip
    parameters = request(script="repair", steps=steps, deadline_s=0)
    result = await runtime.run_script(state, repair_script(), parameters, timeout_s=10)
    assert _outcomes(result.stdout) == ["not_started"]
    assert result.state["firewall"] == state["firewall"]


def _outcomes(stdout: str) -> list[str]:
    answer: Any = decode_answer(stdout)
    return [step["outcome"] for step in answer["repair"]["steps"]]
