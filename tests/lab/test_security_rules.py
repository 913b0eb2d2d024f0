"""Writes of NSG rules: what is refused and how, against the recorded refusals."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab.wire import Wire

GOOD: dict[str, Any] = {
    "protocol": "Tcp",
    "access": "Allow",
    "direction": "Inbound",
    "priority": 311,
    "sourcePortRange": "*",
    "destinationPortRange": "3389",
    "sourceAddressPrefix": "203.0.113.7",
    "destinationAddressPrefix": "10.0.0.4",
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "SecurityRuleInvalidPriority": ({"priority": 4097}, "nsg-rule-errors-400-priority.json"),
    "SecurityRuleInvalidPortRange": ({"destinationPortRange": "66600"}, "nsg-rule-errors-400-port.json"),
    "SecurityRuleInvalidAddressPrefix": ({"sourceAddressPrefix": "10.0.0.0/42"}, "nsg-rule-errors-400-prefix.json"),
    "SecurityRuleDescriptionTooLong": ({"description": "x" * 141}, "nsg-rule-errors-400-description.json"),
}


def url(wire: Wire, name: str = "New", role: str = "nic_nsg") -> str:
    return f"{wire.lab.names.role_ids[role]}/securityRules/{name}"


async def put(wire: Wire, name: str = "New", headers: dict[str, str] | None = None, **changes: Any) -> Any:
    properties = {k: v for k, v in {**GOOD, **changes}.items() if v is not None}
    return await wire.send("PUT", url(wire, name), {"properties": properties}, headers=headers)


@pytest.mark.parametrize("code", REFUSED)
async def test_refusals_read_as_recorded(wire: Wire, recordings: Path, code: str) -> None:
    changes, file = REFUSED[code]
    answer = await put(wire, **changes)
    exchanges = json.loads((recordings / file).read_text())["exchanges"]
    recorded = next(e["response"]["body"]["error"] for e in exchanges if e["response"]["status"] == 400)
    assert answer.status == 400
    assert set(answer.body["error"]) == set(recorded)
    assert answer.code == recorded["code"] == code
    # the recorded text with the lab's rule in the place of the recorded one
    own = recorded["message"].split(" /subscriptions/")[0].split(" Value provided")[0]
    assert answer.body["error"]["message"].startswith(own)
    assert (await wire.get(url(wire))).status == 404


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"access": "Permit"}, "SecurityRuleParameterContainsUnsupportedValue"),
        (
            {"sourceAddressPrefix": None, "sourceAddressPrefixes": ["*"]},
            "SecurityRuleParameterContainsUnsupportedValue",
        ),
        (
            {"sourceAddressPrefix": None, "sourceAddressPrefixes": ["VirtualNetwork"]},
            "SecurityRuleParameterContainsUnsupportedValue",
        ),
        ({"sourceAddressPrefix": "any"}, "SecurityRuleInvalidAddressPrefix"),
        ({"sourceAddressPrefix": None}, "SecurityRuleAddressPrefixNotSpecified"),
        ({"priority": 300}, "SecurityRuleConflict"),
    ],
)
async def test_other_refusals(wire: Wire, changes: dict[str, Any], code: str) -> None:
    answer = await put(wire, **changes)
    assert (answer.status, answer.code) == (400, code)


async def test_the_same_priority_is_free_in_the_other_direction(wire: Wire) -> None:
    assert (await put(wire, priority=300, direction="Outbound")).status == 201


async def test_if_match(wire: Wire) -> None:
    assert (await put(wire)).status == 201
    current = (await wire.get(url(wire))).body["etag"]
    assert (await put(wire, headers={"If-None-Match": "*"})).status == 412
    assert (await put(wire, headers={"If-Match": 'W/"stale"'})).code == "PreconditionFailed"
    assert (await put(wire, headers={"If-Match": current})).status == 200
    assert (await wire.send("DELETE", url(wire), headers={"If-Match": current})).status == 412


async def test_every_rule_shows_the_nsg_etag_and_a_write_changes_it(wire: Wire) -> None:
    nsg = wire.lab.names.role_ids["nic_nsg"]
    before = (await wire.get(nsg)).body
    await put(wire)
    after = (await wire.get(nsg)).body
    assert after["etag"] != before["etag"]
    rules = after["properties"]["securityRules"] + after["properties"]["defaultSecurityRules"]
    assert {r["etag"] for r in rules} == {after["etag"]}


async def test_plural_fields_leave_the_singular_key_out(wire: Wire) -> None:
    await put(wire, sourceAddressPrefix=None, sourceAddressPrefixes=["203.0.113.7", "198.51.100.0/24"])
    properties = (await wire.get(url(wire))).body["properties"]
    assert "sourceAddressPrefix" not in properties
    assert properties["sourceAddressPrefixes"] == ["203.0.113.7", "198.51.100.0/24"]
    assert properties["destinationAddressPrefixes"] == []
    assert None not in properties.values()


async def test_a_group_put_drops_what_is_not_sent_again(wire: Wire) -> None:
    nsg = wire.lab.names.role_ids["nic_nsg"]
    body = {"properties": {"securityRules": [{"name": "Only", "properties": GOOD}]}}
    assert (await wire.send("PUT", nsg, body)).status == 200
    assert [r["name"] for r in (await wire.get(nsg)).body["properties"]["securityRules"]] == ["Only"]


async def test_parallel_writes_are_refused_when_the_lab_is_told_to(wire: Wire) -> None:
    wire.lab.context.refuse_parallel_writes = True
    first = await put(wire)
    await wire.lab.operations.find(first.headers["x-ms-request-id"]).task
    wire.lab.operations.find(first.headers["x-ms-request-id"]).ended = None  # as if it still ran
    second = await put(wire, "Other", priority=312)
    assert (second.status, second.code) == (409, "AnotherOperationInProgress")
    assert (await wire.get(url(wire, "Other"))).status == 404


async def test_writes_stand_in_the_activity_log_with_the_caller(wire: Wire) -> None:
    await put(wire)
    written = [e for e in wire.lab.world.activity if e["resourceId"].endswith("/securityRules/New")]
    assert [e["status"]["value"] for e in written] == ["Started", "Succeeded"]
    assert {e["caller"] for e in written} == {wire.lab.plain.identity.object_id}
