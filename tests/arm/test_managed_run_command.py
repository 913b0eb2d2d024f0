"""Managed Run Commands on the wire: never over one that is there, one PUT at most, the end from the resource itself."""

from typing import Any

import pytest

from rdp_remediate.arm.writes import AzureWrites
from rdp_remediate.models.fact import Reason
from rdp_remediate.ports import Completed, OutcomeUnknown, Rejected, Started
from tests.arm.fake_arm import NIC, SUBSCRIPTION, VM, FakeArm, Reply

NAME = "rdp-remediate-r1-1-collect-0-0"
RESOURCE = f"{VM}/runCommands/{NAME}"
OPERATION = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westus/operations/1"
BODY = {"location": "westus", "properties": {"source": {"script": "Get-Date"}, "asyncExecution": False}}
CREATING = {"name": NAME, "properties": {"provisioningState": "Creating"}}
VIEW = {"executionState": "Succeeded", "exitCode": 0, "output": "#rdpr1 z token=abc", "endTime": "2026-01-15T10:00:20Z"}
DONE = {"name": NAME, "properties": {"provisioningState": "Succeeded", "source": {"script": "x"}, "instanceView": VIEW}}
ABSENT = Reply(404, {"error": {"code": "ResourceNotFound", "message": "m"}})
ACCEPTED = Reply(201, CREATING, {"Azure-AsyncOperation": "{base}" + OPERATION})


async def end(writes: AzureWrites, started: Any) -> Any:
    for _ in range(6):
        if not isinstance(started, Started):
            return started
        started = await writes.poll(started.operation)
    raise AssertionError(started)


async def test_one_is_created_and_its_end_is_the_resource_with_its_view(arm: FakeArm, writes: AzureWrites) -> None:
    arm.on("GET", RESOURCE, ABSENT, Reply(200, DONE))
    arm.on("PUT", RESOURCE, ACCEPTED)
    arm.on("GET", OPERATION, Reply(200, {"status": "InProgress"}), Reply(200, {"status": "Succeeded"}))
    ended = await end(writes, await writes.put_run_command(VM, NAME, BODY))
    assert isinstance(ended, Completed)
    assert ended.value["properties"]["instanceView"] == VIEW, "what our own script printed stays whole"
    assert ended.value["properties"]["source"] == {"script": "[redacted]"}
    assert arm.count("PUT", RESOURCE) == 1
    put = next(one for one in arm.seen if one.method == "PUT")
    assert put.json() == BODY
    last = [one for one in arm.seen if one.path.endswith(NAME)][-1]
    assert last.query["$expand"] == "instanceView"


async def test_one_that_is_done_at_once_is_asked_for_its_view(arm: FakeArm, writes: AzureWrites) -> None:
    arm.on("GET", RESOURCE, ABSENT, Reply(200, DONE))
    arm.on("PUT", RESOURCE, Reply(200, {"properties": {"provisioningState": "Succeeded"}}))
    ended = await end(writes, await writes.put_run_command(VM, NAME, BODY))
    assert isinstance(ended, Completed)
    assert ended.value["properties"]["instanceView"] == VIEW


@pytest.mark.parametrize("lost", [Reply(500), Reply(200, hang_up=True)])
async def test_a_lost_answer_is_looked_for_and_not_sent_again(lost: Reply, arm: FakeArm, writes: AzureWrites) -> None:
    arm.on("GET", RESOURCE, ABSENT, Reply(200, CREATING), Reply(200, DONE))
    arm.on("PUT", RESOURCE, lost)
    ended = await end(writes, await writes.put_run_command(VM, NAME, BODY))
    assert isinstance(ended, Completed)
    assert arm.count("PUT", RESOURCE) == 1


async def test_a_lost_one_that_never_came_about_is_unknown(arm: FakeArm, writes: AzureWrites) -> None:
    arm.on("GET", RESOURCE, ABSENT)
    arm.on("PUT", RESOURCE, Reply(500))
    assert isinstance(await end(writes, await writes.put_run_command(VM, NAME, BODY)), OutcomeUnknown)
    assert arm.count("PUT", RESOURCE) == 1


async def test_one_that_is_there_is_not_written_over(arm: FakeArm, writes: AzureWrites) -> None:
    arm.on("GET", RESOURCE, Reply(200, DONE))
    refused = await writes.put_run_command(VM, NAME, BODY)
    assert isinstance(refused, Rejected)
    assert (refused.reason, refused.code) == (Reason.BUSY, "RunCommandExists")
    assert arm.count("PUT", RESOURCE) == 0


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Reply(403, {"error": {"code": "AuthorizationFailed", "message": "m"}}), Reason.FORBIDDEN),
        (Reply(503), Reason.SERVER_ERROR),
        (Reply(200, hang_up=True), Reason.UNREACHABLE),
    ],
)
async def test_where_it_cannot_be_looked_for_nothing_is_sent(
    answer: Reply, reason: Reason, arm: FakeArm, writes: AzureWrites
) -> None:
    arm.on("GET", RESOURCE, answer)
    refused = await writes.put_run_command(VM, NAME, BODY)
    assert isinstance(refused, Rejected)
    assert refused.reason is reason
    assert arm.count("PUT", RESOURCE) == 0


async def test_a_refused_one_is_refused(arm: FakeArm, writes: AzureWrites) -> None:
    arm.on("GET", RESOURCE, ABSENT)
    arm.on("PUT", RESOURCE, Reply(403, {"error": {"code": "AuthorizationFailed", "message": "m"}}))
    refused = await writes.put_run_command(VM, NAME, BODY)
    assert isinstance(refused, Rejected)
    assert refused.code == "AuthorizationFailed"


async def test_a_failed_provisioning_is_told(arm: FakeArm, writes: AzureWrites) -> None:
    arm.on("GET", RESOURCE, ABSENT)
    arm.on("PUT", RESOURCE, ACCEPTED)
    failed = {"status": "Failed", "error": {"code": "VMAgentStatusCommunicationError", "message": "m"}}
    arm.on("GET", OPERATION, Reply(200, failed))
    ended = await end(writes, await writes.put_run_command(VM, NAME, BODY))
    assert isinstance(ended, Rejected)
    assert ended.reason is Reason.UNREACHABLE


@pytest.mark.parametrize("answer", [Reply(204), ABSENT])
async def test_deleting_what_is_gone_is_over(answer: Reply, arm: FakeArm, writes: AzureWrites) -> None:
    arm.on("DELETE", RESOURCE, answer)
    assert await writes.delete_run_command(VM, NAME) == Completed(None)


async def test_a_deletion_that_was_accepted_is_not_over(arm: FakeArm, writes: AzureWrites) -> None:
    arm.on("DELETE", RESOURCE, Reply(202, headers={"Azure-AsyncOperation": "{base}" + OPERATION}))
    assert isinstance(await writes.delete_run_command(VM, NAME), Started)


async def test_an_extension_is_put_once_and_its_end_is_the_operations(arm: FakeArm, writes: AzureWrites) -> None:
    path = f"{VM}/extensions/enablevmaccess"
    arm.on("PUT", path, ACCEPTED)
    arm.on("GET", OPERATION, Reply(200, {"status": "InProgress"}), Reply(200, {"status": "Succeeded"}))
    assert await end(writes, await writes.put_extension(VM, "enablevmaccess", BODY)) == Completed(None)
    assert arm.count("PUT", path) == 1
    arm.on("PUT", path, Reply(500))
    assert isinstance(await writes.put_extension(VM, "enablevmaccess", BODY), OutcomeUnknown)
    assert arm.count("PUT", path) == 2, "one for each call"
    arm.on("PUT", path, Reply(409, {"error": {"code": "MultipleExtensionsPerHandlerNotAllowed", "message": "m"}}))
    refused = await writes.put_extension(VM, "enablevmaccess", BODY)
    assert isinstance(refused, Rejected)
    assert refused.code == "MultipleExtensionsPerHandlerNotAllowed"


@pytest.mark.parametrize(("vm_id", "name"), [(NIC, NAME), ("vm1", NAME), (VM, "a/b"), (VM, "a?b")])
async def test_what_is_no_run_command_of_a_vm_is_not_sent(
    vm_id: str, name: str, arm: FakeArm, writes: AzureWrites
) -> None:
    put, delete = await writes.put_run_command(vm_id, name, BODY), await writes.delete_run_command(vm_id, name)
    for outcome in (put, delete, await writes.put_extension(vm_id, name, BODY)):
        assert isinstance(outcome, Rejected)
        assert outcome.reason is Reason.MALFORMED
    assert arm.seen == []
