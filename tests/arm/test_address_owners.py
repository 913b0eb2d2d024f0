"""Who holds an address: what Resource Graph is asked and what of its answer counts."""

import pytest

from rdp_remediate.arm.reads import AzureReads
from rdp_remediate.models.fact import Observed, Reason, Unavailable
from rdp_remediate.ports import Operation
from tests.arm.fake_arm import SUBSCRIPTION, FakeArm, Reply

SCOPE = f"/subscriptions/{SUBSCRIPTION}"
GRAPH = "/providers/Microsoft.ResourceGraph/resources"
HOLDER = {"id": "/n", "type": "t", "resourceGroup": "rg", "address": "10.0.0.10", "unattached": False}
LOOSE = {"id": "/p", "type": "t", "resourceGroup": "rg-app", "address": "20.1.1.1", "unattached": True}
OTHER = {"id": "/q", "type": "t", "resourceGroup": "rg-else", "address": "20.1.1.2", "unattached": True}


async def test_owners_of_addresses_and_loose_public_addresses_of_the_group(arm: FakeArm, reads: AzureReads) -> None:
    arm.on("POST", GRAPH, Reply(body={"data": [HOLDER, LOOSE, OTHER], "resultTruncated": "false"}))
    found = await reads.operation(Operation.ADDRESS_OWNERS, SCOPE, addresses="10.0.0.10,10.0.0.11", group="RG-App")
    assert isinstance(found, Observed)
    assert found.value == {"value": [HOLDER, LOOSE]}
    query = arm.seen[0].json()["query"]
    assert query.startswith("// rdp-remediate:address_owners/1\n")
    assert "'10.0.0.10', '10.0.0.11'" in query


@pytest.mark.parametrize(
    "arguments", [{"addresses": "10.0.0.1' or true"}, {"addresses": "10.0.0.1", "group": "rg' | union secrets //"}]
)
async def test_nothing_but_addresses_and_a_groups_name_gets_into_the_query(
    arguments: dict[str, str], arm: FakeArm, reads: AzureReads
) -> None:
    found = await reads.operation(Operation.ADDRESS_OWNERS, SCOPE, **arguments)
    assert isinstance(found, Unavailable)
    assert found.reason is Reason.MALFORMED
    assert arm.seen == []
