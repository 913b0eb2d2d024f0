"""The connections of a virtual network gateway."""

from collections.abc import Mapping

from rdp_remediate.arm.ids import ArmId
from rdp_remediate.arm.reading import Reading, UnreadError
from rdp_remediate.arm.resource_types import as_json
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Reason

_MOST_CONNECTIONS = 30


async def read_gateway_connections(reading: Reading, arm: ArmId, _: Mapping[str, str]) -> JsonObject:
    """The ids of the gateway's connections; each is then read by itself, because the list does not hold every status.

    https://learn.microsoft.com/rest/api/network-gateway/virtual-network-gateways/list-connections

    Raises:
        UnreadError: This is no gateway, or it has more connections than are read.
    """
    if arm.type != "microsoft.network/virtualnetworkgateways" or arm.group is None:
        raise UnreadError(Reason.NOT_SUPPORTED, f"{reading.asked}: this needs a virtual network gateway.")
    async with reading.slot():
        pager = reading.clients.network(arm.subscription).virtual_network_gateways.list_connections(arm.group, arm.name)
        listed = [as_json(entry) async for entry in pager]
    if len(listed) > _MOST_CONNECTIONS:
        raise UnreadError(Reason.TRUNCATED, f"{reading.asked}: more than {_MOST_CONNECTIONS} connections.")
    return {"value": [{"id": entry.get("id")} for entry in listed]}
