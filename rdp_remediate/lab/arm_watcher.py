"""Network Watcher: IP flow verify and next hop (azure-facts.md sections 3 and 4)."""

from ipaddress import ip_address, ip_network
from typing import Any

from rdp_remediate.lab.address_space import effective_routes
from rdp_remediate.lab.arm_compute import existing_vm
from rdp_remediate.lab.arm_http import ArmError, Call, Reply, Route, not_found
from rdp_remediate.lab.healthy import Resource
from rdp_remediate.lab.packet_match import Packet, matches_admin_rule, matches_rule
from rdp_remediate.lab.packets import evidence_of, surroundings

WATCHER = "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.Network/networkWatchers/{watcher}"
_HOPS = {"VnetLocal": "VirtualNetwork"}


def _target_nic(call: Call, body: dict[str, Any], address: str) -> tuple[Resource, dict[str, Any]]:
    if call.parent().lower() not in call.world.resources:
        raise not_found(call.parent())
    vm = existing_vm(call, str(body.get("targetResourceId", "")))
    if call.world.power_state(vm["id"]) != "running":
        raise ArmError(400, "VMNotRunning", f"Virtual machine {vm['id']} must be running to perform this operation.")
    for nic in call.world.nics_of(vm["id"]):
        for configuration in nic["properties"]["ipConfigurations"]:
            if configuration["properties"].get("privateIPAddress") == address:
                return nic, configuration
    raise ArmError(400, "InvalidIPAddress", f"No network interface of {vm['id']} has the address {address}.")


def _decide(call: Call, nic: Resource, configuration: dict[str, Any], packet: Packet, direction: str) -> dict[str, str]:
    evidence = evidence_of(call.world)
    subnet, vnet = call.world.subnet_and_vnet(configuration["properties"]["subnet"]["id"])
    around = surroundings(evidence, nic, configuration, vnet)
    admin = call.world.admin_rules.get(str((vnet or {}).get("id", "")).lower(), [])
    for rule in sorted(admin, key=lambda r: int(r["properties"]["priority"])):
        if str(rule["properties"]["direction"]).lower() == direction and matches_admin_rule(
            rule["properties"], packet, around
        ):
            access = str(rule["properties"]["access"])
            if access == "Allow":
                break
            shown = "Deny" if access == "Deny" else "Allow"
            return {"access": shown, "ruleName": rule["id"].rsplit("/", 1)[1], "ruleId": rule["id"]}
    answer = {"access": "Allow", "ruleName": "", "ruleId": ""}
    holders = [subnet, nic] if direction == "inbound" else [nic, subnet]
    for holder in holders:
        group = call.world.find((holder or {}).get("properties", {}).get("networkSecurityGroup", {}).get("id", ""))
        if group is None:
            continue
        answer = _first_match(group, packet, around, direction)
        if answer["access"] == "Deny":
            break
    return answer


def _first_match(group: Resource, packet: Packet, around: Any, direction: str) -> dict[str, str]:
    rules = [(r, "securityRules") for r in group["properties"]["securityRules"]]
    rules += [(r, "defaultSecurityRules") for r in group["properties"]["defaultSecurityRules"]]
    for rule, kind in sorted(rules, key=lambda pair: int(pair[0]["properties"]["priority"])):
        properties = rule["properties"]
        if str(properties["direction"]).lower() == direction and matches_rule(properties, packet, around):
            return {
                "access": str(properties["access"]),
                "ruleName": f"{kind}/{rule['name']}",
                "ruleId": rule["id"] if kind == "securityRules" else "",
            }
    return {"access": "Deny", "ruleName": "defaultSecurityRules/DenyAllInBound", "ruleId": ""}


async def ip_flow_verify(call: Call) -> Reply:
    """POST ipFlowVerify: one answer for the whole path; a default rule has an empty ruleId."""
    body = call.json()
    nic, configuration = _target_nic(call, body, str(body.get("localIPAddress")))
    direction = str(body.get("direction", "Inbound")).lower()
    local, remote = ip_address(str(body["localIPAddress"])), ip_address(str(body["remoteIPAddress"]))
    port = str(body.get("localPort" if direction == "inbound" else "remotePort", "*"))
    number = int(port) if port.isdigit() else 0
    packet = Packet(remote, local, number) if direction == "inbound" else Packet(local, remote, number)

    async def work() -> dict[str, str]:
        return _decide(call, nic, configuration, packet, direction)

    operations = call.context.operations
    return operations.accepted(call, operations.start(call, "diagnostics", "diagnostics", work))


async def next_hop(call: Call) -> Reply:
    """POST nextHop: VirtualNetwork where the effective route says VnetLocal; no address key when there is none."""
    body = call.json()
    nic, _ = _target_nic(call, body, str(body.get("sourceIPAddress")))
    wanted = ip_address(str(body["destinationIPAddress"]))
    best: tuple[tuple[int, int], dict[str, Any]] | None = None
    for route in effective_routes(call.world, nic):
        for prefix in route["addressPrefix"]:
            network = ip_network(prefix, strict=False)
            if route["state"] == "Active" and network.version == wanted.version and wanted in network:
                rank = (network.prefixlen, {"User": 2, "VirtualNetworkGateway": 1}.get(route["source"], 0))
                best = max(best, (rank, route), key=lambda c: c[0]) if best else (rank, route)
    hop = best[1]["nextHopType"] if best else "None"
    answer = {"nextHopType": _HOPS.get(hop, hop), "routeTableId": "System Route"}
    if best and best[1]["source"] == "User":
        subnet, _ = call.world.subnet_and_vnet(nic["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"])
        answer["routeTableId"] = (subnet or {}).get("properties", {}).get("routeTable", {}).get("id", "")
    if best and best[1]["nextHopIpAddress"]:
        answer["nextHopIpAddress"] = best[1]["nextHopIpAddress"][0]

    async def work() -> dict[str, str]:
        return answer

    operations = call.context.operations
    return operations.accepted(call, operations.start(call, "diagnostics", "diagnostics", work))


def routes() -> list[Route]:
    """The routes of this area."""
    base = "Microsoft.Network/networkWatchers"
    return [
        Route("POST", f"{WATCHER}/ipFlowVerify", f"{base}/ipFlowVerify/action", ip_flow_verify, drop=1),
        Route("POST", f"{WATCHER}/nextHop", f"{base}/nextHop/action", next_hop, drop=1),
    ]
