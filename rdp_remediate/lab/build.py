"""Builds the world of a scenario: the healthy subscription, then what was done to it."""

from copy import deepcopy
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import uuid4

from rdp_remediate.errors import UsageError
from rdp_remediate.lab import healthy
from rdp_remediate.lab.guest_runtime import GuestRuntime
from rdp_remediate.lab.healthy import Resource
from rdp_remediate.lab.json_ops import apply_ops, substitute
from rdp_remediate.lab.names import VECTOR_SUBSCRIPTION, Names
from rdp_remediate.lab.packet_match import is_public
from rdp_remediate.lab.rbac import LAB_IDENTITY, Assignment, lock_scope
from rdp_remediate.lab.scenario import Scenario
from rdp_remediate.lab.time_shift import format_moment, parse_moment, shift
from rdp_remediate.lab.world import World, utc_now

SERVICE_TAGS = {
    "AzureCloud.westeurope": ["20.50.0.0/16"],
    "AzureCloud": ["20.50.0.0/16", "40.64.0.0/10"],
    "Storage.WestEurope": ["20.60.0.0/16"],
}
DEFAULT_HEALTH = {
    "availabilityState": "Available",
    "title": "Available",
    "summary": "There aren't any known Azure platform problems affecting this virtual machine.",
    "reasonType": "",
    "occuredTime": "2026-01-12T03:10:00Z",
    "reasonChronicity": "Persistent",
    "reportedTime": "2026-01-15T09:58:00Z",
}
# what the time shift must not touch: validity of public certificates says nothing about when the scenario plays
_UNSHIFTED_STORES = ("LocalMachine\\Root", "LocalMachine\\CA", "LocalMachine\\AuthRoot", "CurrentUser\\Root")


def placeholders(names: Names) -> dict[str, str]:
    """Returns what stands for the names of the lab in the strings of a scenario."""
    ids = names.role_ids
    return {
        "{vm}": ids["vm"],
        "{vnet}": ids["vnet"],
        "{nic}": ids["nic"],
        "{pip}": ids["pip"],
        "{subnet}": ids["subnet"],
        "{nic_nsg}": ids["nic_nsg"],
        "{subnet_nsg}": ids["subnet_nsg"],
        "{route_table}": ids["route_table"],
        "{resource_group}": names.group_id,
        "{subscription}": names.subscription_id,
        "{location}": names.location,
        "{nic_rule}": names.nic_rule,
        "{subnet_rule}": names.subnet_rule,
        "{private_ip}": names.private_address,
        "{public_ip}": names.public_address,
        f"/subscriptions/{VECTOR_SUBSCRIPTION}": names.subscription_id,
    }


def build_world(scenario: Scenario, runtime: GuestRuntime, names: Names | None = None) -> World:
    """Returns the world in which everything of the scenario has been done and its `now` is the real one.

    Raises:
        UsageError: an operation leads nowhere, or the guest runtime does not have the scenario's base.
    """
    names = names or Names()
    fill = placeholders(names)
    guest = runtime.healthy_state(scenario.base or "server2022")
    then, now = parse_moment(guest["now"]), utc_now()
    delta = timedelta(seconds=round((now - then).total_seconds()))
    apply_ops(guest, substitute(deepcopy(scenario.guest), fill))
    if names.private_address != "10.0.0.4":
        guest = substitute(guest, {"10.0.0.4": names.private_address})
    guest = _shift_guest(guest, delta)
    base = {str(r["id"]).lower(): r for r in healthy.resources(names, guest["os"]["computer_name"], scenario.sources)}
    vm = base[names.role_ids["vm"].lower()]
    caption = str(guest["os"]["caption"]).removeprefix("Microsoft ")
    view = healthy.ready_instance_view(vm, caption, str(guest["os"]["version"]), format_moment(then))
    world = World(names=names, scenario=scenario, resources=base, instance_views={}, guests={})
    world.instance_views[world.vm_id.lower()] = view
    for scope in _scopes(names):
        world.add(scope)
    _connect_private_client(world, scenario)
    _apply_arm(world, scenario, fill, view)
    world.resources = shift(world.resources, delta)
    world.instance_views = shift(world.instance_views, delta)
    world.guests[world.vm_id.lower()] = runtime.settle(guest)
    _place_operations(world, substitute(shift(scenario.operations, delta), fill))
    _place_history(world, scenario, fill, delta)
    world.principals[LAB_IDENTITY.object_id] = LAB_IDENTITY
    world.assignments.append(Assignment(LAB_IDENTITY.object_id, names.subscription_id))
    world.guest_readable = scenario.guest_readable
    world.service_tags.update({k: v for k, v in SERVICE_TAGS.items() if k not in world.service_tags})
    return world


def _scopes(names: Names) -> list[Resource]:
    """The subscription and its groups, which have tags as resources have."""
    groups = {names.resource_group, "NetworkWatcherRG"}
    return [
        {
            "id": names.subscription_id,
            "name": names.subscription,
            "type": "Microsoft.Resources/subscriptions",
            "tags": {},
        },
        *(
            {
                "id": f"{names.subscription_id}/resourceGroups/{group}",
                "name": group,
                "type": "Microsoft.Resources/resourceGroups",
                "location": names.location,
                "tags": {},
                "properties": {"provisioningState": "Succeeded"},
            }
            for group in sorted(groups)
        ),
    ]


def _connect_private_client(world: World, scenario: Scenario) -> None:
    """A client with a private address outside the VNet comes over a peering; without one no packet would return."""
    vnet = world.resources[world.names.role_ids["vnet"].lower()]
    inside = [ip_network(p) for p in vnet["properties"]["addressSpace"]["addressPrefixes"]]
    client = ip_address(scenario.ask.client) if scenario.ask.client else None
    if client is None or is_public(client) or any(client in network for network in inside):
        return
    remote = world.names.network("virtualNetworks", "vnet-office")
    space = {"addressPrefixes": [str(ip_network(f"{client}/{24 if client.version == 4 else 64}", strict=False))]}
    vnet["properties"]["virtualNetworkPeerings"].append(
        {
            "id": f"{vnet['id']}/virtualNetworkPeerings/to-office",
            "name": "to-office",
            "etag": vnet["etag"],
            "type": "Microsoft.Network/virtualNetworks/virtualNetworkPeerings",
            "properties": {
                "provisioningState": "Succeeded",
                "peeringState": "Connected",
                "peeringSyncLevel": "FullyInSync",
                "remoteVirtualNetwork": {"id": remote},
                "allowVirtualNetworkAccess": True,
                "allowForwardedTraffic": False,
                "allowGatewayTransit": False,
                "useRemoteGateways": False,
                "remoteAddressSpace": space,
                "remoteVirtualNetworkAddressSpace": space,
            },
        }
    )


def _shift_guest(guest: dict[str, Any], delta: timedelta) -> dict[str, Any]:
    kept = {s: guest.get("certificates", {}).get(s) for s in _UNSHIFTED_STORES}
    moved: dict[str, Any] = shift(guest, delta)
    for store, entries in kept.items():
        if entries is not None:
            moved["certificates"][store] = entries
    return moved


def _apply_arm(world: World, scenario: Scenario, fill: dict[str, str], view: Resource) -> None:
    ids = world.names.role_ids
    vnet = world.resources[ids["vnet"].lower()]
    documents: dict[str, Any] = {
        role: world.resources[ids[role].lower()]
        for role in ("vm", "nic", "pip", "nic_nsg", "subnet_nsg", "route_table")
    }
    documents |= {"instance_view": view, "vnet": vnet, "subnet": vnet["properties"]["subnets"][0]}
    answers: dict[str, Any] = {role: {"value": []} for role in ("jit_policies", "admin_rules", "role_assignments")}
    for role, ops in scenario.arm.items():
        target = documents.get(role, answers.get(role))
        if target is None:
            raise UsageError(f"{scenario.name}: arm.{role} is no role.")
        apply_ops(target, substitute(deepcopy(ops), fill))
    world.jit_policies.extend(answers["jit_policies"]["value"])
    world.admin_rules[ids["vnet"].lower()] = answers["admin_rules"]["value"]
    if answers["role_assignments"]["value"]:
        world.user_roles[ids["vm"].lower()] = answers["role_assignments"]["value"]
    for resource in substitute(deepcopy(scenario.extra), fill):
        inside = resource.get("properties", {}).pop("instanceView", None)
        world.add(resource)
        if inside is not None:
            world.instance_views[str(resource["id"]).lower()] = inside
    if scenario.policy is not None and scenario.policy.tags:
        documents["vm"]["tags"] = {**documents["vm"].get("tags", {}), **scenario.policy.tags}
    _complete(world)


def _complete(world: World) -> None:
    """Gives parts that a scenario wrote shortly the ids and lists that ARM always shows."""
    for resource in list(world.resources.values()):
        kind = str(resource.get("type", "")).lower()
        properties = resource.get("properties", {})
        if kind == "microsoft.network/networksecuritygroups":
            for rule in properties.get("securityRules", []):
                complete_rule(resource, rule)
        elif kind in ("microsoft.network/virtualnetworks", "microsoft.network/routetables"):
            part = "subnets" if kind.endswith("virtualnetworks") else "routes"
            for child in properties.get(part, []):
                child.setdefault("id", f"{resource['id']}/{part}/{child['name']}")
                child.setdefault("etag", resource.get("etag", healthy.etag(resource["id"])))
                child.setdefault("type", f"{resource['type']}/{part}")
                child.setdefault("properties", {}).setdefault("provisioningState", "Succeeded")
        elif kind == "microsoft.network/networkinterfaces":
            for child in properties.get("ipConfigurations", []):
                child.setdefault("id", f"{resource['id']}/ipConfigurations/{child['name']}")
    _list_in_subnets(world)
    _unlink(world)


def _list_in_subnets(world: World) -> None:
    """Names every NIC's IP configurations in their subnet, as ARM does in a VNet."""
    for nic in world.of_type("Microsoft.Network/networkInterfaces"):
        for child in nic["properties"].get("ipConfigurations", []):
            subnet = world.find(str(child["properties"].get("subnet", {}).get("id", "")))
            if subnet is None:
                continue
            held = subnet["properties"].setdefault("ipConfigurations", [])
            if not any(str(one["id"]).lower() == str(child["id"]).lower() for one in held):
                held.append({"id": child["id"]})


def _unlink(world: World) -> None:
    """Removes the back-references that ARM would not show once the other end is gone."""
    configurations = {
        str(c["id"]).lower(): c
        for nic in world.of_type("Microsoft.Network/networkInterfaces")
        for c in nic["properties"].get("ipConfigurations", [])
    }
    for address in world.of_type("Microsoft.Network/publicIPAddresses"):
        owner = str(address["properties"].get("ipConfiguration", {}).get("id", "")).lower()
        if owner in configurations:
            held = configurations[owner]["properties"].get("publicIPAddress", {}).get("id", "")
            if held.lower() != address["id"].lower():
                del address["properties"]["ipConfiguration"]
    ids = world.names.role_ids
    subnet = world.find(ids["subnet"])
    table = world.find(ids["route_table"])
    if subnet and table and "routeTable" in subnet["properties"]:
        table["properties"]["subnets"] = [{"id": subnet["id"]}]
    nic = world.find(ids["nic"])
    for role, holder, link in (("nic_nsg", nic, "networkInterfaces"), ("subnet_nsg", subnet, "subnets")):
        group = world.find(ids[role])
        if group and holder and "networkSecurityGroup" not in holder["properties"]:
            group["properties"].pop(link, None)


def complete_rule(group: Resource, rule: Resource) -> None:
    """Gives a security rule its id, etag, type and the empty plural lists that belong to singular fields."""
    rule.setdefault("id", f"{group['id']}/securityRules/{rule['name']}")
    rule.setdefault("etag", group.get("etag", healthy.etag(group["id"])))
    rule.setdefault("type", "Microsoft.Network/networkSecurityGroups/securityRules")
    properties = rule["properties"]
    properties.setdefault("provisioningState", "Succeeded")
    for singular in ("sourcePortRange", "destinationPortRange"):
        properties.setdefault(f"{singular}s", [])
    for singular in ("sourceAddressPrefix", "destinationAddressPrefix"):
        properties.setdefault(f"{singular}es", [])


def _place_operations(world: World, operations: dict[str, Any]) -> None:
    """Puts the answers that a scenario gives for reads where the lab computes them from."""

    def values(key: str) -> list[dict[str, Any]]:
        return list((operations.get(key) or {}).get("value", []))

    world.jit_policies.extend(values("jit_policies"))
    for policy in world.jit_policies:
        policy.setdefault("location", world.names.location)
        where = f"{world.names.group_id}/providers/Microsoft.Security/locations/{policy['location']}"
        policy.setdefault("id", f"{where}/jitNetworkAccessPolicies/{policy.get('name', 'default')}")
    world.locks.extend(_own_locks(world, values("locks")))
    for host in values("bastion_hosts"):
        world.add({"location": world.names.location, **host})
    for vnet, answer in (operations.get("effective_admin_rules") or {}).items():
        world.admin_rules[vnet.lower()] = list(answer.get("value", []))
    for scope, answer in (operations.get("role_assignments") or {}).items():
        world.user_roles[scope.lower()] = list(answer.get("value", []))
    for answer in (operations.get("service_tags") or {}).values():
        world.service_tags.update({v["name"]: v["properties"]["addressPrefixes"] for v in answer.get("values", [])})
    for key in ("effective_security_rules", "effective_routes"):
        for nic, answer in (operations.get(key) or {}).items():
            world.overrides[f"{key}:{nic.lower()}"] = answer


def _own_locks(world: World, locks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A lock on a group that does not exist here stands for a lock on the target's own group."""
    groups = {rid.split("/providers/")[0] for rid in world.resources}
    own = []
    for lock in locks:
        scope = lock_scope(lock)
        known = any(f"{g}/".startswith(f"{scope.lower()}/") for g in groups) or scope.lower() in world.resources
        own.append(lock if known else substitute(lock, {scope: world.names.group_id}))
    return own


def _place_history(world: World, scenario: Scenario, fill: dict[str, str], delta: timedelta) -> None:
    health = DEFAULT_HEALTH if scenario.health is None else scenario.health
    world.health = substitute(shift(health, delta), fill)
    world.annotations = substitute(shift(scenario.annotations, delta), fill)
    world.boot_log = shift(scenario.boot_log, delta) if scenario.boot_log is not None else None
    locked = {lock_scope(lock): None for lock in (scenario.operations.get("locks") or {}).get("value", [])}
    moved = {substitute(scope, fill): world.names.group_id for scope in locked}
    known = {rid.split("/providers/")[0] for rid in world.resources}
    moved = {scope: own for scope, own in moved.items() if scope.lower() not in known}
    for event in substitute(substitute(shift(scenario.activity, delta), fill), moved):
        event.setdefault("submissionTimestamp", event["eventTimestamp"])
        event.setdefault("correlationId", str(uuid4()))
        world.activity.append(event)
