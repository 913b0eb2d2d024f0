"""Just-in-time access: the request really opens the port, for the asked source and time."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rdp_remediate.lab.packets import LabPath, Verdict
from rdp_remediate.lab.server import Lab
from rdp_remediate.lab.world import Opening
from tests.lab.fake_guest import FakeGuest
from tests.lab.wire import Wire


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with Lab("jit-closed", runtime=FakeGuest()) as lab, Wire(lab) as opened:
        yield opened


def request(lab: Lab, **changes: Any) -> dict[str, Any]:
    end = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    port = {"number": 3389, "endTimeUtc": end, "allowedSourceAddressPrefix": "203.0.113.7", **changes}
    return {"virtualMachines": [{"id": lab.vm_id.upper(), "ports": [port]}], "justification": "ticket"}


def verdict(lab: Lab, client: str) -> Verdict:
    return LabPath(lab.world).walk(lab.vm_id, client, lab.names.public_address, 3389).verdict


async def policy_id(wire: Wire) -> str:
    url = f"{wire.lab.names.subscription_id}/providers/Microsoft.Security/jitNetworkAccessPolicies"
    [policy] = (await wire.get(url)).body["value"]
    return str(policy["id"])


async def test_initiate_opens_for_the_asked_source_only_and_expires(wire: Wire) -> None:
    assert verdict(wire.lab, "203.0.113.7") is Verdict.DENY
    policy = await policy_id(wire)
    answer = await wire.send("POST", f"{policy}/initiate", request(wire.lab))
    assert answer.status == 202
    assert answer.body["requestor"] == wire.lab.plain.identity.object_id
    assert verdict(wire.lab, "203.0.113.7") is Verdict.ALLOW
    assert verdict(wire.lab, "203.0.113.8") is Verdict.DENY
    assert len((await wire.get(policy)).body["properties"]["requests"]) == 1
    past = datetime.now(UTC) - timedelta(seconds=1)
    wire.lab.world.openings[:] = [Opening(o.nsg_id, o.rule, past) for o in wire.lab.world.openings]
    await wire.get(policy)
    assert verdict(wire.lab, "203.0.113.7") is Verdict.DENY


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 22},
        {"endTimeUtc": "soon"},
        {"endTimeUtc": (datetime.now(UTC) + timedelta(hours=9)).isoformat()},
        {"endTimeUtc": "2020-01-01T00:00:00Z"},
    ],
)
async def test_what_the_policy_does_not_offer_is_refused(wire: Wire, changes: dict[str, Any]) -> None:
    answer = await wire.send("POST", f"{await policy_id(wire)}/initiate", request(wire.lab, **changes))
    assert answer.status == 400
    assert verdict(wire.lab, "203.0.113.7") is Verdict.DENY
