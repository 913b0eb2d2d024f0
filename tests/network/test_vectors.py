"""All vectors of the specification, in process."""

import importlib.util
import json
from typing import Any

import pytest

from rdp_remediate.lab.packet_entry import Evidence
from rdp_remediate.lab.packets import walk
from rdp_remediate.network.decision import Layer
from rdp_remediate.network.explain import explain
from rdp_remediate.network.path import decide
from rdp_remediate.network.rule_plan import plan_rule
from rdp_remediate.network.rule_request import RuleRequest
from tests.network.vectors import BUNDLES, SHARED, facts_of, flow_of, load, names, spelled


@pytest.mark.parametrize("name", names("path"))
def test_path_vector(name: str) -> None:
    vector = load(name)
    decision = decide(facts_of(vector), flow_of(vector))
    assert decision.verdict == vector["expect"]["verdict"], vector["why"]
    assert spelled(decision) == {tuple(one) for one in vector["expect"]["deciders"]}, vector["why"]


@pytest.mark.parametrize("name", names("path"))
def test_trace_agrees_with_the_decision(name: str) -> None:
    vector = load(name)
    facts, flow = facts_of(vector), flow_of(vector)
    told, quick = explain(facts, flow), decide(facts, flow)
    assert (told.decision.verdict, set(told.decision.deciders)) == (quick.verdict, set(quick.deciders))
    named = {(row.layer, row.resource_id) for row in told.trace if row.decides and row.reached}
    filters = (Layer.ADMIN, Layer.SUBNET, Layer.NIC)
    rules = {(one.layer, one.resource_id) for one in quick.deciders if one.layer in filters}
    assert rules <= named


@pytest.mark.parametrize("name", names("rule"))
def test_rule_vector(name: str) -> None:
    vector = load(name)
    plan = plan_rule(
        facts_of(vector), RuleRequest(tuple(vector["ask"]["allow"]), override_deny=vector["ask"]["override_deny"])
    )
    expect = vector["expect"]
    if "refused" in expect:
        assert plan.refusal is not None, vector["why"]
        assert plan.refusal.code == expect["refused"], vector["why"]
        assert plan.rules == ()
        return
    assert plan.refusal is None, plan.refusal
    if "rules" in expect:
        assert len(plan.rules) == expect["rules"]
        assert len({rule.priority for rule in plan.rules}) == len(plan.rules), "the rules must not take one priority"
    else:
        assert [rule.priority for rule in plan.rules] == [expect["priority"]], vector["why"]
    assert all(proof.holds for proof in plan.proof)
    assert plan.after is not None
    assert plan.after.verdict == "ALLOW"


def _lab_evidence(bundle: dict[str, Any]) -> Evidence:
    operations = bundle["operations"]
    return Evidence(
        resources=bundle["resources"],
        routes={nic: answer["value"] for nic, answer in operations.get("effective_routes", {}).items()},
        admin_rules={vnet: answer["value"] for vnet, answer in operations.get("effective_admin_rules", {}).items()},
        service_tags={
            tag["name"]: tag["properties"]["addressPrefixes"]
            for answer in operations.get("service_tags", {}).values()
            for tag in answer["values"]
        },
        classic_acls=operations.get("classic_endpoint_acls", {}),
    )


FIRM = [
    name
    for name in names("path")
    if load(name)["expect"]["verdict"] != "INDETERMINATE" and name not in ("E20", "E21", "T15")
]


@pytest.mark.parametrize("name", FIRM)
def test_lab_walk_gives_the_firm_verdicts_too(name: str) -> None:
    vector = load(name)
    flow = flow_of(vector)
    landing = walk(
        _lab_evidence(vector["evidence"]),
        vector["evidence"]["target"]["vm_id"],
        flow.client or "",
        flow.dialled_address,
        flow.dialled_port,
    )
    assert landing.verdict == vector["expect"]["verdict"], vector["why"]


def test_kept_bundles_are_those_of_the_shared_tool(tmp_path: Any) -> None:
    tool, source = SHARED / "tools" / "vector_bundle.py", SHARED / "vectors" / "network.json"
    if not tool.is_file():
        pytest.skip("../shared/tools/vector_bundle.py is not there; run in a checkout beside the shared folder")
    spec = importlib.util.spec_from_file_location("vector_bundle", tool)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(str(source), str(tmp_path))
    fresh = {path.name: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
    assert fresh == {path.name: json.loads(path.read_text()) for path in BUNDLES.glob("*.json")}
