"""Load balancers, firewalls and Bastion hosts as ARM JSON, for tests."""

from typing import Any

from tests.network.arm_network import NET, NIC, PRIVATE, Json, resource

LB = f"{NET}/loadBalancers/lb"
FRONTEND, POOL, PROBE = f"{LB}/frontendIPConfigurations/fe", f"{LB}/backendAddressPools/pool", f"{LB}/probes/probe"
FRONTEND_ADDRESS = "52.1.1.9"
IP_CONFIGURATION = f"{NIC}/ipConfigurations/ipconfig1"
HUB = f"{NET}/virtualNetworks/vnet-hub"
FIREWALL_ADDRESS = "52.1.1.20"


def nat_rule(name: str = "rdp", **fields: Any) -> Json:
    properties = {
        "frontendIPConfiguration": {"id": FRONTEND},
        "protocol": "Tcp",
        "frontendPort": 50001,
        "backendPort": 3389,
        "backendIPConfiguration": {"id": IP_CONFIGURATION},
        **fields,
    }
    kept = {key: value for key, value in properties.items() if value is not None}
    return {"id": f"{LB}/inboundNatRules/{name}", "name": name, "properties": kept}


def balancing_rule(**fields: Any) -> Json:
    properties = {
        "frontendIPConfiguration": {"id": FRONTEND},
        "protocol": "Tcp",
        "frontendPort": 3389,
        "backendPort": 3389,
        "backendAddressPool": {"id": POOL},
        "probe": {"id": PROBE},
        **fields,
    }
    return {"id": f"{LB}/loadBalancingRules/rdp", "name": "rdp", "properties": properties}


def load_balancer(*, sku: str = "Standard", internal: bool = False, members: Any = None, **fields: Any) -> list[Json]:
    """A load balancer with one frontend, a pool that holds the VM, and a probe of port 3389."""
    pip = f"{NET}/publicIPAddresses/pip-lb"
    where: Json = {"privateIPAddress": "10.1.2.100"} if internal else {"publicIPAddress": {"id": pip}}
    pool = {"backendIPConfigurations": [{"id": IP_CONFIGURATION}]} if members is None else members
    balancer = {
        "frontendIPConfigurations": [{"id": FRONTEND, "name": "fe", "properties": where}],
        "backendAddressPools": [{"id": POOL, "name": "pool", "properties": pool}],
        "probes": [{"id": PROBE, "name": "probe", "properties": {"protocol": "Tcp", "port": 3389}}],
        **fields,
    }
    out = [resource(LB, "loadBalancers", balancer, sku={"name": sku})]
    if not internal:
        out.append(resource(pip, "publicIPAddresses", {"ipAddress": FRONTEND_ADDRESS}, sku={"name": sku}))
    return out


def firewall(*, sources: list[str] | None = None, policy: bool = False, **fields: Any) -> list[Json]:
    """An Azure Firewall in the hub with one DNAT rule for RDP, of its own or of its policy."""
    pip = resource(
        f"{NET}/publicIPAddresses/pip-fw",
        "publicIPAddresses",
        {"ipAddress": FIREWALL_ADDRESS},
        sku={"name": "Standard"},
    )
    subnet = f"{HUB}/subnets/AzureFirewallSubnet"
    hub = resource(
        HUB,
        "virtualNetworks",
        {
            "addressSpace": {"addressPrefixes": ["10.9.0.0/16"]},
            "subnets": [
                {"id": subnet, "name": "AzureFirewallSubnet", "properties": {"addressPrefix": "10.9.255.0/26"}}
            ],
        },
    )
    rule = {
        "name": "rdp",
        "sourceAddresses": sources or ["*"],
        "destinationAddresses": [FIREWALL_ADDRESS],
        "destinationPorts": ["3389"],
        "translatedAddress": PRIVATE,
        "translatedPort": "3389",
        **fields,
    }
    configuration = {"privateIPAddress": "10.9.255.4", "publicIPAddress": {"id": pip["id"]}, "subnet": {"id": subnet}}
    properties: Json = {"ipConfigurations": [{"name": "c", "properties": configuration}]}
    out = [pip, hub]
    own = f"{NET}/azureFirewalls/fw"
    if policy:
        owner = f"{NET}/firewallPolicies/policy"
        properties["firewallPolicy"] = {"id": owner}
        collection: Json = {
            "ruleCollectionType": "FirewallPolicyNatRuleCollection",
            "action": {"type": "DNAT"},
            "rules": [{"ruleType": "NatRule", "ipProtocols": ["TCP"], **rule}],
        }
        out.append(
            resource(f"{owner}/ruleCollectionGroups/g", "firewallPolicies/ruleCollectionGroups",
                     {"priority": 100, "ruleCollections": [collection]})
        )  # fmt: skip
    else:
        collection = {"action": {"type": "Dnat"}, "priority": 100, "rules": [{"protocols": ["TCP"], **rule}]}
        properties["natRuleCollections"] = [{"name": "dnat", "properties": collection}]
    return [*out, resource(own, "azureFirewalls", properties)]


def bastion() -> list[Json]:
    """A Bastion host in the hub."""
    subnet = f"{HUB}/subnets/AzureBastionSubnet"
    hub = resource(
        HUB,
        "virtualNetworks",
        {
            "addressSpace": {"addressPrefixes": ["10.9.0.0/16"]},
            "subnets": [{"id": subnet, "name": "AzureBastionSubnet", "properties": {"addressPrefix": "10.9.250.0/26"}}],
        },
    )
    host = resource(
        f"{NET}/bastionHosts/bastion",
        "bastionHosts",
        {"ipConfigurations": [{"name": "c", "properties": {"subnet": {"id": subnet}}}]},
        sku={"name": "Basic"},
    )
    return [hub, host]
