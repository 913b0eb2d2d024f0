"""Whatever a bundle holds, judgement ends with a verdict, and what can't be read never allows."""

import copy
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdp_remediate.facts.network import parse_network
from rdp_remediate.network.decision import Flow, Verdict
from rdp_remediate.network.entries import entries
from rdp_remediate.network.explain import explain
from rdp_remediate.network.exposure import admits_outside
from rdp_remediate.network.path import decide
from rdp_remediate.network.rule_plan import plan_rule
from rdp_remediate.network.rule_request import RuleRequest
from tests.network.arm_network import CLIENT, NIC_NSG, PUBLIC, VNET, bundle, facts, rule
from tests.network.strategies import thorough
from tests.network.vectors import flow_of, load, names

ODD: list[Any] = [None, "", "any", -1, 3.5, True, [], {}, [None], "\x00", "9" * 400, {"id": None}, ["a", 1, {}],
                  "203.0.113.0/99", "3400-3389"]  # fmt: skip


def ask(raw: Any, flow: Flow | None = None) -> Verdict:
    return decide(parse_network(raw), flow or Flow(CLIENT, PUBLIC)).verdict


@pytest.mark.parametrize(
    "broken",
    [
        {"source": None},
        {"source": "any"},
        {"destination": None},
        {"port": "3400-3000"},
        {"port": None},
        {"port": "rdp"},
        {"protocol": "Quic"},
        {"direction": "Sideways"},
        {"source": None, "sourceAddressPrefixes": [CLIENT, "2001:db8::1"]},
        {"source": "2001:db8::/32", "destination": "10.1.2.4"},
        {"source": {"prefix": "*"}},
        {"access": "Maybe"},
    ],
)
def test_malformed_rule_neither_admits_nor_is_ignored(broken: dict[str, Any]) -> None:
    fields = {key: value for key, value in broken.items() if key != "access"}
    one = rule("Broken", 100, broken.get("access", "Allow"), **fields)
    admitted = decide(facts(nic_rules=[one]), Flow(CLIENT, PUBLIC))
    assert admitted.verdict is not Verdict.ALLOW
    ignored = rule("Broken", 100, broken.get("access", "Deny"), **fields)
    network = facts(nic_rules=[ignored, rule("Open", 200)])
    assert decide(network, Flow(CLIENT, PUBLIC)).verdict is not Verdict.ALLOW
    assert network.notes


@pytest.mark.parametrize("priority", ["first", None, 99, 4097, 1.5, True, [100]])
def test_rule_without_a_valid_priority_may_stand_anywhere(priority: Any) -> None:
    deny = [rule("Broken", priority, "Deny"), rule("Open", 100)]
    assert decide(facts(nic_rules=deny), Flow(CLIENT, PUBLIC)).verdict is Verdict.INDETERMINATE
    allow = [rule("Broken", priority), rule("Closed", 100, "Deny")]
    assert decide(facts(nic_rules=allow), Flow(CLIENT, PUBLIC)).verdict is Verdict.INDETERMINATE


def test_priority_as_a_number_in_text_is_a_priority() -> None:
    assert decide(facts(nic_rules=[rule("Text", "100")]), Flow(CLIENT, PUBLIC)).verdict is Verdict.ALLOW


def test_two_rules_of_one_priority_are_both_candidates() -> None:
    decision = decide(facts(nic_rules=[rule("A", 100), rule("B", 100, "Deny")]), Flow(CLIENT, PUBLIC))
    assert decision.verdict is Verdict.INDETERMINATE
    assert {one.rule for one in decision.deciders} == {"A", "B"}


def test_huge_nsg_is_decided() -> None:
    many = [rule(f"R{n}", 100 + n, "Deny", source=None,
                 sourceAddressPrefixes=[f"198.{n % 250}.{k}.0/25" for k in range(4)]) for n in range(999)]  # fmt: skip
    assert ask(bundle(nic_rules=[*many, rule("Open", 4000)])) is Verdict.ALLOW


@pytest.mark.parametrize(
    "raw", [{}, {"resources": None}, {"resources": []}, {"resources": {"x": 1}}, {"operations": "no"}, {"target": 7},
            {"unavailable": [1, {"fact": None}]}],
)  # fmt: skip
def test_bundle_without_a_network_decides_nothing(raw: dict[str, Any]) -> None:
    assert ask(raw) is Verdict.INDETERMINATE
    assert entries(parse_network(raw), "/subscriptions/x") == ()


def test_references_in_a_circle_end() -> None:
    raw = bundle(nic_rules=[])
    vnet = raw["resources"][VNET.lower()]["properties"]
    vnet["virtualNetworkPeerings"][0]["properties"]["remoteVirtualNetwork"] = {"id": VNET}
    vnet["virtualNetworkPeerings"][0]["properties"]["remoteAddressSpace"] = None
    raw["resources"][NIC_NSG.lower()]["properties"]["securityRules"].append({"id": NIC_NSG})
    assert ask(raw) in (Verdict.INDETERMINATE, Verdict.DENY)


def _spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += _spots(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found += _spots(inner, (*path, number))
    return found


VECTORS = names("path") + names("rule")


@thorough
@given(name=st.sampled_from(VECTORS), seed=st.integers(0, 2**32))
def test_no_damage_to_a_bundle_raises(name: str, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - picks what to damage, protects nothing
    vector = load(name)
    raw = copy.deepcopy(vector["evidence"])
    for _ in range(chance.randint(1, 4)):
        spots = [spot for spot in _spots(raw) if len(spot) > 1]
        *way, last = chance.choice(spots)
        holder = raw
        for step in way:
            holder = holder[step]
        holder[last] = copy.deepcopy(chance.choice(ODD))
    network = parse_network(raw)
    flow = flow_of(vector) if vector["ask"]["command"] == "path" else Flow(CLIENT, "52.1.1.1")
    told, quick = explain(network, flow).decision, decide(network, flow)
    assert (told.verdict, set(told.deciders)) == (quick.verdict, set(quick.deciders))
    doors = entries(network, network.target.vm)
    admits_outside(network, doors, 3389, ["203.0.113.0/24"])
    plan = plan_rule(network, RuleRequest(("203.0.113.0/24",), override_deny=True))
    assert all(proof.holds for proof in plan.proof)
