"""Routes, service tags, group members, just-in-time policies and classic endpoints from the answers of operations."""

from collections.abc import Mapping
from dataclasses import replace

from rdp_remediate.facts.network_addresses import (
    LONGEST_LIST,
    Range,
    Ranges,
    address_number,
    is_tag,
    merge,
    prefix_range,
    shown,
    tag_key,
    texts,
)
from rdp_remediate.facts.network_classic import AclEntry, ClassicEndpoint, ClassicVm
from rdp_remediate.facts.network_json import Json, arm_id_of, key, keys, objects, properties, text
from rdp_remediate.facts.network_json import mapping as obj
from rdp_remediate.facts.network_json import whole_number as number
from rdp_remediate.facts.network_model import DataNote, Route, RouteTable
from rdp_remediate.facts.network_resources import address
from rdp_remediate.facts.network_rules import transport
from rdp_remediate.facts.network_words import NextHop, RouteSource

_NEXT_HOPS = {
    "internet": NextHop.INTERNET,
    "virtualappliance": NextHop.VIRTUAL_APPLIANCE,
    "virtualnetworkgateway": NextHop.VIRTUAL_NETWORK_GATEWAY,
    "none": NextHop.NONE,
    "null": NextHop.NONE,
    "vnetlocal": NextHop.VNET_LOCAL,
    "vnetpeering": NextHop.VNET_PEERING,
    "vnetglobalpeering": NextHop.VNET_PEERING,
    "virtualnetworkpeering": NextHop.VNET_PEERING,
    "globalvnetpeering": NextHop.VNET_PEERING,
    "virtualnetworkserviceendpoint": NextHop.SERVICE_ENDPOINT,
}
_SOURCES = {"user": RouteSource.USER, "virtualnetworkgateway": RouteSource.BGP, "default": RouteSource.SYSTEM}


def _next_hop(value: object, where: str, note: list[DataNote]) -> NextHop:
    found = _NEXT_HOPS.get("none" if value is None else text(value).casefold())
    if found is None:
        note.append(DataNote(where, f"next hop type {shown(value)} is not known"))
    return found or NextHop.UNKNOWN


def _route(prefix: object, like: Route, note: list[DataNote]) -> Route:
    """The route `like`, for this prefix or service tag."""
    spelling = text(prefix)
    span = prefix_range(spelling) if spelling else None
    tag = tag_key(spelling) if span is None and is_tag(spelling) else ""
    if span is None and not tag:
        note.append(DataNote(like.arm_id, f"route prefix {shown(prefix)} is neither prefix nor tag"))
    return replace(like, spelling=spelling, ranges=(span,) if span else None, tag=tag)


def parse_route_table(resource_key: str, raw: Json, note: list[DataNote]) -> RouteTable:
    """A user-defined route table."""
    p = properties(raw)
    own_id = arm_id_of(raw, resource_key)
    routes = []
    for item in objects(p.get("routes")):
        r = properties(item)
        name = text(item.get("name"))
        hop = address(r.get("nextHopIpAddress"), own_id, note)
        own = text(item.get("id")) or f"{own_id}/routes/{name}"
        like = Route(
            name, own, "", None, "", RouteSource.USER, _next_hop(r.get("nextHopType"), own_id, note),
            () if hop is None else (hop,),
        )  # fmt: skip
        routes.append(_route(r.get("addressPrefix"), like, note))
    return RouteTable(
        resource_key,
        own_id,
        tuple(routes),
        p.get("disableBgpRoutePropagation") is True,
        keys(p.get("subnets")),
    )


def parse_effective_routes(raw: object, nic_key: str, note: list[DataNote]) -> tuple[Route, ...] | None:
    """The effective routes of a NIC, or None when the answer has another shape.

    `addressPrefix` and `nextHopIpAddress` are lists here; a blackhole's next hop is the text "None" (azure-facts §2).
    """
    value = obj(raw).get("value")
    if not isinstance(value, list):
        note.append(DataNote(nic_key, "effective routes have no list `value`"))
        return None
    routes = []
    for item in objects(value):
        r = properties(item)
        source = _SOURCES.get(text(r.get("source")).casefold(), RouteSource.UNKNOWN)
        if source is RouteSource.UNKNOWN:
            note.append(DataNote(nic_key, f"route source {shown(r.get('source'))} is not known"))
        state = text(r.get("state")).casefold()
        if state not in ("active", "invalid"):
            note.append(DataNote(nic_key, f"route state {shown(r.get('state'))} is not known; taken as active"))
        hop = _next_hop(r.get("nextHopType"), nic_key, note)
        hops = tuple(
            found
            for value_ in texts(r.get("nextHopIpAddress"))
            if isinstance(value_, str) and value_ != "None" and (found := address_number(value_)) is not None
        )
        like = Route(text(r.get("name")), nic_key, "", None, "", source, hop, hops, state != "invalid")
        for prefix in texts(r.get("addressPrefix")) or texts(r.get("destinationServiceTags")) or [""]:
            routes.append(_route(prefix, like, note))
    return tuple(routes)


def parse_service_tags(raw: object, location: str, note: list[DataNote]) -> dict[str, Ranges]:
    """Prefixes by tag, from Service Tag Discovery; a tag with an unreadable prefix is left out and noted."""
    out: dict[str, Ranges] = {}
    for item in objects(obj(raw).get("values")):
        name = text(item.get("name"))
        spans: list[Range] = []
        listed = obj(item.get("properties")).get("addressPrefixes")
        values = listed if isinstance(listed, list) else ["missing"]
        for value in values[: LONGEST_LIST * 10]:
            span = prefix_range(value) if isinstance(value, str) else None
            if span is None:
                note.append(DataNote(location, f"service tag {shown(name)} holds {shown(value)}, which is no prefix"))
                break
            spans.append(span)
        else:
            if name:
                out[tag_key(name)] = merge(spans)
    return out


def parse_group_members(raw: object, group_key: str, note: list[DataNote]) -> Ranges | None:
    """Private addresses of a group's members, or None when the answer has another shape."""
    value = raw if isinstance(raw, list) else obj(raw).get("value", obj(raw).get("data"))
    if not isinstance(value, list):
        note.append(DataNote(group_key, "the members of the application security group are no list"))
        return None
    spans: list[Range] = []
    for item in value:
        whole = obj(item)
        spelled = item if isinstance(item, str) else whole.get("privateIPAddress", whole.get("private_address"))
        if spelled is None:
            spelled = properties(item).get("privateIPAddress")
        found = address_number(spelled) if isinstance(spelled, str) else None
        if found is None:
            note.append(DataNote(group_key, f"member {shown(item)} of the group shows no private address"))
            return None
        spans.append((found, found))
    return merge(spans)


def parse_address_owners(raw: object, subscription: str, note: list[DataNote]) -> dict[int, tuple[str, ...]] | None:
    """Keys of the resources that hold an address, or None when the answer has another shape."""
    value = obj(raw).get("value")
    if not isinstance(value, list):
        note.append(DataNote(subscription, "the owners of addresses are no list"))
        return None
    out: dict[int, tuple[str, ...]] = {}
    for row in objects(value):
        number_ = address(row.get("address"), subscription, note)
        if number_ is not None and (owner := key(row)):
            out[number_] = (*out.get(number_, ()), owner)
    return out


def parse_jit(raw: object) -> dict[str, tuple[int, ...]]:
    """VMs that a just-in-time policy guards, with the guarded ports."""
    out: dict[str, tuple[int, ...]] = {}
    listed = raw if isinstance(raw, list) else obj(raw).get("value", [raw])
    for policy in objects(listed):
        for vm in objects(properties(policy).get("virtualMachines")):
            ports = tuple(p for item in objects(vm.get("ports")) if (p := number(item.get("number"))) is not None)
            if vm_key := key(vm):
                out[vm_key] = (*out.get(vm_key, ()), *ports)
    return out


def _either(item: Json, *names: str) -> object:
    """A field by any of its names, without regard to case (ARM camelCase, PowerShell PascalCase)."""
    lower = {str(name).casefold(): value for name, value in item.items()}
    return next((lower[name] for name in names if lower.get(name) is not None), None)


def parse_acl(raw: object, where: str, note: list[DataNote]) -> tuple[AclEntry, ...] | None:
    """The ACL of a classic endpoint, or None when it can't be read. `Rules` may wrap the list."""
    if isinstance(raw, Mapping):
        raw = _either(raw, "rules", "acl", "value")
    if not isinstance(raw, list):
        note.append(DataNote(where, "the endpoint ACL is no list"))
        return None
    entries = []
    for item in raw:
        row = obj(item)
        order = number(_either(row, "order", "ruleid"))
        action = text(_either(row, "action")).casefold()
        subnet = _either(row, "remotesubnet", "subnet")
        span = prefix_range(subnet) if isinstance(subnet, str) else None
        permit = {"permit": True, "deny": False}.get(action)
        if order is None or permit is None or span is None:
            note.append(DataNote(where, f"ACL row {shown(item)} can't be read"))
        entries.append(AclEntry(order, permit, (span,) if span else None))
    return tuple(entries)


def _acl_of(acls: object, name: str, where: str, note: list[DataNote]) -> tuple[AclEntry, ...] | None:
    """The ACL of one endpoint out of the answer, which is keyed by endpoint or a list of exported endpoints."""
    if isinstance(acls, Mapping):
        found = {str(k).casefold(): v for k, v in acls.items()}.get(name.casefold())
        if found is None and isinstance(acls.get("endpoints"), list):
            return _acl_of(acls["endpoints"], name, where, note)
        return None if found is None else parse_acl(found, where, note)
    for item in objects(acls):
        if text(_either(item, "name", "endpointname")).casefold() == name.casefold():
            inner = _either(item, "acl", "rules")
            return parse_acl([] if inner is None and "Acl" in item else inner, where, note)
    return None


def parse_classic_vm(resource_key: str, raw: Json, acls: object, note: list[DataNote]) -> ClassicVm:
    """A classic VM; an ACL that the evidence does not show stays unknown, it is not empty."""
    p = properties(raw)
    own_id = arm_id_of(raw, resource_key)
    view, profile = obj(p.get("instanceView")), obj(p.get("networkProfile"))
    listed = profile.get("inputEndpoints")
    exported = acls if isinstance(acls, list) else obj(acls).get("endpoints")
    endpoints = [
        ClassicEndpoint(
            name := text(item.get("endpointName")) or text(_either(item, "name")),
            number(_either(item, "publicport", "port")),
            number(_either(item, "privateport", "localport")),
            transport(_either(item, "protocol")),
            _acl_of(acls, name, f"{own_id}/{name}", note),
        )
        for item in (objects(listed) if isinstance(listed, list) else objects(exported))
    ]
    return ClassicVm(
        resource_key,
        own_id,
        text(view.get("status")),
        _addresses(view.get("publicIpAddresses"), own_id, note),
        _addresses(profile.get("instanceIps"), own_id, note),
        address(view.get("privateIpAddress"), own_id, note),
        tuple(endpoints),
        isinstance(listed, list) or isinstance(exported, list),
        key(profile.get("networkSecurityGroup")),
    )


def _addresses(value: object, where: str, note: list[DataNote]) -> tuple[int, ...]:
    found = []
    for item in texts(value):
        spelled = obj(item).get("address", obj(item).get("ipAddress")) if isinstance(item, Mapping) else item
        if (number_ := address(spelled, where, note)) is not None:
            found.append(number_)
    return tuple(found)
