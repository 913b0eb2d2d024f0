"""Named queries of Resource Graph and Log Analytics."""

from typing import Any

from rdp_remediate.lab.server import Lab
from tests.lab.fake_guest import FakeGuest
from tests.lab.wire import Answer, Wire

GRAPH = "/providers/Microsoft.ResourceGraph/resources"


async def graph(wire: Wire, query: str, **options: Any) -> Answer:
    body = {"subscriptions": [wire.lab.names.subscription], "query": query, "options": options}
    return await wire.send("POST", GRAPH, body)


async def logs(wire: Wire, query: str, workspace: str | None = None) -> Answer:
    path = f"/v1/workspaces/{workspace or wire.lab.names.workspace}/query"
    return await wire.send("POST", path, {"query": query})


async def test_annotations_as_objects_and_as_table() -> None:
    async with Lab("vm-deallocated-by-person", runtime=FakeGuest()) as lab, Wire(lab) as wire:
        query = f"// rdp-remediate:resource_annotations/1\nhealthresources\n| where x =~ '{lab.vm_id}'\n| project id, properties"
        answer = await graph(wire, query, resultFormat="objectArray")
        [row] = answer.body["data"]
        assert set(row) == {"id", "properties"}
        assert row["properties"]["annotationName"] == "VirtualMachineDeallocationInitiated"
        assert row["properties"]["targetResourceId"] == lab.vm_id.lower()
        assert answer.body["resultTruncated"] == "false"
        table = (await graph(wire, query, resultFormat="table")).body["data"]
        assert [c["name"] for c in table["columns"]] == ["id", "properties"]
        assert len(table["rows"]) == 1
        other = query.replace(lab.names.vm, "another")
        assert (await graph(wire, other)).body["data"] == []


async def test_changes_follow_writes(wire: Wire) -> None:
    wire.lab.world.record(
        "Microsoft.Network/networkSecurityGroups/securityRules/write",
        f"{wire.lab.names.role_ids['nic_nsg']}/securityRules/X",
        wire.lab.plain.identity,
        "Succeeded",
        "c",
    )
    [row] = (await graph(wire, "// rdp-remediate:changes/1\nresourcechanges")).body["data"]
    assert row["properties"]["targetResourceId"] == wire.lab.names.role_ids["nic_nsg"]
    assert row["properties"]["changeType"] == "Update"


async def test_unknown_queries_and_columns_get_azures_400(wire: Wire) -> None:
    for query in (
        "resources",
        "// rdp-remediate:nothing/1\nresources",
        "// rdp-remediate:changes/1\nx | project color",
    ):
        answer = await graph(wire, query)
        assert answer.status == 400
        assert answer.body["error"]["details"][0]["code"] == "InvalidQuery"
        answer = await logs(wire, query)
        assert (answer.status, answer.code) == (400, "BadArgumentError")
    assert (await logs(wire, "// rdp-remediate:activity/1", "11111111-0000-0000-0000-000000000000")).status == 404


async def test_log_rows_come_from_state(wire: Wire) -> None:
    guest = wire.lab.world.guests[wire.lab.vm_id.lower()]
    data = {"TargetUserName": "admin", "TargetDomainName": "", "IpAddress": "198.51.100.9", "SubStatus": "0xC000006A"}
    guest["events"] = [{"log": "Security", "id": 4625, "time": "2026-01-15T09:00:00Z", "data": data}]
    query = "// rdp-remediate:sign_ins/1\nSecurityEvent\n| project TimeGenerated, User = TargetUserName, SubStatus"
    [table] = (await logs(wire, query)).body["tables"]
    assert table["name"] == "PrimaryResult"
    assert [c["name"] for c in table["columns"]] == ["TimeGenerated", "User", "SubStatus"]
    assert table["rows"] == [["2026-01-15T09:00:00Z", "admin", "0xc000006a"]]
    activity = (await logs(wire, "// rdp-remediate:activity/1\nAzureActivity")).body["tables"][0]
    assert activity["rows"] == []


async def test_queries_need_rights(wire: Wire) -> None:
    wire.lab.world.denied_actions += ["Microsoft.ResourceGraph/*", "Microsoft.OperationalInsights/*"]
    assert (await graph(wire, "// rdp-remediate:changes/1")).status == 403
    assert (await logs(wire, "// rdp-remediate:activity/1")).status == 403
