"""Bulk reads through Resource Graph: pages, refusals, truncation, quota; and against the lab."""

import time
from typing import Any

import pytest

from rdp_remediate.arm.clients import ArmClients
from rdp_remediate.arm.inventory import ResourceGraphInventory, quota_wait_s, resource_of
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable
from rdp_remediate.models.inventory import InventoryKind, InventoryPage
from tests.arm.fake_arm import NIC, NSG, SUBSCRIPTION, VM, FakeArm, Reply

PATH = "/providers/Microsoft.ResourceGraph/resources"


def answer(rows: list[Any], *, total: int, token: str | None = None, truncated: str = "false", **headers: str) -> Reply:
    body = {"totalRecords": total, "count": len(rows), "data": rows, "facets": [], "resultTruncated": truncated}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(body={**body, "$skipToken": token} if token else body, headers=named)


async def pages(clients: ArmClients, kind: InventoryKind = InventoryKind.VIRTUAL_MACHINES) -> list[Fact[InventoryPage]]:
    return [page async for page in ResourceGraphInventory(clients).pages(kind, [SUBSCRIPTION])]


def value(page: Fact[InventoryPage]) -> InventoryPage:
    assert isinstance(page, Observed), page
    return page.value


def failure(page: Fact[InventoryPage]) -> Unavailable:
    assert isinstance(page, Unavailable), page
    return page


async def test_every_page_is_followed(arm: FakeArm, clients: ArmClients) -> None:
    row = {"id": VM, "type": "microsoft.compute/virtualmachines", "networkProfile": {"x": 1}, "osType": "Windows"}
    arm.on(
        "POST",
        PATH,
        answer([row], total=2, token="next", truncated="true"),
        answer([{**row, "id": VM + "2"}], total=2),
    )
    first, second = await pages(clients)
    assert value(first).total == 2
    assert value(first).resources == [
        {
            "id": VM,
            "type": "microsoft.compute/virtualmachines",
            "properties": {"networkProfile": {"x": 1}, "storageProfile": {"osDisk": {"osType": "Windows"}}},
        }
    ]
    assert value(second).resources[0]["id"] == VM + "2"
    asked = [seen.json() for seen in arm.seen]
    assert [one["options"].get("$skipToken") for one in asked] == [None, "next"]
    assert {one["options"]["$top"] for one in asked} == {1000}
    assert {one["options"]["resultFormat"] for one in asked} == {"objectArray"}
    assert asked[0]["subscriptions"] == [SUBSCRIPTION]
    assert "| order by id asc" in asked[0]["query"], "pages of an unordered query may repeat or miss rows"
    assert asked[0]["query"].startswith("// rdp-remediate:inventory-virtualMachines/1\nresources\n")


async def test_a_failed_page_ends_the_read_and_keeps_what_came_before(arm: FakeArm, clients: ArmClients) -> None:
    refused = {"error": {"code": "AuthorizationFailed", "message": "no"}}
    arm.on("POST", PATH, answer([{"id": NSG}], total=2000, token="next", truncated="true"), Reply(403, refused))
    first, last = await pages(clients, InventoryKind.NETWORK_SECURITY_GROUPS)
    assert len(value(first).resources) == 1
    assert failure(last).reason is Reason.FORBIDDEN
    assert failure(last).source == "resource-graph/networkSecurityGroups"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(429, {"error": {"code": "RateLimiting", "message": "x"}}, {"Retry-After": "60"}), Reason.THROTTLED),
        (Reply(500, {"error": {"code": "InternalServerError", "message": "x"}}), Reason.SERVER_ERROR),
        (Reply(text="<html>proxy</html>", content_type="text/html"), Reason.MALFORMED),
        (Reply(body=[1, 2]), Reason.MALFORMED),
        (Reply(body={"count": 1}), Reason.MALFORMED),
        (answer([{"name": "without id"}], total=1), Reason.MALFORMED),
        (Reply(hang_up=True), Reason.UNREACHABLE),
    ],
)
async def test_what_is_no_page_is_a_typed_fact(arm: FakeArm, clients: ArmClients, reply: Reply, reason: Reason) -> None:
    arm.on("POST", PATH, reply)
    [page] = await pages(clients)
    assert failure(page).reason is reason


@pytest.mark.parametrize("reply", [answer([{"id": NIC}], total=9), answer([{"id": NIC}], total=1, truncated="true")])
async def test_rows_that_were_held_back_are_not_absent(arm: FakeArm, clients: ArmClients, reply: Reply) -> None:
    arm.on("POST", PATH, reply)
    first, last = await pages(clients, InventoryKind.NETWORK_INTERFACES)
    assert value(first).resources[0]["id"] == NIC
    assert failure(last).reason is Reason.TRUNCATED


async def test_a_page_that_names_itself_ends(arm: FakeArm, clients: ArmClients) -> None:
    arm.on("POST", PATH, answer([{"id": NIC}], total=9, token="same", truncated="true"))
    *_, last = await pages(clients, InventoryKind.NETWORK_INTERFACES)
    assert failure(last).reason is Reason.MALFORMED
    assert len(arm.seen) == 2


@pytest.mark.parametrize(
    ("remaining", "resets", "wait_s"),
    [("14", "00:00:05", 0), ("0", "00:00:04", 4), ("0", "00:10:00", 15), ("0", "soon", 15), ("", "", 0)],
)
def test_a_quota_that_is_used_up_is_waited_for(remaining: str, resets: str, wait_s: float) -> None:
    headers = {"x-ms-user-quota-remaining": remaining, "x-ms-user-quota-resets-after": resets}
    assert quota_wait_s(headers) == wait_s


async def test_the_next_request_waits_until_the_quota_is_back(arm: FakeArm, clients: ArmClients) -> None:
    quota = {"x_ms_user_quota_remaining": "0", "x_ms_user_quota_resets_after": "00:00:01"}
    first = answer([{"id": NIC}], total=2, token="t", truncated="true", **quota)
    arm.on("POST", PATH, first, answer([{"id": VM}], total=2))
    began = time.monotonic()
    assert [type(page) for page in await pages(clients)] == [Observed, Observed]
    assert time.monotonic() - began > 0.9


def test_properties_stay_below_properties() -> None:
    row: dict[str, Any] = {
        "id": NSG,
        "location": "westeurope",
        "sku": None,
        "securityRules": [],
        "provisioningState": "Succeeded",
    }
    made = resource_of(row)
    assert made["properties"] == {"securityRules": [], "provisioningState": "Succeeded"}
    assert made["location"] == "westeurope"
