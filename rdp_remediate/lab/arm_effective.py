"""Effective security rules and routes of a NIC, with the recorded quirks (azure-facts.md section 2)."""

from typing import Any

from rdp_remediate.lab.address_space import effective_routes, expand_tag
from rdp_remediate.lab.arm_http import GROUP, ArmError, Call, Reply, Route, not_found
from rdp_remediate.lab.healthy import Resource
from rdp_remediate.lab.world import World

NIC = f"{GROUP}/providers/Microsoft.Network/networkInterfaces/{{nic}}"


def _range(port: str) -> str:
    if port == "*":
        return "0-65535"
    return port if "-" in port else f"{port}-{port}"


def _shown(prefix: str) -> str:
    if prefix == "*":
        return "0.0.0.0/0"
    if prefix[0].isdigit() and "/" not in prefix:
        return f"{prefix}/32"
    return prefix


def _group_members(world: World, group_ids: list[dict[str, str]]) -> list[str]:
    wanted = {str(g["id"]).lower() for g in group_ids}
    return [
        f"{c['properties']['privateIPAddress']}/32"
        for nic in world.of_type("Microsoft.Network/networkInterfaces")
        for c in nic["properties"].get("ipConfigurations", [])
        if any(str(a["id"]).lower() in wanted for a in c["properties"].get("applicationSecurityGroups", []))
    ]


def _side(world: World, nic: Resource, properties: dict[str, Any], side: str) -> dict[str, Any]:
    single = properties.get(f"{side}AddressPrefix")
    raw = [*([single] if single else []), *(properties.get(f"{side}AddressPrefixes") or [])]
    raw += _group_members(world, properties.get(f"{side}ApplicationSecurityGroups") or [])
    prefixes = [_shown(str(p)) for p in raw]
    # recorded: the whole address space stands twice in the plural list
    plural = prefixes * 2 if prefixes == ["0.0.0.0/0"] else prefixes
    ports = [_range(str(p)) for p in properties.get(f"{side}PortRanges") or []]
    ports = ports or [_range(str(properties.get(f"{side}PortRange", "*")))]
    fields: dict[str, Any] = {f"{side}PortRange": ports[0], f"{side}PortRanges": ports}
    if len(prefixes) == 1:
        fields[f"{side}AddressPrefix"] = prefixes[0]
    fields[f"{side}AddressPrefixes"] = plural
    tags = [p for p in prefixes if not p[0].isdigit() and ":" not in p]
    expanded = [e for tag in tags for e in expand_tag(world, nic, tag)]
    if expanded:
        fields[f"expanded{side.capitalize()}AddressPrefix"] = expanded
    return fields


def effective_rule(world: World, nic: Resource, rule: Resource, kind: str) -> dict[str, Any]:
    """Returns a rule as the effective view shows it: no id, no properties, singular and plural filled."""
    properties = rule["properties"]
    protocol = "All" if properties["protocol"] == "*" else str(properties["protocol"]).capitalize()
    source, destination = _side(world, nic, properties, "source"), _side(world, nic, properties, "destination")
    order = ("PortRange", "PortRanges", "AddressPrefix", "AddressPrefixes")
    fields: dict[str, Any] = {"name": f"{kind}/{rule['name']}", "protocol": protocol}
    for suffix in order:
        for side, values in (("source", source), ("destination", destination)):
            if f"{side}{suffix}" in values:
                fields[f"{side}{suffix}"] = values[f"{side}{suffix}"]
    for side, values in (("Source", source), ("Destination", destination)):
        if f"expanded{side}AddressPrefix" in values:
            fields[f"expanded{side}AddressPrefix"] = values[f"expanded{side}AddressPrefix"]
    fields |= {"access": properties["access"], "priority": properties["priority"], "direction": properties["direction"]}
    return fields


def effective_groups(world: World, nic: Resource) -> list[dict[str, Any]]:
    """Returns one entry per NSG that applies: the subnet's and the NIC's are separate and both must allow."""
    override = world.overrides.get(f"effective_security_rules:{nic['id'].lower()}")
    if override is not None:
        return list(override.get("value", []))
    subnet = world.find(nic["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"])
    layers = [("networkInterface", nic), ("subnet", subnet)]
    entries = []
    for layer, holder in layers:
        group = world.find((holder or {}).get("properties", {}).get("networkSecurityGroup", {}).get("id", ""))
        if holder is None or group is None:
            continue
        rules = [
            effective_rule(world, nic, rule, kind)
            for kind in ("securityRules", "defaultSecurityRules")
            for rule in group["properties"][kind]
        ]
        tags = {
            str(rule[f"{side}AddressPrefix"]): rule[f"expanded{side.capitalize()}AddressPrefix"]
            for rule in rules
            for side in ("source", "destination")
            if f"expanded{side.capitalize()}AddressPrefix" in rule and f"{side}AddressPrefix" in rule
        }
        entries.append(
            {
                "networkSecurityGroup": {"id": group["id"]},
                "association": {layer: {"id": holder["id"]}},
                "effectiveSecurityRules": rules,
                "tagMap": tags,
            }
        )
    return entries


def _running_nic(call: Call, what: str, words: str) -> Resource:
    nic_id = call.parent()
    nic = call.world.resources.get(nic_id.lower())
    if nic is None:
        raise not_found(nic_id)
    vm = nic["properties"].get("virtualMachine", {}).get("id", "")
    if not vm or call.world.power_state(vm) != "running":
        raise ArmError(
            400,
            f"NicMustBeAttachedToRunningVmToGetEffective{what}",
            f"A network interface must be attached to a running virtual machine to get effective {words}. The network "
            f"interface {nic['id']} is not attached to a running virtual machine.",
            details=[],
        )
    return nic


async def list_effective_groups(call: Call) -> Reply:
    """POST effectiveNetworkSecurityGroups: 202 with body `null`; 200 at once and empty when there is no NSG."""
    nic = _running_nic(call, "SecurityGroups", "security groups")
    if not effective_groups(call.world, nic):
        return Reply(200, {"value": []})

    async def work() -> dict[str, Any]:
        return {"value": effective_groups(call.world, nic)}

    operations = call.context.operations
    return operations.accepted(call, operations.start(call, "diagnostics", "diagnostics", work))


async def list_effective_routes(call: Call) -> Reply:
    """POST effectiveRouteTable: 202 with body `null`, then the routes."""
    nic = _running_nic(call, "Routes", "routes")

    async def work() -> dict[str, Any]:
        return {"value": effective_routes(call.world, nic)}

    operations = call.context.operations
    return operations.accepted(call, operations.start(call, "diagnostics", "diagnostics", work))


def routes() -> list[Route]:
    """The routes of this area."""
    base = "Microsoft.Network/networkInterfaces"
    return [
        Route(
            "POST",
            f"{NIC}/effectiveNetworkSecurityGroups",
            f"{base}/effectiveNetworkSecurityGroups/action",
            list_effective_groups,
            drop=1,
        ),
        Route(
            "POST", f"{NIC}/effectiveRouteTable", f"{base}/effectiveRouteTable/action", list_effective_routes, drop=1
        ),
    ]
