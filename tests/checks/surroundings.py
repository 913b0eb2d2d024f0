"""What may stand around the healthy VM: load balancers, firewalls, peers, appliances, DNS servers, other NICs, classic VMs."""

import copy
from typing import Any

from rdp_remediate.models.base import JsonObject
from tests import factories as f
from tests.factories import Change

NET = f"{f.GROUP}/providers/Microsoft.Network"
LOAD_BALANCER = f"{NET}/loadBalancers/lb-rdp"
FRONTEND = f"{LOAD_BALANCER}/frontendIPConfigurations/front"
LB_ADDRESS = "20.50.7.7"
FIREWALL = f"{NET}/azureFirewalls/fw-hub"
FIREWALL_POLICY = f"{NET}/firewallPolicies/fwp-hub"
FIREWALL_ADDRESS = "20.50.8.8"
CONFIGURATION = f"{f.NIC}/ipConfigurations/ipconfig1"
SPOKE = f"{NET}/virtualNetworks/vnet-spoke"
SUBNET = f"{f.VNET}/subnets/snet-app"
CLASSIC = f"{f.GROUP}/providers/Microsoft.ClassicCompute/virtualMachines/old1"


def resource(resource_id: str, kind: str, properties: JsonObject, **more: Any) -> Change:
    """Adds a resource as ARM returns it."""
    body = {"id": resource_id, "name": resource_id.rsplit("/", 1)[1], "type": kind, "properties": properties, **more}
    return lambda data: data["resources"].__setitem__(resource_id.lower(), copy.deepcopy(body))


def public_ip(name: str, address: str, owner: str | None, sku: str = "Standard") -> Change:
    """Adds a public address."""
    body: JsonObject = {"ipAddress": address, "publicIPAllocationMethod": "Static"}
    if owner:
        body["ipConfiguration"] = {"id": owner}
    return resource(f"{NET}/publicIPAddresses/{name}", "Microsoft.Network/publicIPAddresses", body, sku={"name": sku})


def _configuration(data: JsonObject) -> JsonObject:
    found: JsonObject = data["resources"][f.NIC.lower()]["properties"]["ipConfigurations"][0]["properties"]
    return found


def behind_load_balancer(
    frontend_port: int = 3389,
    backend_port: int = 3389,
    *,
    protocol: str = "Tcp",
    attached: bool = True,
    sku: str = "Standard",
    address_sku: str = "Standard",
    rule: bool = True,
) -> Change:
    """Takes the public address off and puts a load balancer with one inbound NAT rule in front; the VM stays in its pool."""
    rule_id, pool_id = f"{LOAD_BALANCER}/inboundNatRules/rdp", f"{LOAD_BALANCER}/backendAddressPools/pool"

    def change(data: JsonObject) -> None:
        f.without_public_address(data)
        nat: JsonObject = {
            "frontendIPConfiguration": {"id": FRONTEND},
            "protocol": protocol,
            "frontendPort": frontend_port,
            "backendPort": backend_port,
            "enableFloatingIP": False,
        }
        if attached:
            nat["backendIPConfiguration"] = {"id": CONFIGURATION}
            _configuration(data)["loadBalancerInboundNatRules"] = [{"id": rule_id}] if rule else []
        _configuration(data)["loadBalancerBackendAddressPools"] = [{"id": pool_id}]
        public_ip("lb-pip", LB_ADDRESS, FRONTEND, address_sku)(data)
        front = {"publicIPAddress": {"id": f"{NET}/publicIPAddresses/lb-pip"}}
        resource(
            LOAD_BALANCER,
            "Microsoft.Network/loadBalancers",
            {
                "frontendIPConfigurations": [{"id": FRONTEND, "name": "front", "properties": front}],
                "inboundNatRules": [{"id": rule_id, "name": "rdp", "properties": nat}] if rule else [],
                "backendAddressPools": [
                    {"id": pool_id, "name": "pool", "properties": {"backendIPConfigurations": [{"id": CONFIGURATION}]}}
                ],
                "loadBalancingRules": [],
                "probes": [],
            },
            sku={"name": sku},
        )(data)

    return change


def behind_firewall(
    *,
    sources: list[str] | None = None,
    translated: str = f.PRIVATE_ADDRESS,
    translated_port: int = 3389,
    rule: bool = True,
) -> Change:
    """Takes the public address off and puts an Azure Firewall with one DNAT rule in front, with its subnet admitted."""

    def change(data: JsonObject) -> None:
        f.without_public_address(data)
        f.target(dialled_address=FIREWALL_ADDRESS)(data)
        subnet = f"{f.VNET}/subnets/AzureFirewallSubnet"
        data["resources"][f.VNET.lower()]["properties"]["subnets"].append(
            {"name": "AzureFirewallSubnet", "id": subnet, "properties": {"addressPrefix": "10.0.8.0/26"}}
        )
        address_id = f"{NET}/publicIPAddresses/fw-pip"
        public_ip("fw-pip", FIREWALL_ADDRESS, f"{FIREWALL}/azureFirewallIpConfigurations/c")(data)
        inner = {"publicIPAddress": {"id": address_id}, "privateIPAddress": "10.0.8.4", "subnet": {"id": subnet}}
        resource(
            FIREWALL,
            "Microsoft.Network/azureFirewalls",
            {"ipConfigurations": [{"name": "c", "properties": inner}], "firewallPolicy": {"id": FIREWALL_POLICY}},
        )(data)
        dnat = {
            "ruleType": "NatRule",
            "name": "rdp",
            "ipProtocols": ["TCP"],
            "sourceAddresses": sources or ["*"],
            "destinationAddresses": [FIREWALL_ADDRESS],
            "destinationPorts": ["3389"],
            "translatedAddress": translated,
            "translatedPort": str(translated_port),
        }
        collection = {
            "ruleCollectionType": "FirewallPolicyNatRuleCollection",
            "name": "nat",
            "priority": 100,
            "action": {"type": "DNAT"},
            "rules": [dnat] if rule else [],
        }
        group = f"{FIREWALL_POLICY}/ruleCollectionGroups/dnat"
        resource(
            group,
            "Microsoft.Network/firewallPolicies/ruleCollectionGroups",
            {"priority": 100, "ruleCollections": [collection]},
        )(data)
        f.security_rules(f.NIC_NSG, f.rule("Allow-FW", 200, source="10.0.8.0/26"))(data)
        f.security_rules(f.SUBNET_NSG, f.rule("Allow-FW", 200, source="10.0.8.0/26"))(data)

    return change


def peered(state: str = "Connected", *, access: bool = True, remote_state: str | None = None) -> Change:
    """Peers the VNet with 10.77.0.0/16, from where the client comes; the peer's own side is seen if a state is given for it."""

    def peering(name: str, remote: str, space: str, word: str) -> JsonObject:
        return {
            "name": name,
            "id": f"{f.VNET}/virtualNetworkPeerings/{name}",
            "properties": {
                "peeringState": word,
                "allowVirtualNetworkAccess": access,
                "remoteVirtualNetwork": {"id": remote},
                "remoteAddressSpace": {"addressPrefixes": [space]},
            },
        }

    def change(data: JsonObject) -> None:
        f.target(client_address="10.77.0.9", dialled_address=f.PRIVATE_ADDRESS)(data)
        f.silent(data)
        vnet = data["resources"][f.VNET.lower()]["properties"]
        vnet["virtualNetworkPeerings"] = [peering("to-spoke", SPOKE, "10.77.0.0/16", state)]
        if remote_state is not None:
            body = {
                "addressSpace": {"addressPrefixes": ["10.77.0.0/16"]},
                "subnets": [],
                "virtualNetworkPeerings": [peering("to-app", f.VNET, "10.0.0.0/16", remote_state)],
            }
            resource(SPOKE, "Microsoft.Network/virtualNetworks", body)(data)
        if state == "Connected" and access:
            routed("10.77.0.0/16", "VNetPeering", source="Default")(data)

    return change


def routed(prefix: str, hop: str, address: str | None = None, source: str = "User") -> Change:
    """Adds an effective route to the NIC, which wins over those of the same prefix."""

    def change(data: JsonObject) -> None:
        for answer in data["operations"]["effective_routes"].values():
            for row in answer["value"]:
                if row["addressPrefix"] == [prefix]:
                    row["state"] = "Invalid"
            answer["value"].append(
                {
                    "source": source,
                    "state": "Active",
                    "addressPrefix": [prefix],
                    "nextHopType": hop,
                    "nextHopIpAddress": [address] if address else [],
                }
            )

    return change


def machine(name: str, address: str, power: str, *, forwards: bool = False) -> Change:
    """Adds another VM with one NIC in the same group, as it would be read for the sake of its address."""
    vm = f"{f.GROUP}/providers/Microsoft.Compute/virtualMachines/{name}"
    nic = f"{NET}/networkInterfaces/{name}-nic"

    def change(data: JsonObject) -> None:
        resource(
            nic,
            "Microsoft.Network/networkInterfaces",
            {
                "virtualMachine": {"id": vm},
                "primary": True,
                "enableIPForwarding": forwards,
                "ipConfigurations": [
                    {
                        "name": "c",
                        "properties": {"privateIPAddress": address, "subnet": {"id": SUBNET}, "primary": True},
                    }
                ],
            },
        )(data)
        view = {"statuses": [{"code": f"PowerState/{power}"}]}
        profile = {"networkInterfaces": [{"id": nic}]}
        resource(vm, "Microsoft.Compute/virtualMachines", {"instanceView": view, "networkProfile": profile})(data)
        held = data["operations"].setdefault("address_owners", {}).setdefault(f.SUBSCRIPTION, {"value": []})
        held["value"].append({"id": nic, "type": "microsoft.network/networkinterfaces", "address": address})

    return change


def nobody_holds(data: JsonObject) -> None:
    """Records that the owners of addresses were looked up and none was found."""
    f.operation("address_owners", f.SUBSCRIPTION, {"value": []})(data)


def dns_servers(*addresses: str) -> Change:
    """Gives the VNet its own DNS servers."""
    return f.resource(f.VNET, "properties", "dhcpOptions", value={"dnsServers": list(addresses)})


def outbound(name: str, priority: int, access: str, destination: str, port: str = "*") -> JsonObject:
    """An outbound NSG rule."""
    made = f.rule(name, priority, access=access, source="*", ports=port, protocol="*", destination=destination)
    made["properties"]["direction"] = "Outbound"
    return made


def on_secondary_nic(data: JsonObject) -> None:
    """Makes the NIC with the public address the VM's second one; the primary one lies in the same subnet."""
    first = copy.deepcopy(data["resources"][f.NIC.lower()])
    first["id"] = f"{NET}/networkInterfaces/vm1-nic0"
    first["name"] = "vm1-nic0"
    inner = first["properties"]["ipConfigurations"][0]
    inner["id"] = f"{first['id']}/ipConfigurations/ipconfig1"
    inner["properties"]["privateIPAddress"] = "10.0.0.9"
    del inner["properties"]["publicIPAddress"]
    data["resources"][first["id"].lower()] = first
    data["resources"][f.NIC.lower()]["properties"]["primary"] = False
    profile = data["resources"][f.VM.lower()]["properties"]["networkProfile"]["networkInterfaces"]
    profile.insert(0, {"id": first["id"], "properties": {"primary": True}})


def classic(
    endpoints: list[JsonObject] | None, acls: Any = None, status: str = "ReadyRole", client: str = "203.0.113.7"
) -> Change:
    """Turns the target into a classic VM with these input endpoints; `acls` as an export gives them."""

    def change(data: JsonObject) -> None:
        data["target"].update(vm_id=CLASSIC, client_address=client, dialled_address=None, dialled_port=3389)
        data.update(resources={}, operations={}, guest=None, probes=[], changes=[])
        profile = {} if endpoints is None else {"inputEndpoints": endpoints}
        view = {"status": status, "publicIpAddresses": ["40.1.2.3"], "privateIpAddress": "10.1.0.4"}
        resource(
            CLASSIC, "Microsoft.ClassicCompute/virtualMachines", {"networkProfile": profile, "instanceView": view}
        )(data)
        if acls is not None:
            f.operation("classic_endpoint_acls", CLASSIC, acls)(data)

    return change


def endpoint(public: int, private: int, name: str = "RDP") -> JsonObject:
    """An input endpoint as the classic resource shows it."""
    return {"endpointName": name, "publicPort": public, "privatePort": private, "protocol": "tcp"}
