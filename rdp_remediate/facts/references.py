"""Which resources a resource leads to, so that collection can follow the path of a packet without reading JSON itself."""

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any

from rdp_remediate.models.base import JsonObject

_CHILD_MARKERS = (
    "/ipconfigurations/",
    "/azurefirewallipconfigurations/",
    "/bastionhostipconfigurations/",
    "/subnets/",
    "/frontendipconfigurations/",
    "/backendaddresspools/",
    "/inboundnatrules/",
    "/securityrules/",
)


def next_resources(resource: JsonObject) -> list[str]:
    """The ids of the resources that decide about this one's inbound packets, without repeats.

    A VM leads to its NICs; a NIC to its NSG, the VNets of its subnets, public addresses, load balancers and application
    security groups; a VNet to its Azure Firewall, its gateway and the NSG of its Bastion subnet; a load balancer or firewall
    to its public addresses; a firewall to its policy and that to its rule collection groups; a public address to the load
    balancer or firewall that holds it.
    """
    kind = str(resource.get("type") or "").lower()
    properties = resource.get("properties")
    if not isinstance(properties, dict):
        return []
    found: list[str] = []
    if kind == "microsoft.compute/virtualmachines":
        found += _ids(_objects(_object(properties.get("networkProfile")).get("networkInterfaces")))
    elif kind == "microsoft.network/networkinterfaces":
        found += _of_nic(properties)
    elif kind == "microsoft.network/loadbalancers":
        for frontend in _objects(properties.get("frontendIPConfigurations")):
            found += _ids([_object(_object(frontend.get("properties")).get("publicIPAddress"))])
    elif kind == "microsoft.network/virtualnetworks":
        found += _of_vnet(properties)
    elif kind == "microsoft.network/azurefirewalls":
        for configuration in _objects(properties.get("ipConfigurations")):
            found += _ids([_object(_object(configuration.get("properties")).get("publicIPAddress"))])
        found += _ids([_object(properties.get("firewallPolicy"))])
    elif kind == "microsoft.network/firewallpolicies":
        found += _ids(_objects(properties.get("ruleCollectionGroups")))
    elif kind == "microsoft.network/connections":
        found += _ids([_object(properties.get("localNetworkGateway2"))])
    elif kind == "microsoft.network/publicipaddresses":
        holders = [parent(one) for one in _ids([_object(properties.get("ipConfiguration"))])]
        found += [
            one for one in holders if any(kind in one.lower() for kind in ("/loadbalancers/", "/azurefirewalls/"))
        ]
    return list(dict.fromkeys(parent(one) for one in found))


def has_bastion_subnet(vnet: JsonObject) -> bool:
    """Whether a VNet has the subnet that Azure Bastion stands in."""
    subnets = _objects(_object(vnet.get("properties")).get("subnets"))
    return any(str(subnet.get("name", "")).lower() == "azurebastionsubnet" for subnet in subnets)


def peered_vnets(vnet: JsonObject) -> list[str]:
    """The VNets that a VNet is peered with."""
    peerings = _objects(_object(vnet.get("properties")).get("virtualNetworkPeerings"))
    return _ids([_object(_object(one.get("properties")).get("remoteVirtualNetwork")) for one in peerings])


def addresses_to_find(resources: Iterable[JsonObject], dialled: str | None) -> list[str]:
    """Addresses whose owner matters: next hops, DNS servers of VNets and NICs, and what was dialled; without those of NICs seen."""
    wanted: list[str] = []
    seen: set[str] = set()
    for resource in resources:
        properties = _object(resource.get("properties"))
        kind = str(resource.get("type") or "").lower()
        if kind == "microsoft.network/routetables":
            routes = [_object(route.get("properties")) for route in _objects(properties.get("routes"))]
            wanted += [str(route["nextHopIpAddress"]) for route in routes if route.get("nextHopIpAddress")]
        for settings in (_object(properties.get("dhcpOptions")), _object(properties.get("dnsSettings"))):
            servers = settings.get("dnsServers")
            wanted += [str(server) for server in servers] if isinstance(servers, list) else []
        if kind == "microsoft.network/networkinterfaces":
            seen |= set(private_addresses(resource))
        seen.add(str(properties.get("ipAddress") or ""))
    wanted += [dialled.strip()] if dialled else []
    return [one for one in dict.fromkeys(wanted) if one not in seen and _is_address(one)]


def has_public_address(nic: JsonObject) -> bool:
    """Whether an IP configuration of a NIC has a public address."""
    configurations = _objects(_object(nic.get("properties")).get("ipConfigurations"))
    return any(_object(one.get("properties")).get("publicIPAddress") for one in configurations)


def of_subnets(vnet: JsonObject, subnet_ids: set[str]) -> list[str]:
    """The NSGs and route tables of the named subnets (lower-case ids) of a VNet."""
    found: list[str] = []
    for subnet in _objects(_object(vnet.get("properties")).get("subnets")):
        if str(subnet.get("id", "")).lower() in subnet_ids:
            body = _object(subnet.get("properties"))
            found += _ids([_object(body.get("networkSecurityGroup")), _object(body.get("routeTable"))])
    return found


def subnets_of(nic: JsonObject) -> set[str]:
    """The lower-case ids of the subnets that a NIC's IP configurations lie in."""
    bodies = [_object(c.get("properties")) for c in _objects(_object(nic.get("properties")).get("ipConfigurations"))]
    return {one.lower() for body in bodies for one in _ids([_object(body.get("subnet"))])}


def attached_nics(resource: JsonObject) -> list[str]:
    """The NICs that a NIC (itself), an NSG, a public address, a subnet's VNet, a load balancer or an ASG names."""
    properties = _object(resource.get("properties"))
    if str(resource.get("type") or "").lower() == "microsoft.network/networkinterfaces":
        return [str(resource.get("id"))]
    found = _ids(_objects(properties.get("networkInterfaces")))
    found += _ids([_object(properties.get("ipConfiguration"))])
    for subnet in _objects(properties.get("subnets")):
        found += _ids(_objects(_object(subnet.get("properties")).get("ipConfigurations")))
    for pool in _objects(properties.get("backendAddressPools")):
        found += _ids(_objects(_object(pool.get("properties")).get("backendIPConfigurations")))
    for rule in _objects(properties.get("inboundNatRules")):
        found += _ids([_object(_object(rule.get("properties")).get("backendIPConfiguration"))])
    nics = [parent(one) for one in found]
    return list(dict.fromkeys(one for one in nics if "/networkinterfaces/" in one.lower()))


def vm_of(nic: JsonObject) -> str | None:
    """The VM that a NIC is attached to."""
    owner = _object(_object(nic.get("properties")).get("virtualMachine")).get("id")
    return str(owner) if owner else None


def private_addresses(nic: JsonObject) -> list[str]:
    """The private addresses of a NIC, the primary one first."""
    bodies = [_object(c.get("properties")) for c in _objects(_object(nic.get("properties")).get("ipConfigurations"))]
    ordered = sorted(bodies, key=lambda body: body.get("primary") is not True)
    return [str(body["privateIPAddress"]) for body in ordered if body.get("privateIPAddress")]


def is_windows(vm: JsonObject) -> bool | None:
    """Whether the OS disk is a Windows one; None when the VM does not say."""
    disk = _object(_object(_object(vm.get("properties")).get("storageProfile")).get("osDisk"))
    system = disk.get("osType")
    return None if system is None else str(system).lower() == "windows"


def is_running(vm: JsonObject) -> bool:
    """Whether the instance view says PowerState/running."""
    statuses = _objects(_object(_object(vm.get("properties")).get("instanceView")).get("statuses"))
    return any(str(s.get("code", "")).lower() == "powerstate/running" for s in statuses)


def agent_is_ready(vm: JsonObject) -> bool:
    """Whether the VM agent reports; it does only while Windows runs."""
    agent = _object(_object(_object(vm.get("properties")).get("instanceView")).get("vmAgent"))
    return any(str(s.get("code", "")).lower() == "provisioningstate/succeeded" for s in _objects(agent.get("statuses")))


def boot_diagnostics(vm: JsonObject) -> bool | None:
    """Whether boot diagnostics are on; None where the VM does not say."""
    profile = _object(_object(vm.get("properties")).get("diagnosticsProfile"))
    enabled = _object(profile.get("bootDiagnostics")).get("enabled")
    return enabled if isinstance(enabled, bool) else None


def location(vm: JsonObject) -> str | None:
    """The region of a VM."""
    return str(vm["location"]) if vm.get("location") else None


def computer_name(vm: JsonObject) -> str | None:
    """The computer name that the agent reported, or the one of the OS profile."""
    properties = _object(vm.get("properties"))
    name = _object(properties.get("instanceView")).get("computerName") or _object(properties.get("osProfile")).get(
        "computerName"
    )
    return str(name) if name else None


def tags_of(resource: JsonObject) -> dict[str, str]:
    """The tags of a resource."""
    return {str(k): str(v) for k, v in _object(resource.get("tags")).items()}


def tag_values(answer: JsonObject) -> dict[str, str]:
    """The tags of an answer of the operation `tags`, whatever ARM wraps them in."""
    properties = answer.get("properties")
    inner = properties.get("tags") if isinstance(properties, dict) else answer.get("tags", answer)
    return {str(k): str(v) for k, v in inner.items()} if isinstance(inner, dict) else {}


def location_of(resource: JsonObject) -> str:
    """The location without blanks, lower case."""
    return str(resource.get("location") or "").replace(" ", "").lower()


def parent(resource_id: str) -> str:
    """The top resource of a child id: a subnet's VNet, a NAT rule's load balancer."""
    lower = resource_id.lower()
    cuts = [lower.index(marker) for marker in _CHILD_MARKERS if marker in lower]
    return resource_id[: min(cuts)] if cuts else resource_id


def _of_vnet(properties: JsonObject) -> Iterator[str]:
    """What stands in the subnets that Azure reserves by name."""
    for subnet in _objects(properties.get("subnets")):
        body, name = _object(subnet.get("properties")), str(subnet.get("name", "")).lower()
        if name in ("azurefirewallsubnet", "gatewaysubnet"):
            yield from _ids(_objects(body.get("ipConfigurations")))
        elif name == "azurebastionsubnet":
            yield from _ids([_object(body.get("networkSecurityGroup")), _object(body.get("routeTable"))])


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _of_nic(properties: JsonObject) -> Iterator[str]:
    yield from _ids([_object(properties.get("networkSecurityGroup"))])
    for configuration in _objects(properties.get("ipConfigurations")):
        body = _object(configuration.get("properties"))
        yield from _ids([_object(body.get("subnet")), _object(body.get("publicIPAddress"))])
        for key in ("loadBalancerInboundNatRules", "loadBalancerBackendAddressPools", "applicationSecurityGroups"):
            yield from _ids(_objects(body.get(key)))


def _ids(links: list[JsonObject]) -> list[str]:
    return [str(link["id"]) for link in links if link.get("id")]


def _object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[JsonObject]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
