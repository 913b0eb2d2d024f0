"""A small network as plain ARM JSON, for tests: one VM behind a public address, both NSG layers, one peered VNet."""

from collections.abc import Sequence
from typing import Any

from rdp_remediate.facts.network import parse_network
from rdp_remediate.facts.network_model import NetworkFacts
from rdp_remediate.lab.packet_entry import Evidence

Json = dict[str, Any]

GROUP = "/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/rg-net"
NET = f"{GROUP}/providers/Microsoft.Network"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm-app"
VNET = f"{NET}/virtualNetworks/vnet-app"
SUBNET = f"{VNET}/subnets/snet-app"
NIC = f"{NET}/networkInterfaces/nic-app"
SUBNET_NSG = f"{NET}/networkSecurityGroups/nsg-subnet"
NIC_NSG = f"{NET}/networkSecurityGroups/nsg-nic"
TABLE = f"{NET}/routeTables/rt-app"
PRIVATE, PUBLIC, CLIENT = "10.1.2.4", "52.10.20.30", "203.0.113.7"


def resource(resource_id: str, kind: str, properties: Json, **extra: Any) -> Json:
    return {
        "id": resource_id,
        "name": resource_id.rsplit("/", 1)[1],
        "type": f"Microsoft.Network/{kind}",
        "location": "westeurope",
        "properties": properties,
        **extra,
    }


def rule(name: str, priority: Any, access: str = "Allow", **fields: Any) -> Json:
    """A rule with ARM's fields; `source`, `destination`, `port` set the singular ones."""
    short = {"source": "sourceAddressPrefix", "destination": "destinationAddressPrefix", "port": "destinationPortRange"}
    properties = {
        "protocol": "Tcp",
        "access": access,
        "direction": "Inbound",
        "priority": priority,
        "sourcePortRange": "*",
        "sourceAddressPrefix": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": "3389",
    }
    for key, value in fields.items():
        properties[short.get(key, key)] = value
    return {"name": name, "properties": {key: value for key, value in properties.items() if value is not None}}


def nsg(resource_id: str, rules: Sequence[Json], **fields: Any) -> Json:
    listed = [{"id": f"{resource_id}/securityRules/{one['name']}", **one} for one in rules]
    defaults = [
        {"id": f"{resource_id}/defaultSecurityRules/{one['name']}", **one}
        for one in (
            rule(
                "AllowVnetInBound", 65000, source="VirtualNetwork", destination="VirtualNetwork", port="*", protocol="*"
            ),
            rule("AllowAzureLoadBalancerInBound", 65001, source="AzureLoadBalancer", port="*", protocol="*"),
            rule("DenyAllInBound", 65500, "Deny", port="*", protocol="*"),
        )
    ]
    properties = {"provisioningState": "Succeeded", "securityRules": listed, "defaultSecurityRules": defaults, **fields}
    return resource(resource_id, "networkSecurityGroups", properties)


def ip_configuration(nic: str, name: str, address: str, **fields: Any) -> Json:
    return {
        "id": f"{nic}/ipConfigurations/{name}",
        "name": name,
        "properties": {"primary": name == "ipconfig1", "privateIPAddress": address, "subnet": {"id": SUBNET}, **fields},
    }


def route(prefix: str, hop: str, source: str = "Default", state: str = "Active") -> Json:
    return {
        "source": source,
        "state": state,
        "addressPrefix": [prefix],
        "nextHopType": hop,
        "nextHopIpAddress": ["10.9.255.4"] if hop == "VirtualAppliance" else [],
    }


def system_routes() -> list[Json]:
    hops = {
        "10.1.0.0/16": "VnetLocal",
        "10.9.0.0/16": "VNetPeering",
        "0.0.0.0/0": "Internet",
        "10.0.0.0/8": "None",
        "172.16.0.0/12": "None",
        "192.168.0.0/16": "None",
        "100.64.0.0/10": "None",
    }
    return [route(prefix, hop) for prefix, hop in hops.items()]


def bundle(
    *,
    subnet_rules: Sequence[Json] | None = None,
    nic_rules: Sequence[Json] | None = None,
    sku: str | None = "Standard",
    admin: Sequence[Json] | None = (),
    effective_routes: Sequence[Json] | None = None,
    user_routes: Sequence[Json] = (),
    extra: Sequence[Json] = (),
    operations: Json | None = None,
    nic_fields: Json | None = None,
    ip_fields: Json | None = None,
    gateway: bool = False,
) -> Json:
    """A bundle; `None` for rules means that there is no NSG on that layer, `None` for admin that they were not read."""
    resources: list[Json] = []
    subnet: Json = {"addressPrefix": "10.1.2.0/24"}
    pip = f"{NET}/publicIPAddresses/pip-app"
    own = ip_configuration(NIC, "ipconfig1", PRIVATE, **({"publicIPAddress": {"id": pip}} if sku else {}))
    own["properties"].update(ip_fields or {})
    nic: Json = {"virtualMachine": {"id": VM}, "primary": True, "ipConfigurations": [own], **(nic_fields or {})}
    if subnet_rules is not None:
        subnet["networkSecurityGroup"] = {"id": SUBNET_NSG}
        resources.append(nsg(SUBNET_NSG, subnet_rules, subnets=[{"id": SUBNET}]))
    if nic_rules is not None:
        nic["networkSecurityGroup"] = {"id": NIC_NSG}
        resources.append(nsg(NIC_NSG, nic_rules, networkInterfaces=[{"id": NIC}]))
    if user_routes:
        subnet["routeTable"] = {"id": TABLE}
        resources.append(resource(TABLE, "routeTables", {"routes": list(user_routes)}))
    if sku:
        resources.append(
            resource(
                pip, "publicIPAddresses", {"ipAddress": PUBLIC, "ipConfiguration": {"id": own["id"]}}, sku={"name": sku}
            )
        )
    subnets = [{"id": SUBNET, "name": "snet-app", "properties": subnet}]
    if gateway:
        subnets.append(
            {
                "id": f"{VNET}/subnets/GatewaySubnet",
                "name": "GatewaySubnet",
                "properties": {"addressPrefix": "10.1.255.0/27"},
            }
        )
    peering = {
        "name": "to-hub",
        "properties": {
            "peeringState": "Connected",
            "allowVirtualNetworkAccess": True,
            "remoteVirtualNetwork": {"id": f"{NET}/virtualNetworks/vnet-hub"},
            "remoteAddressSpace": {"addressPrefixes": ["10.9.0.0/16"]},
        },
    }
    resources += [
        resource(
            VNET,
            "virtualNetworks",
            {
                "addressSpace": {"addressPrefixes": ["10.1.0.0/16"]},
                "subnets": subnets,
                "virtualNetworkPeerings": [peering],
            },
        ),
        resource(NIC, "networkInterfaces", nic),
        {**resource(VM, "x", {"networkProfile": {"networkInterfaces": [{"id": NIC}]}}),
         "type": "Microsoft.Compute/virtualMachines"},
        *extra,
    ]  # fmt: skip
    found: Json = dict(operations or {})
    if effective_routes is not None:
        found["effective_routes"] = {NIC.lower(): {"value": list(effective_routes)}}
    if admin is not None:
        found["effective_admin_rules"] = {VNET.lower(): {"value": list(admin)}}
    return {
        "schema": "rdp-remediate/bundle/1",
        "target": {"vm_id": VM, "client_address": CLIENT, "dialled_address": PUBLIC if sku else PRIVATE},
        "collected_at": "2026-11-22T08:00:00Z",
        "resources": {one["id"].lower(): one for one in resources},
        "operations": found,
        "unavailable": [],
    }


def facts(**fields: Any) -> NetworkFacts:
    return parse_network(bundle(**fields))


def lab_evidence(raw: Json) -> Evidence:
    """The same evidence for the lab's own walk, which needs effective routes."""
    operations = raw["operations"]
    return Evidence(
        resources=raw["resources"],
        routes={nic: answer["value"] for nic, answer in operations["effective_routes"].items()},
        admin_rules={vnet: answer["value"] for vnet, answer in operations["effective_admin_rules"].items()},
    )
