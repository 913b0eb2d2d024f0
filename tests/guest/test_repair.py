"""repair.ps1 on simulated Windows: it repairs, repeats without a change, can be undone exactly, and refuses."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from rdp_remediate.guest.protocol import decode_answer, encode_request
from rdp_remediate.guest.scripts import repair_script
from rdp_remediate.ports import GuestRequest
from tests.guest.on_winps import (
    FWP,
    POL,
    RECORD,
    RT,
    RULE,
    TS,
    Op,
    Step,
    changes_but_record,
    collect,
    comparable,
    repair,
    set_,
    step,
    undo_of,
)
from tests.winps import BASES, Winps, vectors

TERM = {"service": "TermService"}
DENY = {"path": "TS\\fDenyTSConnections"}
PORT = {"path": "RT\\PortNumber"}
PROFILE = {"profile": "Public", "setting": "allow_inbound_rules"}


@dataclass(frozen=True)
class Case:
    """What is broken, the steps that repair it, and what they may touch."""

    name: str
    ops: list[Op]
    steps: list[Step]
    touched: list[tuple[str, str]]


STOPPED = set_("Stopped", "services", "TermService", "state")
DEPENDENT_STOPPED = set_("Stopped", "services", "UmRdpService", "state")  # it cannot run without TermService
DISABLED = set_("Disabled", "services", "TermService", "start_type")
DENIED = set_(["DWord", 1], "registry", TS, "fDenyTSConnections")
RULE_OFF = set_(False, "firewall", "rules", {"name": RULE}, "enabled")
SHIELDED = set_(False, "firewall", "profiles", "Public", "allow_inbound_rules")

CASES = [
    Case("denied", [DENIED], [step("registry", DENY, 1, 0)], [("registry.set", f"{TS}\\fDenyTSConnections")]),
    Case(
        "absent value",
        [{"path": ["registry", TS, "TSEnabled"], "remove": True}],
        [step("registry", {"path": "TS\\TSEnabled"}, None, 1)],
        [("registry.set", f"{TS}\\TSEnabled")],
    ),
    Case(
        "large value",
        [set_(["DWord", 1], "registry", RT, "MaxInstanceCount")],
        [step("registry", {"path": "RT\\MaxInstanceCount"}, 1, 0xFFFFFFFF)],
        [("registry.set", f"{RT}\\MaxInstanceCount")],
    ),
    Case(
        "stopped",
        [STOPPED, DEPENDENT_STOPPED],
        [step("service_state", TERM, "Stopped", "Running")],
        [("service.start", "TermService")],
    ),
    Case(
        "disabled",
        [STOPPED, DEPENDENT_STOPPED, DISABLED],
        [
            step("service_start", TERM, "Disabled", "Manual"),
            step("service_state", TERM, "Stopped", "Running", id="g2"),
        ],
        [("service.set", "TermService"), ("service.start", "TermService")],
    ),
    Case(
        "rule off",
        [RULE_OFF],
        [step("firewall_rule", {"rule": RULE}, False, True)],
        [("firewall.rule.set", RULE)],
    ),
    Case(
        "shielded",
        [SHIELDED],
        [step("firewall_profile", PROFILE, False, True)],
        [("firewall.profile.set", "Public")],
    ),
]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_repair_repeat_and_undo(winps: Winps, base: str, case: Case) -> None:
    before = winps.prepare(base, case.ops)

    repaired = repair(winps, before, case.steps)
    assert repaired.outcomes == ["applied"] * len(case.steps)
    assert changes_but_record(repaired) == case.touched
    for one, outcome in zip(case.steps, repaired.answer["repair"]["steps"], strict=True):
        assert (outcome["before"], outcome["after"]) == (one["expected"], one["desired"])

    again = repair(winps, repaired.state, case.steps)
    assert again.outcomes == ["already_true"] * len(case.steps)
    assert again.mutations == []

    undone = repair(winps, repaired.state, undo_of(case.steps))
    assert undone.outcomes == ["applied"] * len(case.steps)
    assert comparable(undone.state) == comparable(before)


@pytest.mark.parametrize(
    ("ops", "steps"),
    [(case.ops, case.steps) for case in CASES if case.name in ("denied", "stopped", "disabled")],
    ids=["denied", "stopped", "disabled"],
)
def test_answer_of_a_repair_is_what_the_collector_then_sees(winps: Winps, ops: list[Op], steps: list[Step]) -> None:
    broken = {"base": "server2022", "ops": ops}
    assert collect(winps, broken).answer["listener"]["rows"] == []
    repaired = repair(winps, broken, steps)
    seen = collect(winps, repaired.state).answer
    assert seen["self_probe"]["x224"] == "answered"
    for section in seen.keys() - {"collected_at", "script_ms"}:
        assert repaired.answer[section] == seen[section]


def test_port_is_moved_back_with_one_restart(winps: Winps) -> None:
    before = winps.prepare("server2022", [set_(["DWord", 3390], "registry", RT, "PortNumber")])
    pid = before["services"]["TermService"]["pid"]
    steps = [
        step("registry", PORT, 3390, 3389),
        step("service_restart", TERM, pid, None, id="g2", sessions=[]),
        step("service_restart", TERM, pid, None, id="g3", group="b"),
    ]
    ran = repair(winps, before, steps)
    assert ran.outcomes == ["applied", "applied", "refused"]
    restarted = ran.answer["repair"]["steps"][1]
    assert restarted["before"] == pid
    assert restarted["after"] == ran.answer["services"]["TermService"]["pid"] != pid
    assert {row["port"] for row in ran.answer["listener"]["rows"]} == {3389}
    assert ran.answer["services"]["UmRdpService"]["state"] == "Running"
    repeated = repair(winps, ran.state, steps[:2])
    assert repeated.outcomes == ["already_true", "stale"]
    assert changes_but_record(repeated) == []


def test_several_groups_in_one_request(winps: Winps) -> None:
    ops = [STOPPED, DEPENDENT_STOPPED, DISABLED, DENIED, RULE_OFF, SHIELDED]
    steps = [
        step("service_start", TERM, "Disabled", "Manual", id="g1"),
        step("service_state", TERM, "Stopped", "Running", id="g2"),
        step("registry", DENY, 1, 0, id="g3", group="b"),
        step("firewall_rule", {"rule": RULE}, False, True, id="g4", group="c"),
        step("firewall_profile", PROFILE, False, True, id="g5", group="d"),
    ]
    before = winps.prepare("server2022-de", ops)
    ran = repair(winps, before, steps)
    assert ran.outcomes == ["applied"] * 5
    assert ran.answer["self_probe"]["x224"] == "answered"
    undone = repair(winps, ran.state, undo_of(steps))
    assert undone.outcomes == ["applied"] * 5
    assert comparable(undone.state) == comparable(before)


def test_value_that_changed_meanwhile_is_stale(winps: Winps) -> None:
    broken = winps.prepare("server2022", [set_(["DWord", 1], "registry", TS, "TSServerDrainMode"), DENIED])
    steps = [
        step("registry", DENY, 1, 0, id="g1"),
        step("registry", {"path": "TS\\TSServerDrainMode"}, 2, 0, id="g2"),
        step("registry", {"path": "TS\\TSUserEnabled"}, 1, 0, id="g3"),
        step("registry", {"path": "TS\\TSEnabled"}, 1, 1, id="g4", group="b"),
    ]
    ran = repair(winps, broken, steps)
    assert ran.outcomes == ["undone", "stale", "not_started", "already_true"]
    assert ran.answer["repair"]["steps"][1]["after"] == 1
    assert comparable(ran.state) == comparable(broken)


@pytest.mark.parametrize("kind", [["String", "1"], ["QWord", 2]])
def test_value_of_another_kind_is_stale(winps: Winps, kind: list[Any]) -> None:
    ran = repair(
        winps,
        {"base": "server2022", "ops": [set_(kind, "registry", TS, "fDenyTSConnections")]},
        [step("registry", DENY, 1, 0)],
    )
    assert ran.outcomes == ["stale"]
    assert ran.mutations == []


def test_changed_sessions_make_a_step_stale(winps: Winps) -> None:
    person = {"id": 2, "name": "rdp-tcp#4", "user": "alice", "state": "Active"}
    state = winps.prepare("server2022", [{"path": ["sessions"], "append": person}])
    pid = state["services"]["TermService"]["pid"]
    for seen in ([], [3], [2, 3]):
        ran = repair(winps, state, [step("service_restart", TERM, pid, None, sessions=seen)])
        assert ran.outcomes == ["stale"]
        assert ran.mutations == []
    assert repair(winps, state, [step("service_restart", TERM, pid, None, sessions=[2])]).outcomes == ["applied"]


def test_service_that_does_not_start_leaves_everything_as_it_was(winps: Winps) -> None:
    broken = winps.prepare(
        "server2022",
        [STOPPED, DEPENDENT_STOPPED, DISABLED, set_({"error": 1053}, "services", "TermService", "start_result")],
    )
    steps = [
        step("service_start", TERM, "Disabled", "Manual", id="g1"),
        step("service_state", TERM, "Stopped", "Running", id="g2"),
        step("firewall_rule", {"rule": RULE}, True, True, id="g3"),
    ]
    ran = repair(winps, broken, steps)
    assert ran.outcomes == ["undone", "failed", "not_started"]
    assert ran.answer["repair"]["steps"][1]["detail"]
    after = comparable(ran.state)
    after["services"]["TermService"]["exit_code"] = 0  # Windows keeps the error of the attempt
    assert after == comparable(broken)


def test_nothing_starts_past_the_deadline(winps: Winps) -> None:
    ran = repair(winps, {"base": "server2022", "ops": [DENIED]}, [step("registry", DENY, 1, 0)], deadline_s=0)
    assert ran.outcomes == ["not_started"]
    assert ran.mutations == []


@pytest.mark.parametrize("role", [4, 5])
def test_domain_controller_is_left_alone_unless_allowed(winps: Winps, role: int) -> None:
    controller = {
        "base": "server2022-domain",
        "ops": [DENIED, set_(role, "os", "domain_role"), set_(2, "os", "product_type")],
    }
    steps = [step("registry", DENY, 1, 0), step("firewall_rule", {"rule": RULE}, True, True, id="g2", group="b")]
    refused = repair(winps, controller, steps)
    assert refused.outcomes == ["refused", "refused"]
    assert refused.mutations == []
    assert refused.answer["os"]["domain_role"] == role
    assert repair(winps, controller, steps, allow_domain_controller=True).outcomes == ["applied", "already_true"]


REFUSED = [
    step("registry", {"path": "POL\\fDenyTSConnections"}, 1, 0),
    step("registry", {"path": "SCH\\Protocols\\TLS 1.2\\Server\\Enabled"}, 0, 1),
    step("registry", {"path": "RT\\UserAuthentication"}, 1, 0),
    step("registry", {"path": "TS\\..\\Lsa\\x"}, None, 1),
    step("registry", DENY, 1, "0"),
    step("registry", DENY, 1, True),
    step("registry", PORT, 3389, -1),
    step("service_state", {"service": "Spooler"}, "Running", "Stopped"),
    step("service_state", {"service": "TermService' OR Name='Spooler"}, "Running", "Stopped"),
    step("service_state", TERM, "Running", "Paused"),
    step("service_start", TERM, "Manual", "System"),
    step("service_restart", {"service": "Netlogon"}, 1, None),
    step("firewall_rule", {"rule": "RemoteDesktop-Shadow-In-TCP"}, True, False),
    step("firewall_rule", {"rule": "*"}, True, False),
    step("firewall_rule", {"rule": RULE}, True, "False"),
    step("firewall_profile", {"profile": "Public", "setting": "enabled"}, True, False),
    step("firewall_profile", {"profile": "*", "setting": "allow_inbound_rules"}, True, False),
    step("run_script", {"text": "Restart-Computer"}, None, 1),
]


def test_everything_outside_the_tables_is_refused(winps: Winps) -> None:
    steps = [{**one, "id": f"g{n}", "group": f"{n}"} for n, one in enumerate(REFUSED)]
    for some in (steps[:9], steps[9:]):
        ran = repair(winps, winps.state("server2022"), some)
        assert ran.outcomes == ["refused"] * len(some)
        assert ran.mutations == []


def test_what_a_policy_decides_is_refused(winps: Winps) -> None:
    denied = set_(["DWord", 1], "registry", POL, "fDenyTSConnections")
    shielded = set_(["DWord", 1], "registry", f"{FWP}\\PublicProfile", "DoNotAllowExceptions")
    steps = [
        step("registry", DENY, 1, 0),
        step("firewall_profile", PROFILE, False, True, id="g2", group="b"),
    ]
    ran = repair(winps, {"base": "server2022", "ops": [DENIED, denied, shielded]}, steps)
    assert ran.outcomes == ["refused", "refused"]
    assert ran.mutations == []


def test_constrained_language_changes_nothing(winps: Winps) -> None:
    ran = repair(winps, {"base": "server2022", "ops": [DENIED]}, [step("registry", DENY, 1, 0)], constrained=True)
    assert ran.outcomes == ["refused"]
    assert ran.mutations == []
    assert ran.answer["registry"]["TS\\fDenyTSConnections"] == 1


def test_record_holds_the_before_value_and_only_administrators_read_it(winps: Winps) -> None:
    ran = repair(winps, {"base": "server2022", "ops": [DENIED]}, [step("registry", DENY, 1, 0)])
    files = ran.state["files"]
    assert files[RECORD]["sddl"] == "O:BAG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
    lines = [json.loads(line) for line in files[f"{RECORD}\\run-1.json"]["text"].splitlines()]
    assert [(one["event"], one["id"]) for one in lines] == [("before", "g1"), ("outcome", "g1")]
    assert (lines[0]["before"], lines[0]["desired"], lines[1]["outcome"]) == (1, 0, "applied")
    order = [one["target"].startswith(RECORD) for one in ran.mutations]
    assert order == [True, True, True, False, True]  # folder, its access list, before-value; the change; outcome


@pytest.mark.parametrize(
    "sddl",
    [
        "O:BAG:SYD:AI(A;OICIID;FA;;;SY)(A;CIID;DCLCRPCR;;;BU)",
        "O:S-1-5-21-1-2-3-1001D:PAI(A;OICI;FA;;;SY)",
    ],
)
def test_record_folder_of_somebody_else_stops_the_repair(winps: Winps, sddl: str) -> None:
    planted = set_({"type": "dir", "sddl": sddl}, "files", RECORD)
    ran = repair(winps, {"base": "server2022", "ops": [DENIED, planted]}, [step("registry", DENY, 1, 0)])
    assert ran.outcomes == ["failed"]
    assert ran.mutations == []


@pytest.mark.parametrize("request_", ["", "not*base64", "e30", "eyJzY2hlbWEiOiJvdGhlciJ9"])
def test_request_that_is_none_changes_nothing(winps: Winps, request_: str) -> None:
    state = winps.prepare("server2022", [DENIED])
    result = winps.run(repair_script(), state, {"Request": request_})
    answer = decode_answer(result["stdout"])
    assert isinstance(answer, dict)
    assert "repair" not in answer
    assert [entry["reason"] for entry in answer["unavailable"]] == ["malformed"]
    assert result["mutations"] == []


def test_run_id_is_no_path(winps: Winps) -> None:
    steps = [step("registry", DENY, 1, 0)]
    request = GuestRequest(run_id="..\\..\\x", script="repair", steps=steps)
    result = winps.run(repair_script(), {"base": "server2022", "ops": [DENIED]}, {"Request": encode_request(request)})
    answer = decode_answer(result["stdout"])
    assert isinstance(answer, dict)
    assert [one["outcome"] for one in answer["repair"]["steps"]] == ["refused"]
    assert result["mutations"] == []


SAFE = {
    "fw-rdp-rule-disabled": [step("firewall_rule", {"rule": RULE}, False, True)],
    "rdp-disabled-local": [step("registry", DENY, 1, 0)],
    "termservice-stopped": [step("service_state", TERM, "Stopped", "Running")],
    "termservice-disabled": [
        step("service_start", TERM, "Disabled", "Manual"),
        step("service_state", TERM, "Stopped", "Running", id="g2"),
    ],
}
SCENARIOS = [
    scenario
    for scenario in vectors("guest_firewall") + vectors("guest_rdp_service")
    if scenario["expect"]["kind"] == "fault" and scenario["expect"]["row"] in SAFE
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario["name"])
def test_scenarios_of_the_shared_vectors_are_repaired(winps: Winps, scenario: dict[str, Any]) -> None:
    steps = SAFE[scenario["expect"]["row"]]
    before = winps.prepare(scenario["base"], scenario["guest"])
    ran = repair(winps, before, steps)
    assert set(ran.outcomes) <= {"applied", "already_true"}
    assert "applied" in ran.outcomes
    assert ran.answer["self_probe"]["x224"] == "answered"
    again = repair(winps, ran.state, steps)
    assert again.mutations == []
