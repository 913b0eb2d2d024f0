"""Failure switches, the request log, and what the endpoint refuses by itself."""

import aiohttp
import pytest

from tests.lab.wire import Wire


async def test_a_switch_fails_as_often_as_told(wire: Wire) -> None:
    body = {"error": {"code": "ResourceRequestsThrottled", "message": "Please try again after '3' seconds."}}
    wire.lab.failures.add(
        r"/virtualMachines/", method="GET", status=429, headers={"Retry-After": "3"}, body=body, times=2
    )
    answers = [await wire.get(wire.lab.vm_id) for _ in range(3)]
    assert [a.status for a in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "3"
    assert answers[0].code == "ResourceRequestsThrottled"
    assert [e.status for e in wire.lab.requests.entries] == [429, 429, 200]


async def test_skip_and_method(wire: Wire) -> None:
    wire.lab.failures.add(r"virtualMachines", method="POST", status=500)
    wire.lab.failures.add(r"virtualMachines", status=503, skip=1)
    assert [(await wire.get(wire.lab.vm_id)).status for _ in range(3)] == [200, 503, 200]
    wire.lab.failures.clear()
    assert not list(wire.lab.failures)


async def test_a_dropped_connection(wire: Wire) -> None:
    wire.lab.failures.add(r"networkInterfaces", drop=True, times=None)  # aiohttp repeats a GET by itself
    with pytest.raises(aiohttp.ClientConnectionError):
        await wire.get(wire.lab.names.role_ids["nic"])
    assert {e.status for e in wire.lab.requests.entries} == {None}
    wire.lab.failures.clear()
    assert (await wire.get(wire.lab.names.role_ids["nic"])).status == 200


async def test_a_lost_answer_leaves_the_work_done(wire: Wire) -> None:
    wire.lab.failures.add(r"/runCommand", method="POST", drop=True, after=True)
    with pytest.raises(aiohttp.ClientConnectionError):
        await wire.send(
            "POST", f"{wire.lab.vm_id}/runCommand", {"commandId": "RunPowerShellScript", "script": ["disable-rule"]}
        )
    [operation] = wire.lab.operations.items.values()
    await operation.task
    assert wire.lab.world.guests[wire.lab.vm_id.lower()]["firewall"]["rules"][0]["enabled"] is False


async def test_missing_api_version(wire: Wire) -> None:
    url = f"{wire.lab.arm_url}{wire.lab.vm_id}"
    answer = await wire.send("GET", url)
    assert (answer.status, answer.code) == (400, "MissingApiVersionParameter")


async def test_paths_compare_without_case_and_unknown_ones_are_named(wire: Wire) -> None:
    assert (await wire.get(wire.lab.vm_id.lower())).body["name"] == wire.lab.names.vm
    unknown = await wire.get(f"{wire.lab.names.group_id}/providers/Microsoft.Web/sites/x")
    assert (unknown.status, unknown.code) == (404, "InvalidResourceType")
    assert (await wire.send("PUT", wire.lab.vm_id, {})).code == "MethodNotAllowed"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("{group}/providers/Microsoft.Compute/virtualMachines/gone", "ResourceNotFound"),
        ("{nic_nsg}/securityRules/gone", "NotFound"),
        ("{subscription}/resourceGroups/gone", "ResourceGroupNotFound"),
        ("/subscriptions/11111111-0000-0000-0000-000000000000/resourceGroups/x", "SubscriptionNotFound"),
    ],
)
async def test_each_404_is_its_own(wire: Wire, path: str, code: str) -> None:
    names = wire.lab.names
    path = path.format(group=names.group_id, subscription=names.subscription_id, **names.role_ids)
    answer = await wire.get(path)
    assert (answer.status, answer.code) == (404, code)


async def test_the_log_tells_writes_from_reads_and_keeps_no_token(wire: Wire) -> None:
    await wire.get(wire.lab.vm_id)
    await wire.send(
        "POST", f"{wire.lab.vm_id}/restart", headers={"x-ms-client-request-id": "c-1", "User-Agent": "me/1"}
    )
    await wire.send("POST", f"{wire.lab.names.role_ids['nic']}/effectiveRouteTable")
    [write] = wire.lab.requests.writes()
    assert (write.path, write.client_request_id, write.user_agent) == (f"{wire.lab.vm_id}/restart", "c-1", "me/1")
    assert "static" not in repr(wire.lab.requests)
    wire.lab.requests.clear()
    assert wire.lab.requests.entries == []
