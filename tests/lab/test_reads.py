"""Reads: shapes against recordings, and what the lab computes from its state."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.lab.server import Lab
from tests.lab.fake_guest import FakeGuest
from tests.lab.wire import Wire


def body_of(recordings: Path, name: str, index: int = 0) -> Any:
    return json.loads((recordings / name).read_text())["exchanges"][index]["response"]["body"]


def missing_keys(own: Any, recorded: Any, path: str = "") -> list[str]:
    """Keys that the recording has and the lab's answer lacks, and values of another JSON type."""
    if isinstance(recorded, dict):
        if not isinstance(own, dict):
            return [f"{path}: {type(own).__name__}"]
        gone = [f"{path}.{k}" for k in recorded if k not in own]
        return gone + [m for k in recorded if k in own for m in missing_keys(own[k], recorded[k], f"{path}.{k}")]
    if isinstance(recorded, list):
        if not isinstance(own, list):
            return [f"{path}: {type(own).__name__}"]
        return missing_keys(own[0], recorded[0], f"{path}[0]") if own and recorded else []
    return [] if type(own) is type(recorded) else [f"{path}: {type(own).__name__}"]


async def test_vm_has_the_recorded_keys(wire: Wire, recordings: Path) -> None:
    recorded = body_of(recordings, "vm-get-2026-04-01-rec2026.json")
    own = (await wire.get(wire.lab.vm_id)).body
    linux = ".properties.osProfile.linuxConfiguration"
    custom = ".properties.diagnosticsProfile.bootDiagnostics.storageUri"  # managed diagnostics have none
    assert missing_keys(own, recorded) == [linux, custom]


async def test_instance_view_has_the_recorded_keys(wire: Wire, recordings: Path) -> None:
    recorded = body_of(recordings, "vm-instanceview-windows-ready-2020-12-01.json")["properties"]["instanceView"]
    answer = (await wire.get(f"{wire.lab.vm_id}?$expand=instanceView")).body
    assert missing_keys(answer["properties"]["instanceView"], recorded) == []
    assert (await wire.get(f"{wire.lab.vm_id}/instanceView")).body == answer["properties"]["instanceView"]


async def test_nic_and_public_address_have_the_recorded_keys(wire: Wire, recordings: Path) -> None:
    ids = wire.lab.names.role_ids
    nic = (await wire.get(ids["nic"])).body
    assert missing_keys(nic, body_of(recordings, "nic-get-2022-01-01-rec2026.json")) == []
    address = (await wire.get(ids["pip"])).body
    recorded = body_of(recordings, "publicip-list-2018-12-01.json")["value"][0]
    assert missing_keys(address, recorded) == [".properties.dnsSettings"]


async def test_nsg_has_the_recorded_keys(wire: Wire, recordings: Path) -> None:
    recorded = body_of(recordings, "nsg-put-update-with-request-2019-11-01.json")
    own = (await wire.get(wire.lab.names.role_ids["nic_nsg"])).body
    assert missing_keys(own, recorded) == []


async def settled(wire: Wire, path: str, body: Any = None) -> Any:
    answer = await wire.send("POST", path, body)
    while answer.status == 202:
        answer = await wire.get(answer.headers["location"])
    assert answer.status == 200, answer.text
    return answer.body


async def test_effective_rules_have_the_recorded_form(wire: Wire, recordings: Path) -> None:
    recorded = body_of(recordings, "net-effective-nsg-lro-2021-08-01.json", 1)["value"][0]
    own = (await settled(wire, f"{wire.lab.names.role_ids['nic']}/effectiveNetworkSecurityGroups"))["value"]
    assert [list(e["association"]) for e in own] == [["networkInterface"], ["subnet"]]
    assert set(own[0]) == set(recorded)
    mine = {r["name"]: r for r in own[0]["effectiveSecurityRules"]}
    for rule in recorded["effectiveSecurityRules"]:
        assert set(mine[rule["name"]]) == set(rule)
        for key in ("protocol", "destinationPortRange", "sourceAddressPrefix", "sourceAddressPrefixes", "access"):
            assert mine[rule["name"]][key] == rule[key]
    vnet = "defaultSecurityRules/AllowVnetInBound"
    assert mine[vnet]["expandedSourceAddressPrefix"] == ["10.0.0.0/16", "168.63.129.16/32"]
    assert mine["securityRules/Allow-RDP"]["destinationPortRange"] == "3389-3389"
    assert set(own[0]["tagMap"]) == set(recorded["tagMap"])


async def test_effective_routes_have_the_recorded_form(wire: Wire, recordings: Path) -> None:
    recorded = body_of(recordings, "net-effective-routes-lro-c7n-2019-09-01.json", 1)["value"]
    own = (await settled(wire, f"{wire.lab.names.role_ids['nic']}/effectiveRouteTable"))["value"]
    assert missing_keys(own[0], recorded[0]) == []
    assert {r["nextHopType"] for r in own} == {r["nextHopType"] for r in recorded}


async def test_admin_rules_are_paged_through_the_body(wire: Wire) -> None:
    vnet = wire.lab.names.role_ids["vnet"]
    wire.lab.world.admin_rules[vnet.lower()] = [{"id": f"rule{i}"} for i in range(5)]
    wire.lab.world.admin_rules_page_size = 2
    path, found, token = f"{vnet}/listNetworkManagerEffectiveSecurityAdminRules", [], ""
    for _ in range(3):
        page = (await wire.send("POST", path, {"skipToken": token})).body
        found += [r["id"] for r in page["value"]]
        token = page.get("skipToken", "")
        assert "nextLink" not in page
    assert (found, token) == ([f"rule{i}" for i in range(5)], "")


async def test_ip_flow_verify_and_next_hop(wire: Wire, recordings: Path) -> None:
    names = wire.lab.names
    [watcher] = (await wire.get(f"{names.subscription_id}/providers/Microsoft.Network/networkWatchers")).body["value"]
    ask = {
        "targetResourceId": wire.lab.vm_id,
        "direction": "Inbound",
        "protocol": "TCP",
        "localPort": "3389",
        "remotePort": "*",
        "localIPAddress": names.private_address,
        "remoteIPAddress": "203.0.113.7",
    }
    allowed = await settled(wire, f"{watcher['id']}/ipFlowVerify", ask)
    assert allowed["access"] == "Allow"
    assert allowed["ruleName"] == "securityRules/Allow-RDP"
    assert allowed["ruleId"].endswith("/securityRules/Allow-RDP")
    denied = await settled(wire, f"{watcher['id']}/ipFlowVerify", {**ask, "remoteIPAddress": "198.51.100.1"})
    assert denied == {"access": "Deny", "ruleName": "defaultSecurityRules/DenyAllInBound", "ruleId": ""}
    recorded = body_of(recordings, "net-nexthop-sync-200-2019-06-01.json")
    hop = {
        "targetResourceId": wire.lab.vm_id,
        "sourceIPAddress": names.private_address,
        "destinationIPAddress": "203.0.113.7",
    }
    assert await settled(wire, f"{watcher['id']}/nextHop", hop) == recorded


async def test_health_and_its_absence(wire: Wire) -> None:
    url = f"{wire.lab.vm_id}/providers/Microsoft.ResourceHealth/availabilityStatuses/current"
    answer = await wire.get(url)
    assert answer.body["properties"]["availabilityState"] == "Available"
    assert "occuredTime" in answer.body["properties"]  # as the REST API spells it
    wire.lab.world.health = {"missing": True}
    assert (await wire.get(url)).status == 404


async def test_activity_log_filters_newest_first() -> None:
    async with Lab("vm-deallocated-by-schedule", runtime=FakeGuest()) as lab, Wire(lab) as wire:
        url = f"{lab.names.subscription_id}/providers/Microsoft.Insights/eventtypes/management/values"
        assert (await wire.get(url)).status == 400
        since = (datetime.now(UTC) - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        scope = f"$filter=eventTimestamp ge '{since}' and resourceGroupName eq '{lab.names.resource_group.upper()}'"
        events = (await wire.get(f"{url}?{scope}")).body["value"]
        assert len(events) == 2
        assert events[0]["eventTimestamp"] > events[1]["eventTimestamp"]
        assert events[0]["operationName"]["value"] == "Microsoft.Compute/virtualMachines/deallocate/action"
        assert events[0]["authorization"]["scope"] == lab.vm_id
        other = (await wire.get(f"{url}?{scope} and caller eq 'nobody'")).body["value"]
        assert other == []
        short = (await wire.get(f"{url}?{scope}&$select=caller,status")).body["value"]
        assert set(short[0]) == {"caller", "status"}


async def test_activity_log_has_the_recorded_keys(recordings: Path) -> None:
    recorded = body_of(recordings, "activitylog-list-full-2014-04-01.json")["value"][0]
    async with Lab("vm-deallocated-by-person", runtime=FakeGuest()) as lab, Wire(lab) as wire:
        url = f"{lab.names.subscription_id}/providers/Microsoft.Insights/eventtypes/management/values"
        [event] = (await wire.get(f"{url}?$filter=eventTimestamp ge '2026-01-01T00:00:00Z'")).body["value"]
        gone = {k for k in recorded if k not in event}
        # 2014 said resourceUri and eventSource; httpRequest stands on the first event of an operation only
        assert gone <= {"resourceUri", "eventSource", "httpRequest"}


async def test_tags_of_vm_group_and_subscription(wire: Wire) -> None:
    names = wire.lab.names
    for scope in (names.subscription_id, names.group_id, wire.lab.vm_id):
        url = f"{scope}/providers/Microsoft.Resources/tags/default"
        merge = {"operation": "Merge", "properties": {"tags": {"rdp-remediate": "observe"}}}
        assert (await wire.send("PATCH", url, merge)).status == 200
        assert (await wire.get(url)).body["properties"]["tags"] == {"rdp-remediate": "observe"}
    assert (await wire.get(wire.lab.vm_id)).body["tags"] == {"rdp-remediate": "observe"}
    assert (await wire.get(names.group_id)).body["tags"] == {"rdp-remediate": "observe"}
    assert (await wire.send("PATCH", f"{names.group_id}/providers/Microsoft.Resources/tags/default", {})).status == 400


async def test_generic_list_and_service_tags(wire: Wire) -> None:
    names = wire.lab.names
    url = f"{names.subscription_id}/resources?$filter=resourceType eq 'Microsoft.Compute/virtualMachines'"
    [vm] = (await wire.get(url)).body["value"]
    assert vm["id"] == wire.lab.vm_id
    assert "properties" not in vm
    tags = await wire.get(f"{names.subscription_id}/providers/Microsoft.Network/locations/{names.location}/serviceTags")
    assert {v["name"] for v in tags.body["values"]} >= {"AzureCloud", "AzureCloud.westeurope"}


async def test_boot_diagnostics_give_signed_addresses(wire: Wire) -> None:
    wire.lab.world.boot_log = "line 1\nline 2\n"
    answer = await wire.send("POST", f"{wire.lab.vm_id}/retrieveBootDiagnosticsData")
    assert answer.status == 200
    log = answer.body["serialConsoleLogBlobUri"]
    assert (await wire.get(log)).text == "line 1\nline 2\n"
    part = await wire.send("GET", log, headers={"Range": "bytes=-7"})
    assert (part.status, part.text) == (206, "line 2\n")
    assert (await wire.get(log.split("?")[0])).status == 403
    vm = wire.lab.world.resources[wire.lab.vm_id.lower()]
    vm["properties"]["diagnosticsProfile"]["bootDiagnostics"]["enabled"] = False
    assert (await wire.send("POST", f"{wire.lab.vm_id}/retrieveBootDiagnosticsData")).status == 409


@pytest.mark.parametrize("filtered", [True, False])
async def test_role_assignments_of_a_user(wire: Wire, filtered: bool) -> None:
    entry = {"name": "r1", "properties": {"principalId": "p1", "roleDefinitionId": "d"}}
    wire.lab.world.user_roles[wire.lab.vm_id.lower()] = [entry]
    url = f"{wire.lab.vm_id}/providers/Microsoft.Authorization/roleAssignments"
    who = "P1" if filtered else "p2"
    answer = await wire.get(f"{url}?$filter=principalId eq '{who}'")
    assert [v["name"] for v in answer.body["value"]] == (["r1"] if filtered else [])
