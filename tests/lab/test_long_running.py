"""Headers and bodies of long-running operations, as counted over recordings (azure-facts.md section 1)."""

import time
from collections.abc import AsyncIterator

import pytest

from rdp_remediate.lab.latency import profile
from rdp_remediate.lab.operations import OperationError
from rdp_remediate.lab.server import Lab
from tests.lab.fake_guest import FakeGuest
from tests.lab.wire import Answer, Wire

RULE = {
    "properties": {
        "protocol": "Tcp",
        "access": "Allow",
        "direction": "Inbound",
        "priority": 311,
        "sourcePortRange": "*",
        "destinationPortRange": "3389",
        "sourceAddressPrefix": "203.0.113.7",
        "destinationAddressPrefix": "10.0.0.4",
    }
}


@pytest.fixture
async def slow() -> AsyncIterator[Wire]:
    """Full latency divided by 50: diagnostics and NSG writes take 0.2 s, Run Command 0.6 s."""
    async with Lab("healthy", runtime=FakeGuest(), latency="realistic", speed=50) as lab, Wire(lab) as wire:
        yield wire


async def until_status(wire: Wire, url: str, wanted: str) -> Answer:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        answer = await wire.get(url)
        assert answer.status == 200
        if answer.body["status"] == wanted:
            return answer
    raise AssertionError(f"never {wanted}")


async def test_compute_post(slow: Wire) -> None:
    body = {"commandId": "RunPowerShellScript", "script": ["x"]}
    first = await slow.send("POST", f"{slow.lab.vm_id}/runCommand", body)
    assert (first.status, first.text) == (202, "")
    assert "retry-after" not in first.headers
    assert "retry-after-ms" not in first.headers
    running = await slow.get(first.headers["azure-asyncoperation"])
    assert running.body["status"] == "InProgress"
    assert running.body["name"] == first.headers["x-ms-request-id"]
    monitor = await slow.get(first.headers["location"])
    assert (monitor.status, monitor.text) == (202, "")
    assert monitor.headers["location"] != first.headers["location"]  # another signature every time
    ended = await until_status(slow, first.headers["azure-asyncoperation"], "Succeeded")
    assert set(ended.body) == {"startTime", "endTime", "status", "properties", "name"}
    result = await slow.get(monitor.headers["location"])
    assert result.status == 200
    assert result.body == ended.body["properties"]["output"]
    assert "location" not in result.headers


async def test_network_put_and_delete(slow: Wire) -> None:
    url = f"{slow.lab.names.role_ids['nic_nsg']}/securityRules/New"
    made = await slow.send("PUT", url, RULE)
    assert made.status == 201
    assert made.body["properties"]["provisioningState"] == "Updating"
    assert "location" not in made.headers
    assert "etag" not in made.headers
    assert "azure-asyncoperation" in made.headers
    running = await slow.get(made.headers["azure-asyncoperation"])
    assert running.body == {"status": "InProgress"}
    await until_status(slow, made.headers["azure-asyncoperation"], "Succeeded")
    read = await slow.get(url)
    assert read.body["properties"]["provisioningState"] == "Succeeded"
    assert read.headers["etag"] == read.body["etag"]
    assert read.body["etag"] != made.body["etag"]
    assert (await slow.send("PUT", url, RULE)).status == 200
    gone = await slow.send("DELETE", url)
    assert gone.status == 202
    assert {"location", "azure-asyncoperation"} <= set(gone.headers)


async def test_diagnostics(slow: Wire) -> None:
    first = await slow.send("POST", f"{slow.lab.names.role_ids['nic']}/effectiveNetworkSecurityGroups")
    assert (first.status, first.text) == (202, "null")
    assert "azure-asyncoperation" not in first.headers
    assert len(first.headers["location"]) > 2048
    second = await slow.get(first.headers["location"])
    assert (second.status, second.text) == (202, "null")
    assert second.headers["location"] != first.headers["location"]
    deadline = time.monotonic() + 5
    while second.status == 202 and time.monotonic() < deadline:
        second = await slow.get(second.headers["location"])
    assert second.status == 200
    assert second.body["value"]
    assert "location" in second.headers  # a finished diagnostics answer still carries it


async def test_no_nsg_at_all_answers_at_once_and_empty(wire: Wire) -> None:
    ids = wire.lab.names.role_ids
    for role in ("nic", "subnet"):
        holder = wire.lab.world.find(ids[role])
        assert holder is not None
        del holder["properties"]["networkSecurityGroup"]
    answer = await wire.send("POST", f"{ids['nic']}/effectiveNetworkSecurityGroups")
    assert (answer.status, answer.body) == (200, {"value": []})


def test_wait_headers_never_say_zero() -> None:
    assert profile("realistic").wait_headers(10) == {"Retry-After": "10"}
    assert profile("realistic", 5).wait_headers(10) == {"Retry-After": "2"}
    assert profile("realistic", 100).wait_headers(10) == {"retry-after-ms": "100"}
    assert profile("realistic").wait_headers(None) == {}
    assert profile("instant").wait_headers(None) == {"retry-after-ms": "10"}
    with pytest.raises(ValueError, match="positive"):
        profile("realistic", 0)


async def test_a_failed_network_operation_is_http_200_and_begins_with_spaces(wire: Wire) -> None:
    made = await wire.send("PUT", f"{wire.lab.names.role_ids['nic_nsg']}/securityRules/New", RULE)
    operation = wire.lab.operations.find(made.headers["x-ms-request-id"])
    await operation.task
    operation.error = OperationError("InternalError", "BadRequest: something")
    failed = await wire.get(made.headers["azure-asyncoperation"])
    assert failed.status == 200
    assert failed.body["status"] == "Failed"
    assert failed.body["error"] == {"code": " InternalError", "message": " BadRequest: something", "details": []}
