"""One script on one guest twice: modelled, and executed on winps; what both answer, made comparable."""

from typing import Any

from rdp_remediate.guest.protocol import decode_answer, encode_request
from rdp_remediate.lab.guest_runtime import GuestState, ScriptResult
from rdp_remediate.lab.guests.modelled import ModelledGuest
from rdp_remediate.lab.json_ops import apply_ops
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.ports import GuestRequest
from tests.lab.guests.cases import Op


def modelled_state(base: str, operations: list[Op]) -> GuestState:
    """Returns a modelled guest's healthy state after the operations, settled."""
    runtime = ModelledGuest()
    state = runtime.healthy_state(base)
    apply_ops(state, operations)
    return runtime.settle(state)


def executed_state(base: str, operations: list[Op]) -> GuestState:
    """Returns the same guest in the form that winps makes a whole state of."""
    zone: Op = {"path": ["os", "time_zone"], "value": "UTC"}  # as WinpsGuest.healthy_state has it
    return {"base": base, "ops": [zone, *operations]}


def decoded(result: ScriptResult, slice_number: int = 1) -> dict[str, Any]:
    """Returns a script's decoded answer."""
    assert result.not_simulated == []
    assert result.stderr == ""
    answer = decode_answer(result.stdout[-4096:], slice_number)
    assert not isinstance(answer, Unavailable), answer
    return answer


def request(**fields: Any) -> dict[str, str]:
    """Returns the parameters of a script."""
    return {"Request": encode_request(GuestRequest(**{"run_id": "run-1", "script": "collect"} | fields))}


def comparable(answer: dict[str, Any]) -> dict[str, Any]:
    """Returns an answer without what may differ: clock, durations, process ids, and texts that are for people."""
    plain: dict[str, Any] = _without_pids(answer)
    for name in ("collected_at", "script_ms"):
        plain.pop(name, None)
    for entry in plain.get("unavailable", []):
        entry["detail"] = bool(entry["detail"])
    for step in plain.get("repair", {}).get("steps", []):
        step["detail"] = bool(step["detail"])
        for side in ("before", "after"):
            # The value of a restart is a process id: Windows gives multiples of four.
            if type(step[side]) is int and step[side] >= 1000 and step[side] % 4 == 0:
                step[side] = "a process"
    for change in plain.get("changes", []):
        # Events of the repair itself carry the clock of the run.
        if change["at"] >= "2026-01-15T10:00:00Z":
            change["at"] = "now"
    # What Windows logs about a repair that fails is not modelled.
    plain["events"] = [event for event in plain.get("events", []) if event["at"] < "2026-01-15T10:00:00Z"]
    return plain


def _without_pids(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: bool(item) if name in {"pid", "term_service_pid"} else _without_pids(item)
            for name, item in value.items()
        }
    return [_without_pids(item) for item in value] if isinstance(value, list) else value
