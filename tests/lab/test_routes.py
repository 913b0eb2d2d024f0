"""Single routes of a route table, as the network provider writes and refuses them."""

from collections.abc import AsyncIterator

import pytest

from rdp_remediate.arm.clients import ArmClients, ArmEndpoint, managed_identity
from rdp_remediate.arm.reads import AzureReads
from rdp_remediate.arm.retry import RetryTimes
from rdp_remediate.arm.writes import AzureWrites
from rdp_remediate.lab.server import Lab
from rdp_remediate.models.fact import Observed, Unavailable
from rdp_remediate.ports import Completed, Rejected
from tests.arm.conftest import FAST
from tests.lab.fake_guest import FakeGuest

HOST = {"properties": {"addressPrefix": "203.0.113.7/32", "nextHopType": "Internet"}}


@pytest.fixture
async def lab(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    async with Lab(runtime=FakeGuest()) as running:
        for name, value in running.identity().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
async def clients(lab: Lab) -> AsyncIterator[ArmClients]:
    endpoint = ArmEndpoint(lab.arm_url, (f"{lab.arm_url}/.default",), str(lab.ca_file))
    async with ArmClients(managed_identity(), endpoint, RetryTimes(attempts=1, backoff_s=0.01)) as opened:
        yield opened


async def test_a_route_comes_and_goes(lab: Lab, clients: ArmClients) -> None:
    reads, writes = AzureReads(clients, poll_times=FAST), AzureWrites(clients, poll_times=FAST)
    table = lab.names.role_ids["route_table"]
    assert isinstance(await writes.put_route(table, "rdpr-1", HOST, etag=None), Completed)
    again = await writes.put_route(table, "rdpr-1", HOST, etag=None)
    assert isinstance(again, Rejected)
    assert again.status == 412
    twin = await writes.put_route(table, "twin", HOST, etag=None)
    assert isinstance(twin, Rejected)
    assert twin.code == "RouteConflict"
    shown = await reads.resource(f"{table}/routes/rdpr-1")
    assert isinstance(shown, Observed)
    assert shown.value["properties"]["nextHopType"] == "Internet"
    stale = await writes.delete_route(table, "rdpr-1", etag='W/"old"')
    assert isinstance(stale, Rejected)
    assert await writes.delete_route(table, "rdpr-1", etag=shown.value["etag"]) == Completed(None)
    assert isinstance(await reads.resource(f"{table}/routes/rdpr-1"), Unavailable)
    await writes.close()


@pytest.mark.parametrize(
    "properties",
    [
        {"addressPrefix": "203.0.113.7/24", "nextHopType": "Internet"},
        {"addressPrefix": "203.0.113.7/32", "nextHopType": "Elsewhere"},
        {"addressPrefix": "203.0.113.7/32", "nextHopType": "VirtualAppliance"},
    ],
    ids=["host bits", "unknown hop", "appliance without address"],
)
async def test_what_is_no_route_is_refused(properties: dict[str, str], lab: Lab, clients: ArmClients) -> None:
    writes = AzureWrites(clients, poll_times=FAST)
    refused = await writes.put_route(lab.names.role_ids["route_table"], "rdpr-1", {"properties": properties}, etag=None)
    assert isinstance(refused, Rejected)
    assert refused.status == 400
    await writes.close()
