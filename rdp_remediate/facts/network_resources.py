"""NICs, VNets, subnets, public addresses, gateways and Bastion hosts from ARM JSON."""

from collections.abc import Iterable

from rdp_remediate.facts.network_addresses import (
    Range,
    Ranges,
    address_number,
    merge,
    prefix_range,
    shown,
    texts,
)
from rdp_remediate.facts.network_json import (
    Json,
    arm_id,
    arm_id_of,
    key,
    keys,
    last_segment,
    objects,
    parent,
    properties,
    text,
)
from rdp_remediate.facts.network_json import mapping as obj
from rdp_remediate.facts.network_model import (
    Bastion,
    DataNote,
    IpConfiguration,
    Nic,
    Peering,
    PublicIp,
    Subnet,
    Vm,
    Vnet,
)
from rdp_remediate.facts.network_words import Sku


def sku(raw: Json) -> Sku:
    """Basic is Basic, a missing SKU (old api versions) is UNKNOWN, every other one behaves like Standard."""
    name = text(obj(raw.get("sku")).get("name")).casefold()
    if not name:
        return Sku.UNKNOWN
    return Sku.BASIC if name == "basic" else Sku.STANDARD


def address(value: object, where: str, note: list[DataNote]) -> int | None:
    """An address number; a missing one is None, a malformed one is None and noted."""
    if value is None or value == "":
        return None
    found = address_number(value) if isinstance(value, str) else None
    if found is None:
        note.append(DataNote(where, f"{shown(value)} is no address"))
    return found


def prefixes(values: Iterable[object], where: str, note: list[DataNote]) -> Ranges | None:
    """The addresses of a list of prefixes, or None when it holds nothing readable or something unreadable."""
    spans: list[Range] = []
    complete = True
    for value in values:
        span = prefix_range(value) if isinstance(value, str) else None
        if span is None:
            note.append(DataNote(where, f"{shown(value)} is no prefix"))
            complete = False
        else:
            spans.append(span)
    return merge(spans) if spans and complete else None


def parse_vm(resource_key: str, raw: Json) -> Vm:
    """A VM's network profile."""
    profile = obj(properties(raw).get("networkProfile"))
    return Vm(
        resource_key,
        arm_id_of(raw, resource_key),
        keys(profile.get("networkInterfaces")),
        text(raw.get("location")).casefold(),
        _power(raw),
    )


def _power(raw: Json) -> str:
    """The power state of the instance view, which only a read with `$expand=instanceView` shows."""
    for status in objects(obj(properties(raw).get("instanceView")).get("statuses")):
        kind, _, word = text(status.get("code")).casefold().partition("/")
        if kind == "powerstate":
            return word
    return ""


def _servers(value: object, where: str, note: list[DataNote]) -> tuple[int, ...]:
    """The addresses of a list of DNS servers."""
    found = (address(one, where, note) for one in texts(obj(value).get("dnsServers")))
    return tuple(one for one in found if one is not None)


def parse_nic(resource_key: str, raw: Json, note: list[DataNote]) -> Nic:
    """A network interface with all its IP configurations."""
    p = properties(raw)
    nic_id = arm_id_of(raw, resource_key)
    configurations = []
    listed = p.get("ipConfigurations")
    for item in objects(listed):
        c = properties(item)
        name = text(item.get("name")) or last_segment(arm_id(item.get("id"))) or "unnamed"
        own_id = text(item.get("id")) or f"{nic_id}/ipConfigurations/{name}"
        configurations.append(
            IpConfiguration(
                key=key(own_id),
                arm_id=own_id,
                nic=resource_key,
                name=name,
                private_address=address(c.get("privateIPAddress"), own_id, note),
                primary=c.get("primary") is True,
                subnet=key(c.get("subnet")),
                public_ip=key(c.get("publicIPAddress")),
                groups=keys(c.get("applicationSecurityGroups")),
                nat_rules=keys(c.get("loadBalancerInboundNatRules")),
                pools=keys(c.get("loadBalancerBackendAddressPools")),
                allocation=text(c.get("privateIPAllocationMethod")),
            )
        )
    if not configurations:
        note.append(DataNote(nic_id, "the NIC shows no IP configuration"))
    return Nic(
        key=resource_key,
        arm_id=nic_id,
        vm=key(p.get("virtualMachine")),
        primary=p.get("primary") is True,
        nsg=key(p.get("networkSecurityGroup")),
        ip_configurations=tuple(configurations),
        ip_forwarding=p.get("enableIPForwarding") is True,
        location=text(raw.get("location")).casefold(),
        dns_servers=_servers(p.get("dnsSettings"), nic_id, note),
        accelerated_networking=p.get("enableAcceleratedNetworking") is True,
    )


def parse_subnet(own_key: str, raw: Json, vnet_key: str, note: list[DataNote]) -> Subnet:
    """A subnet, from its VNet or as a resource of its own."""
    p = properties(raw)
    own_id = arm_id_of(raw, own_key)
    return Subnet(
        key=own_key,
        arm_id=own_id,
        vnet=vnet_key,
        name=text(raw.get("name")) or last_segment(own_id),
        ranges=prefixes(texts(p.get("addressPrefix"), p.get("addressPrefixes")), own_id, note) or (),
        nsg=key(p.get("networkSecurityGroup")),
        route_table=key(p.get("routeTable")),
    )


def parse_vnet(resource_key: str, raw: Json, note: list[DataNote]) -> tuple[Vnet, list[Subnet]]:
    """A VNet with its subnets and peerings."""
    p = properties(raw)
    vnet_id = arm_id_of(raw, resource_key)
    subnets = []
    for item in objects(p.get("subnets")):
        name = text(item.get("name")) or last_segment(arm_id(item.get("id")))
        subnets.append(parse_subnet(key(item) or f"{resource_key}/subnets/{name.lower()}", item, resource_key, note))
    peerings = [_peering(item, vnet_id, note) for item in objects(p.get("virtualNetworkPeerings"))]
    vnet = Vnet(
        key=resource_key,
        arm_id=vnet_id,
        ranges=prefixes(texts(obj(p.get("addressSpace")).get("addressPrefixes")), vnet_id, note),
        subnets=tuple(subnet.key for subnet in subnets),
        peerings=tuple(peerings),
        location=text(raw.get("location")).casefold(),
        dns_servers=_servers(p.get("dhcpOptions"), vnet_id, note),
    )
    return vnet, subnets


def _peering(item: Json, vnet_id: str, note: list[DataNote]) -> Peering:
    p = properties(item)
    state = text(p.get("peeringState")).casefold()
    known = {"connected": True, "disconnected": False, "initiated": False}
    if state not in known:
        note.append(DataNote(vnet_id, f"peering state {shown(p.get('peeringState'))} is not known"))
    access = p.get("allowVirtualNetworkAccess")
    # The newer key holds the prefixes as the remote VNet has them now, the older one those last synchronised.
    space = obj(p.get("remoteAddressSpace")) or obj(p.get("remoteVirtualNetworkAddressSpace"))
    return Peering(
        name=text(item.get("name")),
        remote_vnet=key(p.get("remoteVirtualNetwork")),
        connected=known.get(state),
        allows_access=access if isinstance(access, bool) else None,
        uses_remote_gateway=p.get("useRemoteGateways") is True,
        remote_ranges=prefixes(texts(space.get("addressPrefixes")), vnet_id, note),
    )


def parse_public_ip(resource_key: str, raw: Json, note: list[DataNote]) -> PublicIp:
    """A public address; a dynamic one has no `ipAddress` while it is unassigned."""
    p = properties(raw)
    own_id = arm_id_of(raw, resource_key)
    return PublicIp(
        key=resource_key,
        arm_id=own_id,
        address=address(p.get("ipAddress"), own_id, note),
        sku=sku(raw),
        fqdn=text(obj(p.get("dnsSettings")).get("fqdn")).rstrip(".").casefold(),
        allocation=text(p.get("publicIPAllocationMethod")),
        owner=key(p.get("ipConfiguration")),
    )


def parse_bastion(resource_key: str, raw: Json) -> Bastion:
    """A Bastion host; a Developer one has a VNet but no subnet of its own."""
    p = properties(raw)
    subnets = tuple(
        found for item in objects(p.get("ipConfigurations")) if (found := key(properties(item).get("subnet")))
    )
    vnet = key(p.get("virtualNetwork")) or (parent(subnets[0]) if subnets else "")
    return Bastion(
        resource_key,
        arm_id_of(raw, resource_key),
        subnets,
        vnet,
        text(obj(raw.get("sku")).get("name")),
    )


def gateway_vnet(raw: Json) -> str:
    """The VNet that a virtual network gateway stands in."""
    for item in objects(properties(raw).get("ipConfigurations")):
        if subnet := key(properties(item).get("subnet")):
            return parent(subnet)
    return ""


def point_to_site_ranges(raw: Json, resource_key: str, note: list[DataNote]) -> Ranges:
    """The address pool of a gateway's point-to-site clients."""
    client = obj(properties(raw).get("vpnClientConfiguration"))
    pool = obj(client.get("vpnClientAddressPool"))
    return prefixes(texts(pool.get("addressPrefixes")), resource_key, note) or ()


def local_gateway_ranges(raw: Json, resource_key: str, note: list[DataNote]) -> Ranges:
    """The on-premises prefixes of a local network gateway."""
    space = obj(properties(raw).get("localNetworkAddressSpace"))
    return prefixes(texts(space.get("addressPrefixes")), resource_key, note) or ()
