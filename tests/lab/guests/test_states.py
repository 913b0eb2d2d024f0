"""Run as a program (`python -m tests.lab.guests.test_states`) it writes the states from winps."""

import json
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.errors import UsageError
from rdp_remediate.guest.protocol import decode_answer
from rdp_remediate.guest.scripts import collect_script
from rdp_remediate.lab.guests import states, surface
from rdp_remediate.lab.guests.states import merge_patch
from rdp_remediate.models.fact import Unavailable
from tests.lab.guests.parity import request
from tests.winps import Winps, shared_winps


def tool_state(winps: Winps, base: str) -> dict[str, Any]:
    whole = winps.state(base)
    whole["os"]["time_zone"] = "UTC"
    projected = surface.project(whole)
    answer = decode_answer(winps.run(collect_script(), whole, request())["stdout"])
    assert not isinstance(answer, Unavailable), answer
    projected["recorded"] = {name: answer[name] for name in surface.RECORDED}
    return projected


@pytest.mark.parametrize("base", states.BASES)
def test_the_healthy_state_is_winps_own(base: str) -> None:
    assert states.healthy_state(base) == tool_state(shared_winps(), base), (
        "winps changed its healthy states: run .venv/bin/python -m tests.lab.guests.test_states"
    )


@pytest.mark.parametrize("base", states.BASES)
def test_a_healthy_state_holds_nothing_unknown(base: str) -> None:
    assert surface.unknown_parts(states.healthy_state(base)) == []


def test_two_states_share_nothing() -> None:
    first = states.healthy_state("win11")
    first["services"]["TermService"]["state"] = "Stopped"
    assert states.healthy_state("win11")["services"]["TermService"]["state"] == "Running"


def test_an_unknown_base_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="server1999"):
        states.healthy_state("server1999")


@pytest.mark.parametrize(
    ("target", "patch", "merged"),
    [  # RFC 7396, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_changes_as_the_rfc_says(target: object, patch: object, merged: object) -> None:
    assert merge_patch(target, patch) == merged


def _difference(old: Any, new: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    gone: dict[str, Any] = {name: None for name in old if name not in new}
    changed = {
        name: _difference(old[name], value) if name in old else value
        for name, value in new.items()
        if name not in old or old[name] != value
    }
    return gone | changed


def _write() -> None:
    winps = shared_winps()
    whole = tool_state(winps, states.BASES[0])
    folder = Path(states.__file__).parent / "states"
    for base in states.BASES:
        document = whole if base == states.BASES[0] else _difference(whole, tool_state(winps, base))
        text = json.dumps(document, ensure_ascii=False, indent=1)
        (folder / f"{base}.json").write_text(text + "\n", encoding="utf-8")


def _complete_the_fixture() -> None:
    """Gives the healthy bundle of the tests what the collector reads since: values, services, sections."""
    path = Path(__file__).parents[2] / "fixtures" / "healthy_bundle.json"
    bundle = json.loads(path.read_text(encoding="utf-8"))
    winps = shared_winps()
    whole = winps.state(states.BASES[0])
    answer = decode_answer(winps.run(collect_script(), whole, request())["stdout"])
    assert not isinstance(answer, Unavailable), answer
    guest = bundle["guest"]
    for section in ("registry", "services"):
        guest[section] = answer[section] | {
            name: guest[section][name] for name in answer[section] if name in guest[section]
        }
    for section in (answer.keys() - guest.keys()) | {*surface.RECORDED, "remote_desktop"}:
        guest[section] = answer[section]
    path.write_text(json.dumps(bundle, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write()
    _complete_the_fixture()
