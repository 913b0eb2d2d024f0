"""What service tags expand to for one NIC, and the routes that its subnet has (network-semantics.md 1.6 and 4)."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from rdp_remediate.lab.healthy import Resource
from rdp_remediate.lab.world import World

Network = IPv4Network | IPv6Network
HOST_ADDRESS = "168.63.129.16/32"
PRIVATE_RANGES = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
    "224.0.0.0/3", HOST_ADDRESS,
)  # fmt: skip
SYSTEM_DROPS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")


def prefixes_of(properties: dict[str, Any]) -> list[str]:
    """Returns addressPrefix and addressPrefixes together."""
    single = properties.get("addressPrefix")
    return [*([single] if single else []), *(properties.get("addressPrefixes") or [])]


def minus(whole: Network, holes: Iterable[Network]) -> list[Network]:
    """Returns a network without the holes, as the fewest networks."""
    left: list[Network] = [whole]
    for hole in holes:
        following: list[Network] = []
        for part in left:
            if part.version != hole.version or not part.overlaps(hole):
                following.append(part)
            elif part != hole and part.supernet_of(hole):  # type: ignore[arg-type]  # same version, checked above
                following.extend(part.address_exclude(hole))  # type: ignore[arg-type]  # same version
        left = following
    return sorted(left, key=lambda n: (n.version, int(n.network_address)))


def peered_prefixes(vnet: Resource) -> list[str]:
    """Returns the address space of connected peerings that admit virtual network access."""
    found: list[str] = []
    for peering in vnet["properties"].get("virtualNetworkPeerings", []):
        properties = peering["properties"]
        if properties.get("peeringState") == "Connected" and properties.get("allowVirtualNetworkAccess"):
            space = properties.get("remoteAddressSpace") or properties.get("remoteVirtualNetworkAddressSpace") or {}
            found += space.get("addressPrefixes", [])
    return found


def effective_routes(world: World, nic: Resource) -> list[dict[str, Any]]:
    """Returns the effective routes of a NIC: system defaults, peerings, then the user's table."""
    override = world.overrides.get(f"effective_routes:{nic['id'].lower()}")
    if override is not None:
        return list(override.get("value", []))
    subnet_id = nic["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"]
    subnet, vnet = world.subnet_and_vnet(subnet_id)
    table = world.find((subnet or {}).get("properties", {}).get("routeTable", {}).get("id", ""))
    user = table["properties"].get("routes", []) if table else []
    taken = {r["properties"]["addressPrefix"] for r in user}
    propagate = bool(table["properties"].get("disableBgpRoutePropagation")) if table else False

    def row(prefix: str, hop: str, source: str = "Default", address: str | None = None, **extra: Any) -> dict[str, Any]:
        state = "Invalid" if source == "Default" and prefix in taken else "Active"
        return {
            **extra,
            "disableBgpRoutePropagation": propagate,
            "source": source,
            "state": state,
            "hasBgpOverride": False,
            "addressPrefix": [prefix],
            "nextHopType": hop,
            "nextHopIpAddress": [address] if address else [],
            "destinationServiceTags": [],
            "tagMap": {},
        }

    space = (vnet or {}).get("properties", {}).get("addressSpace", {}).get("addressPrefixes", [])
    rows = [row(p, "VnetLocal") for p in space]
    rows += [row(p, "VNetPeering") for p in (peered_prefixes(vnet) if vnet else [])]
    rows.append(row("0.0.0.0/0", "Internet"))
    rows += [row(p, "None") for p in SYSTEM_DROPS if p not in space]
    for route in user:
        properties = route["properties"]
        hop = properties["nextHopType"]
        rows.append(
            row(properties["addressPrefix"], hop, "User", properties.get("nextHopIpAddress"), name=route["name"])
        )
    return rows


def expand_tag(world: World, nic: Resource, tag: str) -> list[str]:
    """Returns what a tag expands to in the effective rules of a NIC; an unknown tag expands to nothing."""
    subnet_id = nic["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"]
    _, vnet = world.subnet_and_vnet(subnet_id)
    name = tag.lower()
    if name == "virtualnetwork":
        space = list((vnet or {}).get("properties", {}).get("addressSpace", {}).get("addressPrefixes", []))
        space += peered_prefixes(vnet) if vnet else []
        forced = [
            prefix
            for route in effective_routes(world, nic)
            if route["source"] != "Default"
            and route["state"] == "Active"
            and route["nextHopType"] in ("VirtualAppliance", "VirtualNetworkGateway")
            for prefix in route["addressPrefix"]
        ]
        return list(dict.fromkeys([*space, HOST_ADDRESS, *forced]))
    if name == "azureloadbalancer":
        return [HOST_ADDRESS, "fe80::1234:5678:9abc/128"]
    if name == "internet":
        inside = [ip_network(p) for p in expand_tag(world, nic, "VirtualNetwork") if p != "0.0.0.0/0"]
        holes = [*(ip_network(p) for p in PRIVATE_RANGES), *inside]
        return [str(n) for n in minus(ip_network("0.0.0.0/0"), holes)]
    return next((v for k, v in world.service_tags.items() if k.lower() == name), [])
