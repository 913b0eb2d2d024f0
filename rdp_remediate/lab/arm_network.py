"""Reads of network resources, and the effective admin rules of a VNet that are paged through the body."""

from rdp_remediate.lab.arm_http import (
    GROUP,
    SUB,
    Call,
    Reply,
    Route,
    group_not_found,
    network_child_not_found,
    not_found,
)

_KINDS = (
    "networkInterfaces", "networkSecurityGroups", "virtualNetworks", "publicIPAddresses", "loadBalancers",
    "routeTables", "bastionHosts", "networkWatchers", "applicationSecurityGroups", "azureFirewalls", "natGateways",
    "virtualNetworkGateways", "localNetworkGateways", "connections",
)  # fmt: skip


async def get_resource(call: Call) -> Reply:
    """GET of a top-level network resource, ETag in the header as on every network GET."""
    resource = call.world.resources.get(call.path.rstrip("/").lower())
    if resource is None:
        raise not_found(call.path.rstrip("/"))
    headers = {"ETag": resource["etag"]} if "etag" in resource else {}
    return Reply(200, resource, headers)


async def get_child(call: Call) -> Reply:
    """GET of a subnet or another nested resource."""
    parent = call.parent(2)
    if parent.lower() not in call.world.resources:
        raise not_found(parent)
    child = call.world.find(call.path)
    if child is None:
        raise network_child_not_found(call.path)
    return Reply(200, child, {"ETag": child["etag"]} if "etag" in child else {})


async def list_resources(call: Call) -> Reply:
    """Lists network resources of one type in a group or the subscription."""
    kind = call.path.rstrip("/").rsplit("/", 1)[1]
    scope = call.parent(3)
    if "resourcegroups" in scope.lower() and not any(
        rid.startswith(f"{scope.lower()}/") for rid in call.world.resources
    ):
        raise group_not_found(call.params["rg"])
    return Reply(200, {"value": list(call.world.of_type(f"Microsoft.Network/{kind}", f"{scope}/"))})


async def list_gateway_connections(call: Call) -> Reply:
    """The connections of a gateway; as on Azure, the entries of the list hold no status."""
    gateway = call.parent(1)
    if gateway.lower() not in call.world.resources:
        raise not_found(gateway)
    found = []
    for one in call.world.of_type("Microsoft.Network/connections"):
        properties = one["properties"]
        if str((properties.get("virtualNetworkGateway1") or {}).get("id", "")).lower() == gateway.lower():
            shown = {key: value for key, value in properties.items() if key != "connectionStatus"}
            found.append({**one, "properties": shown})
    return Reply(200, {"value": found})


async def list_admin_rules(call: Call) -> Reply:
    """POST listNetworkManagerEffectiveSecurityAdminRules: the next page is asked for in the body, no nextLink."""
    vnet = call.parent()
    if vnet.lower() not in call.world.resources:
        raise not_found(vnet)
    rules = call.world.admin_rules.get(vnet.lower(), [])
    token = str(call.json().get("skipToken") or "0")
    begin = int(token) if token.isdigit() else 0
    end = begin + call.world.admin_rules_page_size
    answer: dict[str, object] = {"value": rules[begin:end]}
    if end < len(rules):
        answer["skipToken"] = str(end)
    return Reply(200, answer)


async def list_service_tags(call: Call) -> Reply:
    """GET of the service tags of a location."""
    location = call.params["location"]
    values = [
        {
            "name": name,
            "id": name,
            "properties": {
                "changeNumber": "1",
                "region": name.partition(".")[2].lower(),
                "state": "GA",
                "networkFeatures": ["API", "NSG", "UDR", "FW"],
                "systemService": name.partition(".")[0],
                "addressPrefixes": prefixes,
            },
        }
        for name, prefixes in call.world.service_tags.items()
    ]
    rid = f"/subscriptions/{call.params['sub']}/providers/Microsoft.Network/serviceTags/Public"
    body = {
        "name": "Public",
        "id": rid,
        "type": "Microsoft.Network/serviceTags",
        "changeNumber": "1",
        "cloud": "Public",
    }
    return Reply(200, {**body, "values": values, "location": location})


def routes() -> list[Route]:
    """The routes of this area; child routes stand before the general ones."""
    network = "providers/Microsoft.Network"
    found = [
        Route(
            "POST",
            f"{GROUP}/{network}/virtualNetworks/{{vnet}}/listNetworkManagerEffectiveSecurityAdminRules",
            "Microsoft.Network/virtualNetworks/listNetworkManagerEffectiveSecurityAdminRules/action",
            list_admin_rules,
            drop=1,
        ),
        Route(
            "GET",
            f"{GROUP}/{network}/virtualNetworkGateways/{{gateway}}/connections",
            "Microsoft.Network/virtualNetworkGateways/connections/read",
            list_gateway_connections,
            drop=1,
        ),
        Route(
            "GET",
            f"{SUB}/{network}/locations/{{location}}/serviceTags",
            "Microsoft.Network/locations/serviceTags/read",
            list_service_tags,
            drop=5,
        ),
        Route(
            "GET",
            f"{GROUP}/{network}/virtualNetworks/{{vnet}}/subnets/{{subnet}}",
            "Microsoft.Network/virtualNetworks/subnets/read",
            get_child,
        ),
    ]
    for kind in _KINDS:
        action = f"Microsoft.Network/{kind}/read"
        found.append(Route("GET", f"{GROUP}/{network}/{kind}/{{name}}", action, get_resource))
        found.append(Route("GET", f"{GROUP}/{network}/{kind}", action, list_resources, drop=3))
        found.append(Route("GET", f"{SUB}/{network}/{kind}", action, list_resources, drop=3))
    return found
