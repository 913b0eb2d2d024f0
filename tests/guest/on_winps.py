"""Runs the two scripts on simulated Windows states and decodes what they print."""

import copy
import json
from dataclasses import dataclass
from typing import Any

from rdp_remediate.guest.protocol import decode_answer, encode_request
from rdp_remediate.guest.scripts import collect_script, repair_script
from rdp_remediate.ports import GuestRequest
from tests.winps import Winps

TS = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Terminal Server"
RT = f"{TS}\\WinStations\\RDP-Tcp"
POL = "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows NT\\Terminal Services"
FWP = "HKLM\\SOFTWARE\\Policies\\Microsoft\\WindowsFirewall"
RULE = "RemoteDesktop-UserMode-In-TCP"
RECORD = "C:\\ProgramData\\rdp-remediate"
RIGHTS = "C:\\Windows\\security\\rdp-remediate-"
"""secedit can only write a file: it is there while the rights are read, where Windows refused one."""

State = dict[str, Any]
Op = dict[str, Any]
Step = dict[str, Any]


@dataclass
class Ran:
    """One run of a script: its decoded answer, what it changed, and the state afterwards."""

    answer: dict[str, Any]
    stdout: str
    mutations: list[dict[str, Any]]
    state: State

    @property
    def outcomes(self) -> list[str]:
        return [step["outcome"] for step in self.answer["repair"]["steps"]]


def collect(winps: Winps, state: State, *, slice_: int = 1, constrained: bool = False, **request: Any) -> Ran:
    """Runs the collector; it must print an answer, change nothing and meet nothing that winps lacks."""
    asked = GuestRequest(run_id="run-1", script="collect", slice=slice_, **request)
    ran = _run(winps, collect_script(), state, asked, constrained)
    assert [one for one in ran.mutations if not one["target"].startswith(RIGHTS)] == []
    assert [name for name in ran.state.get("files", {}) if name.startswith(RIGHTS)] == []
    assert "repair" not in ran.answer
    return ran


def repair(winps: Winps, state: State, steps: list[Step], *, constrained: bool = False, **request: Any) -> Ran:
    """Runs the repair script with steps."""
    asked = GuestRequest(run_id="run-1", script="repair", steps=steps, **request)
    return _run(winps, repair_script(), state, asked, constrained)


def _run(winps: Winps, script: str, state: State, asked: GuestRequest, constrained: bool) -> Ran:
    result = winps.run(script, state, {"Request": encode_request(asked)}, constrained=constrained)
    assert result["stderr"] == ""
    assert result["not_simulated"] == []
    answer = decode_answer(result["stdout"], asked.slice)
    assert isinstance(answer, dict), answer
    assert "not simulated" not in json.dumps(answer)
    assert len(result["stdout"].strip()) <= 4000
    return Ran(answer, result["stdout"], result["mutations"], result["state"])


def set_(value: Any, *path: Any) -> Op:
    """Returns a scenario operation that sets a value."""
    return {"path": list(path), "value": value}


def step(kind: str, target: dict[str, Any], expected: Any, desired: Any, **more: Any) -> Step:
    """Returns a step as a plan sends it."""
    return {
        "id": more.pop("id", "g1"),
        "group": more.pop("group", "a"),
        "kind": kind,
        "target": target,
        "expected": expected,
        "desired": desired,
        "sessions": more.pop("sessions", None),
    }


def undo_of(steps: list[Step]) -> list[Step]:
    """Returns the steps that take others back: in reverse, expected and desired exchanged."""
    return [{**one, "expected": one["desired"], "desired": one["expected"]} for one in reversed(steps)]


def comparable(state: State) -> State:
    """Returns what must be equal before a repair and after its undo.

    Clock, events, process ids and the product's own record file apart; winps' note of which profile settings were
    written explicitly is no state of Windows.
    """
    kept = copy.deepcopy(state)
    for name in ("events", "now", "processes"):
        kept.pop(name, None)
    if not kept.get("boot"):
        kept.pop("boot", None)  # winps notes that boot options were read
    kept["files"] = {name: value for name, value in kept.get("files", {}).items() if not name.startswith(RECORD)}
    for row in (*kept["services"].values(), *kept["tcp"]):
        row["pid"] = 0
    for profile in kept["firewall"]["profiles"].values():
        profile.pop("explicit", None)
    return kept


def changes_but_record(ran: Ran) -> list[tuple[str, str]]:
    """Returns the mutations of a run apart from those of the record's folder."""
    return [(one["op"], one["target"]) for one in ran.mutations if not one["target"].startswith(RECORD)]
