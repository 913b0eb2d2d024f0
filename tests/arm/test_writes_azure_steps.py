"""Routes and restarts: each reaches Azure at most once, and only over what was read."""

import pytest

from rdp_remediate.arm.writes import AzureWrites
from rdp_remediate.models.fact import Reason
from rdp_remediate.ports import Completed, OutcomeUnknown, Rejected, Started
from tests.arm.fake_arm import GROUP, SUBSCRIPTION, VM, FakeArm, Reply

TABLE = f"{GROUP}/providers/Microsoft.Network/routeTables/rt-hub"
ROUTE = f"{TABLE}/routes/rdpr-1"
RESTART = f"{VM}/restart"
OPERATION = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westus/operations/1"
BODY = {"properties": {"addressPrefix": "203.0.113.7/32", "nextHopType": "Internet"}}
DONE = {"name": "rdpr-1", "etag": 'W/"2"', "properties": {**BODY["properties"], "provisioningState": "Succeeded"}}
ACCEPTED = Reply(
    202, headers={"Azure-AsyncOperation": "{base}" + OPERATION, "Location": "{base}" + OPERATION + "?monitor=true"}
)
LOST = [Reply(500), Reply(503, headers={"retry-after-ms": "1"}), Reply(hang_up=True)]


async def test_a_new_route_is_written_only_where_none_is(arm: FakeArm, writes: AzureWrites) -> None:
    arm.on("PUT", ROUTE, Reply(201, DONE))
    assert await writes.put_route(TABLE, "rdpr-1", BODY, etag=None) == Completed(DONE)
    assert arm.seen[0].json() == BODY
    assert arm.seen[0].headers["if-none-match"] == "*"


async def test_a_route_is_deleted_only_as_it_was_read(arm: FakeArm, writes: AzureWrites) -> None:
    arm.on("DELETE", ROUTE, Reply(204))
    assert await writes.delete_route(TABLE, "rdpr-1", etag='W/"2"') == Completed(None)
    assert arm.seen[0].headers["if-match"] == 'W/"2"'


@pytest.mark.parametrize("reply", LOST, ids=["500", "503", "hang up"])
async def test_a_lost_route_is_unknown_and_never_repeated(reply: Reply, arm: FakeArm, writes: AzureWrites) -> None:
    arm.on("PUT", ROUTE, reply)
    arm.on("DELETE", ROUTE, reply)
    assert isinstance(await writes.put_route(TABLE, "rdpr-1", BODY, etag=None), OutcomeUnknown)
    assert isinstance(await writes.delete_route(TABLE, "rdpr-1", etag=None), OutcomeUnknown)
    assert (arm.count("PUT", ROUTE), arm.count("DELETE", ROUTE)) == (1, 1)


async def test_a_restart_is_started_and_polled_to_its_end(arm: FakeArm, writes: AzureWrites) -> None:
    arm.on("POST", RESTART, ACCEPTED)
    arm.on("GET", OPERATION, Reply(200, {"status": "InProgress"}), Reply(200, {"status": "Succeeded"}))
    started = await writes.restart_virtual_machine(VM)
    assert isinstance(started, Started)
    again = await writes.poll(started.operation)
    assert isinstance(again, Started)
    assert isinstance(await writes.poll(again.operation), Completed)
    assert arm.count("POST", RESTART) == 1


@pytest.mark.parametrize("reply", LOST, ids=["500", "503", "hang up"])
@pytest.mark.parametrize("verb", ["start", "restart", "redeploy", "reapply", "deallocate"])
async def test_a_lost_power_action_is_unknown_and_never_repeated(
    verb: str, reply: Reply, arm: FakeArm, writes: AzureWrites
) -> None:
    arm.on("POST", f"{VM}/{verb}", reply)
    assert isinstance(await getattr(writes, f"{verb}_virtual_machine")(VM), OutcomeUnknown)
    assert arm.count("POST", f"{VM}/{verb}") == 1


@pytest.mark.parametrize("name", ["../x", "a/b", "", "a?b"])
async def test_a_hostile_name_is_not_sent(name: str, arm: FakeArm, writes: AzureWrites) -> None:
    for outcome in (
        await writes.put_route(TABLE, name, BODY, etag=None),
        await writes.delete_route(TABLE, name, etag=None),
        await writes.restart_virtual_machine(f"{VM}?{name}"),
    ):
        assert isinstance(outcome, Rejected)
        assert outcome.reason is Reason.MALFORMED
    assert arm.seen == []
