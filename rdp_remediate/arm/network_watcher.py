"""Network Watcher's own answers about one flow. It computes and changes nothing; a missing watcher is never made."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from azure.mgmt.network.models import NextHopParameters, VerificationIPFlowParameters

from rdp_remediate.arm.ids import ArmId, parse
from rdp_remediate.arm.reading import Reading, UnreadError
from rdp_remediate.arm.resource_types import as_json
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Reason


async def read_ip_flow(reading: Reading, arm: ArmId, arguments: Mapping[str, str]) -> JsonObject:
    """Network Watcher's IP flow verify: Azure's own word on NSGs and admin rules, with what was asked."""
    asked = VerificationIPFlowParameters(
        target_resource_id=arguments.get("vm", ""),
        target_nic_resource_id=arm.text,
        direction="Inbound",
        protocol="TCP",
        local_ip_address=_address(reading, arguments, "local"),
        local_port=arguments.get("port", ""),
        remote_ip_address=_address(reading, arguments, "remote"),
        remote_port="*",
    )
    group, watcher, watchers = await _watcher(reading, arm, arguments)
    answer = await reading.polled(lambda first: watchers.begin_verify_ip_flow(group, watcher, asked, polling=first))
    return {"asked": as_json(asked), "answer": answer}


async def read_next_hop(reading: Reading, arm: ArmId, arguments: Mapping[str, str]) -> JsonObject:
    """Network Watcher's next hop from the VM back to the client, with what was asked."""
    asked = NextHopParameters(
        target_resource_id=arguments.get("vm", ""),
        target_nic_resource_id=arm.text,
        source_ip_address=_address(reading, arguments, "local"),
        destination_ip_address=_address(reading, arguments, "remote"),
    )
    group, watcher, watchers = await _watcher(reading, arm, arguments)
    answer = await reading.polled(lambda first: watchers.begin_get_next_hop(group, watcher, asked, polling=first))
    return {"asked": as_json(asked), "answer": answer}


async def _watcher(reading: Reading, arm: ArmId, arguments: Mapping[str, str]) -> tuple[str, str, Any]:
    """The one Network Watcher of the VM's region; it is found, never made."""
    place = _place(arguments.get("location"))
    watchers: Any = reading.clients.network(arm.subscription).network_watchers
    async with reading.slot():
        found = [as_json(one) async for one in watchers.list_all()]
    ids = [parse(str(one.get("id") or "")) for one in found if _place(one.get("location")) == place]
    mine = next((one for one in ids if one is not None and one.group is not None), None)
    if mine is None:
        raise UnreadError(
            Reason.NOT_CONFIGURED, f"{reading.asked}: there is no Network Watcher in {place or 'the region'}."
        )
    return str(mine.group), mine.name, watchers


def _place(location: Any) -> str:
    return str(location or "").replace(" ", "").lower()


def _address(reading: Reading, arguments: Mapping[str, str], name: str) -> str:
    try:
        return str(ipaddress.ip_address(arguments.get(name, "")))
    except ValueError as refused:
        raise UnreadError(Reason.MALFORMED, f"{reading.asked}: {refused}.") from refused
