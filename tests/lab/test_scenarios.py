"""Scenario files: what is accepted, how they combine, and what the world makes of them."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.errors import UsageError
from rdp_remediate.lab.build import build_world
from rdp_remediate.lab.guests.modelled import ModelledGuest
from rdp_remediate.lab.names import Names
from rdp_remediate.lab.scenario import Scenario, built_in, by_name, combine, load, parse
from rdp_remediate.lab.world import World
from tests.lab.fake_guest import FakeGuest

THE_FAULTS = {
    "vm-deallocated", "vm-stopped-allocated", "agent-not-ready", "public-ip-standard-no-nsg", "no-public-ip",
    "client-wrong-port", "edge-caller-ip-not-allowed", "nsg-no-allow-rule", "nsg-explicit-deny-wins",
    "nsg-second-layer-deny", "jit-closed", "rdp-disabled-local", "rdp-disabled-policy", "termservice-stopped",
    "termservice-disabled", "rdp-port-unmatched", "fw-rdp-rule-disabled", "fw-block-all-inbound",
    "fw-gpo-enforced-block",
}  # fmt: skip


def minimal(**more: Any) -> dict[str, Any]:
    return {
        "schema": "rdp-remediate/scenario/1",
        "name": "n",
        "title": "t",
        "ask": {"client": "203.0.113.7"},
        "expect": {"status": ["reachable"]},
        **more,
    }


def whole_state(world: World) -> str:
    return json.dumps(
        [
            world.resources, world.instance_views, world.guests, world.health, world.annotations, world.activity,
            world.jit_policies, world.locks, world.admin_rules, world.boot_log,
        ]
    )  # fmt: skip


def test_every_fault_of_the_first_issue_has_a_scenario() -> None:
    names = set(built_in())
    assert names >= THE_FAULTS | {"healthy", "quarantined"}
    for name, scenario in built_in().items():
        if name in THE_FAULTS:
            assert scenario.expect.causes == [name]
            assert set(scenario.expect.remedy) == {name}


@pytest.mark.parametrize("name", sorted(built_in()))
def test_a_built_in_scenario_plays_on_the_modelled_guest_and_names_no_fault(name: str) -> None:
    scenario = built_in()[name]
    world = build_world(scenario, ModelledGuest())
    text = whole_state(world)
    for fault in THE_FAULTS | set(scenario.expect.not_causes) | set(scenario.expect.may_also):
        assert fault not in text
        assert fault not in scenario.title


@pytest.mark.parametrize("file", ["guest_auth", "guest_firewall", "guest_network", "guest_os", "guest_rdp_service",
                                  "platform", "compound", "traps"])  # fmt: skip
def test_every_scenario_of_the_vectors_is_accepted(vectors: Path, file: str) -> None:
    scenarios = load(vectors / f"{file}.json")
    assert len(scenarios) > 20
    for scenario in scenarios:
        arm_only = scenario.model_copy(update={"guest": []})  # the echoing guest has no Windows to change
        world = build_world(arm_only, FakeGuest())
        assert "{vm}" not in whole_state(world)
        assert "{private_ip}" not in whole_state(world)


def test_times_move_with_now() -> None:
    world = build_world(by_name("vm-deallocated-by-person"), FakeGuest())
    event = datetime.fromisoformat(world.activity[0]["eventTimestamp"])
    ago = datetime.now(UTC) - event
    assert timedelta(hours=2, minutes=59) < ago < timedelta(hours=3, minutes=1)
    guest_now = datetime.fromisoformat(world.guests[world.vm_id.lower()]["now"])
    assert abs(datetime.now(UTC) - guest_now) < timedelta(seconds=5)
    assert world.annotations[0]["occurredTime"] == world.activity[0]["eventTimestamp"]


def test_three_faults_combine_with_causes_in_path_order() -> None:
    scenario = by_name("fw-rdp-rule-disabled+nsg-second-layer-deny+nsg-no-allow-rule")
    assert scenario.expect.causes == ["nsg-second-layer-deny", "nsg-no-allow-rule", "fw-rdp-rule-disabled"]
    assert scenario.expect.status == ["broken"]
    assert scenario.expect.hop == "network"
    assert scenario.expect.after_auto == "reachable"
    assert scenario.expect.changes_in_auto == 4
    world = build_world(scenario, ModelledGuest())
    names = [r["name"] for role in ("nic_nsg", "subnet_nsg") for r in _rules(world, role)]
    assert names == ["Allow-HTTPS", "Allow-Web"]


def _rules(world: World, role: str) -> list[dict[str, Any]]:
    group = world.find(world.names.role_ids[role])
    assert group is not None
    return list(group["properties"]["securityRules"])


def test_a_vm_that_is_off_comes_first() -> None:
    scenario = by_name("nsg-no-allow-rule+vm-deallocated")
    assert scenario.expect.causes == ["vm-deallocated", "nsg-no-allow-rule"]
    assert scenario.expect.hop == "platform"
    assert not scenario.guest_readable


@pytest.mark.parametrize(
    "expression",
    [
        "vm-deallocated+vm-stopped-allocated",  # two power states
        "rdp-disabled-policy+fw-rdp-rule-disabled",  # two bases
        "nsg-no-allow-rule+edge-caller-ip-not-allowed",  # one removes what the other changes
        "healthy+nothing-such",
    ],
)
def test_contradictions_are_usage_errors(expression: str) -> None:
    with pytest.raises(UsageError):
        by_name(expression)


def test_equal_values_for_one_path_agree() -> None:
    one = parse(minimal(guest=[{"path": ["os", "x"], "value": 1}]), "a")
    assert len(combine([one, one]).guest) == 2
    other = parse(minimal(guest=[{"path": ["OS", "X"], "value": 2}]), "b")
    with pytest.raises(UsageError, match="both change guest / os / x"):
        combine([one, other])
    with pytest.raises(UsageError):
        combine([])


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ([], "JSON object"),
        ({"schema": "rdp-remediate/scenario/2"}, "only rdp-remediate/scenario/1"),
        (minimal(title=""), "title"),
        (minimal(ask={"client": "203.0.113.7", "dialled_port": "soon"}), "ask.dialled_port"),
        (minimal(arm={"disk": []}), "arm.disk is no role"),
        (minimal(guest=[{"path": ["a"]}]), "an operation needs a path"),
        (minimal(guest=[{"path": ["a"], "value": 1, "remove": True}]), "an operation needs a path"),
        (minimal(policy={"mode": "yolo"}), "policy.mode"),
    ],
)
def test_a_bad_file_is_refused_with_its_reason(document: Any, text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(text)):
        parse(document, "file.json")


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path / "none.json")
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(UsageError, match="is no JSON"):
        load(broken)
    one = tmp_path / "one.json"
    one.write_text(json.dumps(minimal()))
    assert [s.name for s in load(one)] == ["n"]


def test_a_lock_of_the_file_falls_on_the_target_group() -> None:
    lock = {
        "name": "freeze",
        "type": "Microsoft.Authorization/locks",
        "id": "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-x/providers/"
        "Microsoft.Authorization/locks/freeze",
        "properties": {"level": "ReadOnly"},
    }
    world = build_world(_with(operations={"locks": {"value": [lock]}}), FakeGuest(), Names(resource_group="prod"))
    assert world.locks[0]["id"].startswith(f"{world.names.group_id}/providers/")


def test_extra_machines_keep_their_instance_view_apart() -> None:
    rid = "{subscription}/resourceGroups/rg-dc/providers/Microsoft.Compute/virtualMachines/dc1"
    extra = {
        "id": rid,
        "name": "dc1",
        "type": "Microsoft.Compute/virtualMachines",
        "location": "westeurope",
        "properties": {"instanceView": {"statuses": [{"code": "PowerState/deallocated"}]}},
    }
    world = build_world(_with(extra=[extra]), FakeGuest())
    dc1 = f"{world.names.subscription_id}/resourceGroups/rg-dc/providers/Microsoft.Compute/virtualMachines/dc1"
    assert world.power_state(dc1) == "deallocated"
    assert "instanceView" not in (world.find(dc1) or {})["properties"]


def _with(**more: Any) -> Scenario:
    return parse(minimal(**more), "test")


@pytest.mark.parametrize(
    ("client", "policy", "source"),
    [
        ("203.0.113.7", None, "203.0.113.0/24"),
        ("2001:db8::7", None, "2001:db8::/64"),
        ("203.0.113.7", {"sources": ["10.8.0.0/16"]}, "10.8.0.0/16"),
    ],
)
def test_the_base_admits_the_configured_sources(client: str, policy: Any, source: str) -> None:
    scenario = _with(ask={"client": client}, **({"policy": policy} if policy else {}))
    world = build_world(scenario, FakeGuest())
    for role in ("nic_nsg", "subnet_nsg"):
        assert [r["properties"]["sourceAddressPrefix"] for r in _rules(world, role)] == [source]
