"""The safety rules of planning: what runs by itself, what waits for a person, and what is refused."""

from datetime import timedelta

import pytest

from rdp_remediate.facts.accounts import ATTACK_FAILURES
from rdp_remediate.models.plan import Risk
from rdp_remediate.planning import History
from tests import factories as f
from tests.factories import Change, hide
from tests.fault_cases import BY_FAULT
from tests.planned import (
    DEALLOCATE,
    NO_RULE,
    PERSON,
    PERSON_SID,
    RULE_WRITE,
    STOPPED,
    SYSTEM_SID,
    only_step,
    planned,
    refusal_codes,
    why_it_waits,
)

REMEDY = {
    "vm-deallocated": "approval",
    "vm-stopped-allocated": "approval",
    "agent-not-ready": "by_hand",
    "public-ip-standard-no-nsg": "by_hand",
    "no-public-ip": "by_hand",
    "client-wrong-port": "by_hand",
    "edge-caller-ip-not-allowed": "safe",
    "nsg-no-allow-rule": "safe",
    "nsg-explicit-deny-wins": "approval",
    "nsg-second-layer-deny": "safe",
    "jit-closed": "approval",
    "rdp-disabled-local": "safe",
    "rdp-disabled-policy": "policy_owned",
    "termservice-stopped": "safe",
    "termservice-disabled": "safe",
    "rdp-port-unmatched": "approval",
    "fw-rdp-rule-disabled": "safe",
    "fw-block-all-inbound": "approval",
    "fw-gpo-enforced-block": "policy_owned",
}


@pytest.mark.parametrize("fault", BY_FAULT)
def test_each_fault_has_its_remedy(fault: str) -> None:
    made = planned(*BY_FAULT[fault].changes)
    if made.steps:
        waits = all(step.approval for step in made.steps)
        assert REMEDY[fault] == ("approval" if waits else "safe")
        assert {one for step in made.steps for one in step.faults} == {fault}
        assert len({step.step_id for step in made.steps}) == len(made.steps)
        for step in made.steps:
            assert step.title
            assert step.postcondition
            assert step.permissions
    else:
        assert refusal_codes(made) == [REMEDY[fault]]
        assert made.refusals[0].why


def test_steps_come_inside_out_and_the_network_last() -> None:
    made = planned(
        f.silent,
        f.listens(),
        f.service("Stopped", "Disabled"),
        f.registry(f.DENY_LOCAL, 1),
        f.firewall_rule("RemoteDesktop-UserMode-In-TCP", enabled=False),
        f.security_rules(f.NIC_NSG),
        f.security_rules(f.SUBNET_NSG),
    )
    assert [step.kind for step in made.steps] == [
        "service_start",
        "service_state",
        "registry",
        "firewall_rule",
        "security_rule",
        "security_rule",
    ]
    assert [step.target["nsg_id"].lower() for step in made.steps[-2:]] == [f.NIC_NSG.lower(), f.SUBNET_NSG.lower()]
    assert not any(step.approval for step in made.steps)


def test_a_guest_step_holds_what_it_expects_and_its_inverse() -> None:
    step = only_step(planned(*BY_FAULT["rdp-disabled-local"].changes))
    assert (step.target, step.expected, step.desired, step.undoable) == ({"path": f.DENY_LOCAL}, 1, 0, True)


# Deliberate closing


@pytest.mark.parametrize(
    ("changes", "waits"),
    [
        ((f.guest_change("service_state", "TermService", timedelta(days=2), "stopped", PERSON_SID),), True),
        ((f.guest_change("service_start_type", "TermService", timedelta(days=2), "disabled", PERSON_SID),), True),
        ((f.guest_change("service_state", "TermService", timedelta(days=8), "stopped", PERSON_SID),), False),
        ((f.guest_change("service_state", "TermService", timedelta(days=2), "stopped", SYSTEM_SID),), False),
        ((f.guest_change("service_state", "TermService", timedelta(days=2), "stopped"),), False),
        ((f.guest_change("service_state", "TermService", timedelta(days=2), "running", PERSON_SID),), False),
        ((f.guest_change("service_start_type", "TermService", timedelta(days=2), "auto start", PERSON_SID),), False),
        ((f.guest_change("service_state", "Spooler", timedelta(days=2), "stopped", PERSON_SID),), False),
        ((f.guest_change("firewall_rule", "Corp-RDP", timedelta(days=2), "off", PERSON_SID),), False),
    ],
    ids=[
        "a person stopped it",
        "a person disabled it",
        "too long ago",
        "SYSTEM is no author",
        "no author",
        "a start is no closing",
        "an opening start type",
        "another service",
        "another kind of change",
    ],
)
def test_a_service_that_a_person_stopped_is_not_started_unattended(changes: tuple[Change, ...], waits: bool) -> None:
    asks = why_it_waits(*STOPPED, *changes)
    assert (asks is not None) is waits
    if waits:
        assert PERSON_SID in (asks or "")


def test_a_firewall_change_by_a_person_makes_the_firewall_step_wait() -> None:
    asks = why_it_waits(
        *BY_FAULT["fw-rdp-rule-disabled"].changes,
        f.guest_change("firewall_rule", "RemoteDesktop-UserMode-In-TCP", timedelta(days=1), "off", PERSON_SID),
    )
    assert asks
    assert "on purpose" in asks


@pytest.mark.parametrize(
    ("change", "waits"),
    [
        (f.activity(RULE_WRITE, f"{f.NIC_NSG}/securityRules/Old", PERSON, timedelta(days=1)), True),
        (f.activity("Microsoft.Network/networkSecurityGroups/write", f.NIC_NSG, PERSON, timedelta(days=1)), True),
        (f.activity(RULE_WRITE, f"{f.NIC_NSG}/securityRules/Old", PERSON, timedelta(days=7, hours=1)), False),
        (f.activity(RULE_WRITE, f"{f.NIC_NSG}2/securityRules/Old", PERSON, timedelta(days=1)), False),
        (f.activity("Microsoft.Network/publicIPAddresses/write", f.PUBLIC_IP, PERSON, timedelta(days=1)), False),
    ],
    ids=["a rule", "the group", "too long ago", "an NSG whose name begins alike", "no closing"],
)
def test_an_nsg_that_a_person_changed_is_not_opened_unattended(change: Change, waits: bool) -> None:
    asks = why_it_waits(*NO_RULE, change)
    assert (asks is not None) is waits
    assert not waits or PERSON in (asks or "")


def test_our_own_writes_are_no_authors() -> None:
    own = "44444444-2222-3333-4444-555555555555"
    ours = f.activity(RULE_WRITE, f"{f.NIC_NSG}/securityRules/x", own, timedelta(hours=1))
    assert why_it_waits(*NO_RULE, ours)
    assert why_it_waits(*NO_RULE, ours, f.policy(own_principal_ids=[own.replace("-", "").upper()])) is None


def test_an_isolation_tag_or_nsg_makes_everything_wait() -> None:
    tag = (f.tag("Isolation", "INC-1"), f.policy(isolation_tags=["isolation"]))
    nsg = (f.policy(isolation_nsgs=[f.SUBNET_NSG.upper()]),)
    for fault in ("termservice-stopped", "rdp-disabled-local", "nsg-no-allow-rule", "fw-rdp-rule-disabled"):
        changes = BY_FAULT[fault].changes
        assert why_it_waits(*changes) is None
        assert "isolation tag" in (why_it_waits(*changes, *tag) or "")
        assert "isolation NSG" in (why_it_waits(*changes, *nsg) or "")
    assert why_it_waits(*STOPPED, f.policy(isolation_nsgs=[f"{f.GROUP}/other"])) is None


@pytest.mark.parametrize(("apart", "waits"), [(29, True), (31, False)])
def test_two_closings_of_different_kinds_close_together_are_a_quarantine(apart: int, waits: bool) -> None:
    asks = why_it_waits(
        *STOPPED,
        f.guest_change("service_state", "TermService", timedelta(hours=5), "stopped"),
        f.guest_change("firewall_rule", "X", timedelta(hours=5) + timedelta(minutes=apart), "off"),
    )
    assert (asks is not None) is waits


def test_two_closings_of_one_kind_are_none() -> None:
    twice = (
        f.guest_change("service_state", "TermService", timedelta(hours=5), "stopped"),
        f.guest_change("service_start_type", "TermService", timedelta(hours=5), "disabled"),
    )
    assert why_it_waits(*STOPPED, *twice) is None


def test_another_vm_that_was_stopped_is_no_part_of_a_quarantine() -> None:
    closing = f.guest_change("service_state", "TermService", timedelta(hours=5), "stopped")
    other = f.activity(DEALLOCATE, f"{f.VM}2", PERSON, timedelta(hours=5))
    mine = f.activity(DEALLOCATE, f.VM, PERSON, timedelta(hours=5))
    assert why_it_waits(*STOPPED, closing, other) is None
    assert "quarantine" in (why_it_waits(*STOPPED, closing, mine) or "")


def test_unread_logs_wait_because_unseen_is_not_absent() -> None:
    assert "could not be read" in (why_it_waits(*STOPPED, hide("changes")) or "")
    assert "could not be read" in (why_it_waits(*STOPPED, hide("guest.changes")) or "")


def test_an_unknown_author_asks_only_where_the_installation_wants_it() -> None:
    assert why_it_waits(*STOPPED, f.policy(unknown_author="act")) is None
    assert "author unknown" in (why_it_waits(*STOPPED, f.policy(unknown_author="ask")) or "")


# Attack and exposure


@pytest.mark.parametrize("fault", ["termservice-stopped", "nsg-no-allow-rule", "rdp-disabled-local"])
def test_nothing_opens_unattended_while_a_brute_force_is_possible(fault: str) -> None:
    changes = BY_FAULT[fault].changes
    assert why_it_waits(*changes, f.failed_sign_ins(ATTACK_FAILURES - 1)) is None
    assert "brute force" in (why_it_waits(*changes, f.failed_sign_ins(ATTACK_FAILURES)) or "")
    assert "could not be counted" in (why_it_waits(*changes, hide("guest.sign_ins")) or "")


OPEN_TO_ALL = (
    f.security_rules(f.NIC_NSG, f.rule("Allow-Any", 300, source="*")),
    f.security_rules(f.SUBNET_NSG, f.rule("Allow-Any", 300, source="*")),
)


@pytest.mark.parametrize("fault", ["termservice-stopped", "rdp-disabled-local", "fw-rdp-rule-disabled"])
def test_letting_windows_answer_behind_an_open_door_is_exposing(fault: str) -> None:
    narrow, step = planned(*BY_FAULT[fault].changes, *OPEN_TO_ALL).steps
    assert narrow.kind == "narrow_nsg_rule", "the door is closed before Windows answers behind it"
    assert step.risk is Risk.EXPOSING
    assert "Allow-Any" in (step.approval or "")
    _, allowed = planned(*BY_FAULT[fault].changes, *OPEN_TO_ALL, f.policy(auto_risks=["exposing"])).steps
    assert allowed.risk is Risk.EXPOSING
    assert allowed.approval is None


def test_unclear_rules_count_as_exposing() -> None:
    step = only_step(
        planned(
            *STOPPED,
            f.detached(f.SUBNET_NSG),
            hide("resource", f.NIC_NSG),
            hide("effective_security_rules", f.NIC),
        )
    )
    assert step.risk is Risk.EXPOSING
    assert step.approval


def test_a_wide_source_that_is_configured_is_not_exposing() -> None:
    assert only_step(planned(*STOPPED, f.policy(sources=["203.0.112.0/23"]))).risk is Risk.SAFE
    assert only_step(planned(*STOPPED, f.policy(sources=["203.0.113.0/25"]))).risk is Risk.EXPOSING


def test_leave_for_disruptive_steps_is_no_leave_for_exposing_ones() -> None:
    changes = BY_FAULT["rdp-port-unmatched"].changes
    free = f.policy(auto_risks=["disruptive"])
    assert [step.approval for step in planned(*changes, free).steps] == [None, None]
    both = [step for step in planned(*changes, free, *OPEN_TO_ALL).steps if step.layer == "guest"]
    assert len(both) == 2
    assert all("exposing" in (step.approval or "") for step in both)


# Sessions, modes, risks


def test_a_restart_under_live_sessions_waits_and_names_them() -> None:
    changes = (*BY_FAULT["rdp-port-unmatched"].changes, f.policy(auto_risks=["disruptive"]))
    made = planned(*changes, f.session("CONTOSO\\ada", 3), f.session("CONTOSO\\bob", 2, "Disc"))
    restarting = [step for step in made.steps if step.group == "restart_term_service"]
    assert [step.kind for step in restarting] == ["registry", "service_restart"]
    for step in restarting:
        assert step.sessions == [2, 3]
        assert "CONTOSO\\ada" in (step.approval or "")
    assert all("could not be read" in (s.approval or "") for s in planned(*changes, hide("guest.sessions")).steps)
    assert all(step.sessions == [] for step in planned(*changes).steps)


def test_steps_that_drop_no_session_do_not_look_at_them() -> None:
    step = only_step(planned(*STOPPED, f.session("CONTOSO\\ada")))
    assert step.sessions is None
    assert step.approval is None


def test_in_mode_approve_a_person_decides_every_change() -> None:
    made = planned(*STOPPED, *NO_RULE, f.policy(mode="approve"))
    assert len(made.steps) == 2
    assert all("mode approve" in (step.approval or "") for step in made.steps)


def test_other_risks_wait_unless_they_are_listed() -> None:
    changes = BY_FAULT["rdp-port-unmatched"].changes
    assert all("disruptive" in (step.approval or "") for step in planned(*changes).steps)
    assert all(step.approval is None for step in planned(*changes, f.policy(auto_risks=["disruptive"])).steps)


ALL_RISKS = f.policy(auto_risks=["disruptive", "exposing", "sensitive"])


@pytest.mark.parametrize(
    "fault", ["vm-deallocated", "vm-stopped-allocated", "jit-closed", "nsg-explicit-deny-wins", "fw-block-all-inbound"]
)
def test_some_steps_always_wait(fault: str) -> None:
    assert all(step.approval for step in planned(*BY_FAULT[fault].changes, ALL_RISKS).steps)


def test_a_schedule_or_automation_that_stopped_the_vm_is_refused_and_a_persons_stop_waits() -> None:
    off = f.powered("deallocated")
    robot = f.activity(DEALLOCATE, f.VM, "22222222-2222-3333-4444-555555555555", timedelta(hours=3), idtyp="app")
    made = planned(off, robot)
    assert made.steps == []
    assert refusal_codes(made) == ["by_design"]
    assert only_step(planned(off, f.activity(DEALLOCATE, f.VM, PERSON, timedelta(hours=3)))).approval


# Refusals


def test_a_domain_controller_is_left_alone_unless_tagged() -> None:
    controller = f.guest("os", "domain_role", value=5)
    made = planned(*STOPPED, controller)
    assert made.steps == []
    assert refusal_codes(made) == ["domain_controller"]
    tagged = f.policy(tags={"rdp-remediate-domain-controller": "allow"})
    assert only_step(planned(*STOPPED, controller, tagged)).kind == "service_state"
    assert refusal_codes(planned(*STOPPED, hide("guest.os"))) == ["unseen"]


def test_the_network_of_a_domain_controller_may_be_opened() -> None:
    assert only_step(planned(*NO_RULE, f.guest("os", "domain_role", value=4))).kind == "security_rule"


def test_what_group_policy_owns_is_refused_with_its_owner() -> None:
    for fault in ("rdp-disabled-policy", "fw-gpo-enforced-block"):
        refusal = planned(*BY_FAULT[fault].changes).refusals[0]
        assert (refusal.fault, refusal.code) == (fault, "policy_owned")
        assert "group policy" in (refusal.owner or "")


def test_a_fault_that_came_back_is_refused() -> None:
    made = planned(*STOPPED, history=History(done_fixes=frozenset({"start_term_service"})))
    assert made.steps == []
    assert refusal_codes(made) == ["came_back"]


def test_a_rule_that_was_opened_three_times_waits() -> None:
    name = str(only_step(planned(*NO_RULE)).target["name"])
    assert why_it_waits(*NO_RULE, history=History(reopenings=((name, 2),))) is None
    assert "3 times" in (why_it_waits(*NO_RULE, history=History(reopenings=((name, 3),))) or "")


def test_likely_causes_wait() -> None:
    asks = why_it_waits(*NO_RULE, hide("effective_admin_rules", f.VNET))
    assert "likely" in (asks or "")
    assert "admin rules could not be read" in (asks or "")
