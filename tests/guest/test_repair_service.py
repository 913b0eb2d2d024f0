"""Steps on TermService, a session and the port's owner: they repair, repeat without a change, are undone, and refuse."""

from typing import Any

import pytest

from tests.guest.on_winps import Op, changes_but_record, comparable, repair, set_, step, undo_of
from tests.winps import Winps

pytestmark = pytest.mark.slow

TERM = {"service": "TermService"}
DOWN = [set_("Stopped", "services", "TermService", "state"), set_("Stopped", "services", "UmRdpService", "state")]
BASES = [
    "server2022",
    *(
        pytest.param(base, marks=pytest.mark.slow)
        for base in ("server2016", "server2022-de", "server2022-core", "server2022-domain", "win11")
    ),
]
UNDOABLE: list[tuple[str, list[Op], Any, Any]] = [
    (
        "service_account",
        [set_(".\\svc-rdp", "services", "TermService", "account"), *DOWN],
        ".\\svc-rdp",
        "NT AUTHORITY\\NetworkService",
    ),
    (
        "service_dependencies",
        [set_(["RPCSS", "TermDD2"], "services", "TermService", "depends_on"), *DOWN],
        "RPCSS/TermDD2",
        "RPCSS",
    ),
]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("case", UNDOABLE, ids=[case[0] for case in UNDOABLE])
def test_a_service_is_put_right_and_back(winps: Winps, base: str, case: tuple[str, list[Op], Any, Any]) -> None:
    kind, ops, before, after = case
    state = winps.prepare(base, ops)
    steps = [step(kind, TERM, before, after), step("service_state", TERM, "Stopped", "Running", id="g2")]
    repaired = repair(winps, state, steps)
    assert repaired.outcomes == ["applied", "applied"]
    assert changes_but_record(repaired) == [("service.set", "TermService"), ("service.start", "TermService")]
    assert repaired.answer["self_probe"]["x224"] == "answered"
    again = repair(winps, repaired.state, steps)
    assert (again.outcomes, again.mutations) == (["already_true"] * 2, [])
    undone = repair(winps, repaired.state, undo_of(steps))
    assert undone.outcomes == ["applied", "applied"]
    assert comparable(undone.state) == comparable(state)


def test_a_service_is_set_to_its_defaults_only(winps: Winps) -> None:
    state = winps.prepare("server2022", [set_("LocalSystem", "services", "TermService", "account")])
    asked = [
        step("service_account", TERM, "LocalSystem", ".\\other"),
        step("service_account", {"service": "Dhcp"}, "x", "NT AUTHORITY\\NetworkService", id="g2", group="b"),
        step("service_dependencies", {"service": "Dhcp"}, "x", "RPCSS", id="g3", group="c"),
        step("service_recovery", TERM, "Running", "Stopped", id="g4", group="d"),
    ]
    ran = repair(winps, state, asked)
    assert (ran.outcomes, ran.mutations) == (["refused"] * 4, [])


@pytest.mark.parametrize("base", BASES)
def test_a_hung_service_runs_again(winps: Winps, base: str) -> None:
    state = winps.prepare(base, [set_("StopPending", "services", "TermService", "state"), DOWN[1]])
    steps = [step("service_recovery", TERM, "StopPending", "Running")]
    ran = repair(winps, state, steps)
    assert ran.outcomes == ["applied"]
    assert ran.answer["self_probe"]["x224"] == "answered"
    assert repair(winps, ran.state, steps).outcomes == ["already_true"]


def test_a_hung_process_that_hosts_more_is_left_alone(winps: Winps) -> None:
    state = winps.prepare("server2022", [set_("StopPending", "services", "TermService", "state"), DOWN[1]])
    state["services"]["Dnscache"]["pid"] = state["services"]["TermService"]["pid"]
    ran = repair(winps, state, [step("service_recovery", TERM, "StopPending", "Running")])
    assert (ran.outcomes, ran.mutations) == (["refused"], [])


@pytest.mark.parametrize("base", BASES)
def test_only_the_disconnected_session_of_that_user_is_ended(winps: Winps, base: str) -> None:
    people = [
        {"path": ["sessions"], "append": {"id": 2, "name": "rdp-tcp#1", "user": "ada", "state": "Active"}},
        {"path": ["sessions"], "append": {"id": 3, "name": "", "user": "bob", "state": "Disc"}},
    ]
    state = winps.prepare(base, people)
    asked = [
        step("session", {"session_id": 2, "user": "ada"}, "Active", None, id="g1"),
        step("session", {"session_id": 3, "user": "carol"}, "Disc", None, id="g2", group="b"),
        step("session", {"session_id": 3, "user": "bob"}, "Disc", None, id="g3", group="c"),
    ]
    ran = repair(winps, state, asked)
    assert ran.outcomes == ["refused", "already_true", "applied"]
    assert changes_but_record(ran) == [("session.logoff", "3")]
    assert [one["user"] for one in ran.answer["sessions"] if one["user"]] == ["ada"]


def _taken(process: str, pid: int) -> list[Op]:
    row = {
        "local_address": "0.0.0.0",
        "local_port": 3389,
        "remote_address": "0.0.0.0",
        "remote_port": 0,
        "state": "Listen",
    }
    host = {
        "pid": pid,
        "name": process,
        "path": f"C:\\{process}.exe",
        "session_id": 0,
        "services": [],
        "working_set_mb": 9,
    }
    return [
        {"path": ["processes"], "append": {**host, "start_time": "2026-01-12T10:00:00Z"}},
        {"path": ["tcp"], "append": {**row, "pid": pid}},
    ]


@pytest.mark.parametrize("base", BASES)
def test_the_port_is_freed_and_taken(winps: Winps, base: str) -> None:
    state = winps.prepare(base, _taken("stunnel", 5120))
    pid = state["services"]["TermService"]["pid"]
    steps = [
        step("port_owner", {"port": 3389, "process": "stunnel"}, 5120, None),
        step("service_restart", TERM, pid, None, id="g2"),
    ]
    ran = repair(winps, state, steps)
    assert ran.outcomes == ["applied", "applied"]
    assert ran.answer["self_probe"]["x224"] == "answered"
    assert repair(winps, ran.state, steps[:1]).outcomes == ["already_true"]


@pytest.mark.parametrize(
    ("process", "planned"), [("svchost", "svchost"), ("WaAppAgent", "WaAppAgent"), ("other", "stunnel")]
)
def test_what_is_windows_own_or_another_program_keeps_the_port(winps: Winps, process: str, planned: str) -> None:
    state = winps.prepare("server2022", _taken(process, 5120))
    ran = repair(winps, state, [step("port_owner", {"port": 3389, "process": planned}, 5120, None)])
    assert (ran.outcomes, ran.mutations) == (["refused"], [])
