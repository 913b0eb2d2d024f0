"""Repairs of the listener's private key on simulated Windows."""

import copy
from typing import Any

import pytest

from tests.guest.on_winps import collect, repair
from tests.winps import BASES, Winps

pytestmark = pytest.mark.slow

FOLDER = "C:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys"
CLOSED = "O:SYG:SYD:PAI(A;;FA;;;SY)(A;;FA;;;BA)"
ENTRY = "(A;;FR;;;NS)"


def _closed(winps: Winps, base: str = "server2022") -> tuple[dict[str, Any], str]:
    state = copy.deepcopy(winps.state(base))
    path = next(one for one in state["files"] if "\\f686" in one)
    state["files"][path]["sddl"] = CLOSED
    return state, path


def _step(path: str, expected: str, desired: str) -> dict[str, Any]:
    return {
        "id": "s1",
        "kind": "key_acl",
        "target": {"path": path},
        "expected": expected,
        "desired": desired,
        "group": "g",
    }


@pytest.mark.parametrize("base", BASES)
def test_network_service_is_let_read_one_key_and_kept_out_again(winps: Winps, base: str) -> None:
    state, path = _closed(winps, base)
    seen = collect(winps, state).answer["certificate"]
    assert (seen["key_acl"], seen["key_file"]) == (CLOSED, path)
    done = repair(winps, state, [_step(path, CLOSED, CLOSED + ENTRY)])
    assert done.outcomes == ["applied"]
    assert done.state["files"][path]["sddl"] == CLOSED + ENTRY
    assert done.answer["certificate"]["key_acl"] is None
    again = repair(winps, done.state, [_step(path, CLOSED, CLOSED + ENTRY)])
    assert again.outcomes == ["already_true"]
    undone = repair(winps, done.state, [_step(path, CLOSED + ENTRY, CLOSED)])
    assert undone.outcomes == ["applied"]
    assert undone.state["files"][path]["sddl"] == CLOSED


def test_nothing_else_is_written(winps: Winps) -> None:
    state, path = _closed(winps)
    open_to_all = f"{CLOSED}(A;;FA;;;WD)"
    other = "C:\\ProgramData\\other"
    state["files"][other] = {"type": "file", "text": "x", "sddl": CLOSED}
    steps = [_step(path, CLOSED, open_to_all), _step(other, CLOSED, CLOSED + ENTRY) | {"id": "s2", "group": "h"}]
    assert repair(winps, state, steps).outcomes == ["refused", "refused"]


def test_the_folder_of_keys_gets_its_usual_entry_back(winps: Winps) -> None:
    state = copy.deepcopy(winps.state("server2022"))
    state["files"][FOLDER]["sddl"] = CLOSED
    entry = "(A;;0x12019f;;;WD)"
    done = repair(winps, state, [_step("MachineKeys", CLOSED, CLOSED + entry)])
    assert done.outcomes == ["applied"]
    assert done.state["files"][FOLDER]["sddl"] == CLOSED + entry
    undone = repair(winps, done.state, [_step("MachineKeys", CLOSED + entry, CLOSED)])
    assert undone.state["files"][FOLDER]["sddl"] == CLOSED
    assert repair(winps, state, [_step("MachineKeys", CLOSED, f"{CLOSED}(A;;FA;;;WD)")]).outcomes == ["refused"]
