"""Route tables: single routes are read, written and deleted, with the validation of the network provider."""

from copy import deepcopy
from ipaddress import ip_network
from typing import Any

from rdp_remediate.lab.arm_http import GROUP, NOTHING, ArmError, Call, Reply, Route, network_child_not_found, not_found
from rdp_remediate.lab.arm_nsg import precondition
from rdp_remediate.lab.healthy import Resource

TABLE = f"{GROUP}/providers/Microsoft.Network/routeTables/{{table}}"
ROUTE = f"{TABLE}/routes/{{route}}"
_HOPS = ("VirtualNetworkGateway", "VnetLocal", "Internet", "VirtualAppliance", "None")
_FIELDS = ("addressPrefix", "nextHopType", "nextHopIpAddress")


def table_of(call: Call) -> Resource:
    """Returns the route table of a route; its routes have ids and etags afterwards.

    Raises:
        ArmError: it does not exist.
    """
    table_id = call.parent(2)
    table = call.world.resources.get(table_id.lower())
    if table is None:
        raise not_found(table_id)
    for route in table["properties"].setdefault("routes", []):
        route.setdefault("id", f"{table['id']}/routes/{route['name']}")
        route.setdefault("etag", table.get("etag", 'W/"1"'))
        route["properties"].setdefault("provisioningState", "Succeeded")
    return table


async def get_route(call: Call) -> Reply:
    """GET of one route."""
    table_of(call)
    route = call.world.find(call.path)
    if route is None:
        raise network_child_not_found(call.path)
    return Reply(200, route, {"ETag": route["etag"]})


def check_route(table: Resource, name: str, properties: dict[str, Any]) -> None:
    """Refuses a route as the network provider does.

    Raises:
        ArmError: 400 with the provider's code.
    """
    hop, address = str(properties.get("nextHopType", "")), properties.get("nextHopIpAddress")
    prefix = str(properties.get("addressPrefix", ""))
    if hop.lower() not in {one.lower() for one in _HOPS}:
        raise ArmError(400, "InvalidRequestFormat", f"The next hop type {hop!r} is invalid.", details=[])
    if (hop.lower() == "virtualappliance") != bool(address):
        raise ArmError(
            400,
            "InvalidRouteNextHopIp",
            f"Route {name} needs a next hop address with VirtualAppliance only.",
            details=[],
        )
    try:
        ip_network(prefix)
    except ValueError:
        raise ArmError(
            400, "InvalidAddressPrefix", f"Prefix {prefix} of the route {name} is invalid.", details=[]
        ) from None
    for other in table["properties"]["routes"]:
        if other["name"].lower() != name.lower() and other["properties"].get("addressPrefix") == prefix:
            raise ArmError(
                400,
                "RouteConflict",
                f"Route {name} has the address prefix {prefix} of the route {other['name']}.",
                details=[],
            )


async def put_route(call: Call) -> Reply:
    """PUT of one route: 201 or 200, provisioningState Updating, Azure-AsyncOperation and Retry-After."""
    table = table_of(call)
    current = call.world.find(call.path)
    precondition(call, current)
    name = current["name"] if current else call.params["route"]
    properties = call.json().get("properties") or {}
    check_route(table, name, properties)
    kept = {key: properties[key] for key in _FIELDS if properties.get(key) not in (None, "")}
    route: Resource = {
        "name": name,
        "id": f"{table['id']}/routes/{name}",
        "type": "Microsoft.Network/routeTables/routes",
        "properties": {"provisioningState": "Updating", **kept},
    }
    routes = table["properties"]["routes"]
    if current is not None:
        routes[routes.index(current)] = route
    else:
        routes.append(route)
    call.world.renew_etag(table)
    action = "Microsoft.Network/routeTables/routes/write"
    call.world.record(action, route["id"], call.principal, "Started", call.correlation)

    async def work() -> None:
        route["properties"]["provisioningState"] = "Succeeded"
        call.world.renew_etag(table)
        call.world.record(action, route["id"], call.principal, "Succeeded", call.correlation)
        await call.world.changed()

    shown = deepcopy(route)
    operations = call.context.operations
    operation = operations.start(call, "network", "nsg_write", work)
    return Reply(200 if current else 201, shown, operations.put_headers(call, operation))


async def delete_route(call: Call) -> Reply:
    """DELETE of one route: 202 with Location, Azure-AsyncOperation and Retry-After; 204 when there is none."""
    table = table_of(call)
    route = call.world.find(call.path)
    if route is None:
        return Reply(204, NOTHING)
    precondition(call, route)
    action = "Microsoft.Network/routeTables/routes/delete"
    call.world.record(action, route["id"], call.principal, "Started", call.correlation)

    async def work() -> None:
        routes = table["properties"]["routes"]
        table["properties"]["routes"] = [one for one in routes if one is not route]
        call.world.renew_etag(table)
        call.world.record(action, route["id"], call.principal, "Succeeded", call.correlation)
        await call.world.changed()

    operations = call.context.operations
    return operations.accepted(call, operations.start(call, "network", "nsg_write", work))


def routes() -> list[Route]:
    """The routes of this area."""
    base = "Microsoft.Network/routeTables/routes"
    return [
        Route("GET", ROUTE, f"{base}/read", get_route),
        Route("PUT", ROUTE, f"{base}/write", put_route),
        Route("DELETE", ROUTE, f"{base}/delete", delete_route),
    ]
