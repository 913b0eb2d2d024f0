"""How one resource of each type is read: with the genuine client where there is one, else with a plain GET."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from azure.core.exceptions import DecodeError

from rdp_remediate.arm.clients import ArmClients
from rdp_remediate.arm.ids import ArmId
from rdp_remediate.models.base import JsonObject

Reader = Callable[[ArmClients, ArmId], Awaitable[JsonObject]]


def as_json(model: Any) -> JsonObject:
    """The wire JSON of a model of azure-mgmt, as ARM returned it.

    Raises:
        DecodeError: The answer was no object.
    """
    if not isinstance(model, Mapping):
        raise DecodeError(f"the answer is {type(model).__name__}, not an object")
    return dict(model.as_dict()) if hasattr(model, "as_dict") else dict(model)


async def _virtual_machine(clients: ArmClients, arm: ArmId) -> JsonObject:
    operations = clients.compute(arm.subscription).virtual_machines
    return as_json(await operations.get(str(arm.group), arm.name, expand="instanceView"))


def _network(attribute: str) -> Reader:
    """Reads a network resource: the operation group's `get` takes the names of the resource and its parents."""

    async def read(clients: ArmClients, arm: ArmId) -> JsonObject:
        operations: Any = getattr(clients.network(arm.subscription), attribute)
        return as_json(await operations.get(arm.group, *arm.names))

    return read


GENUINE: Mapping[str, Reader] = {
    "microsoft.compute/virtualmachines": _virtual_machine,
    "microsoft.network/applicationsecuritygroups": _network("application_security_groups"),
    "microsoft.network/azurefirewalls": _network("azure_firewalls"),
    "microsoft.network/bastionhosts": _network("bastion_hosts"),
    "microsoft.network/firewallpolicies": _network("firewall_policies"),
    "microsoft.network/firewallpolicies/rulecollectiongroups": _network("firewall_policy_rule_collection_groups"),
    "microsoft.network/ipgroups": _network("ip_groups"),
    "microsoft.network/loadbalancers": _network("load_balancers"),
    "microsoft.network/loadbalancers/inboundnatrules": _network("inbound_nat_rules"),
    "microsoft.network/natgateways": _network("nat_gateways"),
    "microsoft.network/networkinterfaces": _network("network_interfaces"),
    "microsoft.network/networksecuritygroups": _network("network_security_groups"),
    "microsoft.network/networksecuritygroups/securityrules": _network("security_rules"),
    "microsoft.network/publicipaddresses": _network("public_ip_addresses"),
    "microsoft.network/publicipprefixes": _network("public_ip_prefixes"),
    "microsoft.network/routetables": _network("route_tables"),
    "microsoft.network/routetables/routes": _network("routes"),
    "microsoft.network/virtualnetworks": _network("virtual_networks"),
    "microsoft.network/virtualnetworks/subnets": _network("subnets"),
    "microsoft.network/virtualnetworks/virtualnetworkpeerings": _network("virtual_network_peerings"),
}

#: API versions of what is read with a plain GET. Source: learn.microsoft.com/rest/api, per resource provider.
PLAIN: Mapping[str, str] = {
    "": "2022-09-01",  # a resource group
    "microsoft.classiccompute/virtualmachines": "2017-04-01",
    "microsoft.compute/availabilitysets": "2024-07-01",
    "microsoft.compute/disks": "2024-03-02",
    "microsoft.compute/virtualmachines/extensions": "2024-07-01",
    "microsoft.insights/scheduledqueryrules": "2023-12-01",
    "microsoft.network/connections": "2024-05-01",
    "microsoft.network/localnetworkgateways": "2024-05-01",
    "microsoft.network/virtualnetworkgateways": "2024-05-01",
    "microsoft.security/locations/jitnetworkaccesspolicies": "2020-01-01",
}
