"""The lab's own walk of a packet, literally as Azure is documented to decide it (network-semantics.md section 0).

It is written for being read, not for speed, and shares nothing with the product's engine: it is what decides in the
simulated network, and therefore the oracle of that engine.
"""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Any

from rdp_remediate.lab.address_space import effective_routes, peered_prefixes
from rdp_remediate.lab.healthy import Resource
from rdp_remediate.lab.packet_entry import (
    Arrival,
    Dial,
    Entry,
    Evidence,
    arrivals,
    nics_of,
    own_entries,
    same_address,
    shared_entries,
)
from rdp_remediate.lab.packet_match import (
    HOST_VIP,
    Packet,
    Surroundings,
    is_public,
    matches_admin_rule,
    matches_rule,
)
from rdp_remediate.lab.world import World


class Verdict(StrEnum):
    """What becomes of a packet."""

    ALLOW = "ALLOW"
    DENY = "DENY"
    NO_PATH = "NO_PATH"
    ASYMMETRIC = "ASYMMETRIC"
    BLACKHOLE = "BLACKHOLE"
    LB_PROBE_BLOCKED = "LB_PROBE_BLOCKED"
    INDETERMINATE = "INDETERMINATE"


@dataclass(frozen=True, slots=True)
class Landing:
    """Where a packet ends: the verdict, and source, destination and port as the guest would see them."""

    verdict: Verdict
    source: str
    address: str
    port: int


def evidence_of(world: World) -> Evidence:
    """Returns what the walk reads of a world."""
    nics = list(world.of_type("Microsoft.Network/networkInterfaces"))
    attached = [n for n in nics if n["properties"]["ipConfigurations"][0]["properties"].get("subnet")]
    return Evidence(
        resources=world.resources,
        routes={n["id"].lower(): effective_routes(world, n) for n in attached},
        admin_rules=world.admin_rules,
        service_tags=world.service_tags,
    )


def _subnet(evidence: Evidence, configuration: dict[str, Any]) -> tuple[Resource | None, Resource | None]:
    wanted = configuration["properties"].get("subnet", {}).get("id", "").lower()
    vnet = evidence.get(wanted.rsplit("/subnets/", 1)[0])
    subnets = (vnet or {}).get("properties", {}).get("subnets", [])
    return next((s for s in subnets if str(s.get("id", "")).lower() == wanted), None), vnet


def surroundings(
    evidence: Evidence, nic: Resource, configuration: dict[str, Any], vnet: Resource | None
) -> Surroundings:
    """Returns what tags and groups mean for packets to an IP configuration."""
    prefixes = ["168.63.129.16/32"]
    if vnet is not None:
        prefixes += vnet["properties"].get("addressSpace", {}).get("addressPrefixes", [])
        prefixes += peered_prefixes(vnet)
    forced = False
    for route in evidence.routes.get(nic["id"].lower(), []):
        if route["state"] != "Active":
            continue
        by_gateway = route["source"] == "VirtualNetworkGateway"
        by_user = route["source"] == "User" and route["nextHopType"] in ("VirtualAppliance", "VirtualNetworkGateway")
        if by_gateway or by_user:
            prefixes += route["addressPrefix"]
            forced = forced or any(p in ("0.0.0.0/0", "::/0") for p in route["addressPrefix"])
    members: dict[str, set[str]] = {}
    for other in evidence.of_type("Microsoft.Network/networkInterfaces"):
        for member in other["properties"].get("ipConfigurations", []):
            for group in member["properties"].get("applicationSecurityGroups", []):
                members.setdefault(group["id"].lower(), set()).add(member["properties"]["privateIPAddress"])
    own = configuration["properties"].get("applicationSecurityGroups", [])
    return Surroundings(
        virtual_network=tuple(prefixes),
        forced_tunnel=forced,
        service_tags=evidence.service_tags,
        own_groups=frozenset(g["id"].lower() for g in own),
        group_members={k: frozenset(v) for k, v in members.items()},
        unreadable_groups=evidence.unreadable_groups,
    )


def _admin(rules: list[dict[str, Any]], packet: Packet, around: Surroundings) -> str:
    """Returns deny, alwaysallow, allow, none or unknown: higher scopes first, then by priority."""
    inbound = [r for r in rules if str(r["properties"].get("direction", "")).lower() == "inbound"]
    level = [(0 if "/managementgroups/" in r["id"].lower() else 1, int(r["properties"]["priority"])) for r in inbound]
    for place in sorted(set(level)):
        hits = [
            (str(r["properties"]["access"]).lower(), matches_admin_rule(r["properties"], packet, around))
            for r, at in zip(inbound, level, strict=True)
            if at == place
        ]
        hits = [(access, hit) for access, hit in hits if hit is not False]
        if not hits:
            continue
        if any(hit is None for _, hit in hits) or len({access for access, _ in hits}) > 1:
            return "unknown"
        return hits[0][0]
    return "none"


def _group(group: Resource, packet: Packet, around: Surroundings) -> Verdict:
    """Returns what one NSG says: rules by priority, the first that matches decides."""
    rules = [*group["properties"].get("securityRules", []), *group["properties"].get("defaultSecurityRules", [])]
    inbound = [r["properties"] for r in rules if str(r["properties"]["direction"]).lower() == "inbound"]
    maybe: list[str] = []
    for rule in sorted(inbound, key=lambda p: int(p["priority"])):
        access = str(rule["access"]).lower()
        match = matches_rule(rule, packet, around)
        if match is None:
            maybe.append(access)
        elif match:
            if any(other != access for other in maybe):
                return Verdict.INDETERMINATE
            return Verdict.ALLOW if access == "allow" else Verdict.DENY
    return Verdict.INDETERMINATE if "allow" in maybe else Verdict.DENY


def _filters(evidence: Evidence, arrival: Arrival, packet: Packet) -> Verdict:
    subnet, vnet = _subnet(evidence, arrival.configuration)
    around = surroundings(evidence, arrival.nic, arrival.configuration, vnet)
    holders = [subnet or {"properties": {}}, arrival.nic]
    ids = [h["properties"].get("networkSecurityGroup", {}).get("id", "") for h in holders]
    groups = [g for rid in ids if rid and (g := evidence.get(rid)) is not None]
    admin = _admin(evidence.admin_rules.get(str((vnet or {}).get("id", "")).lower(), []), packet, around)
    closed_by_default = arrival.public and arrival.standard and is_public(packet.source) and not any(ids)
    if admin == "deny":
        return Verdict.DENY
    if admin == "unknown":
        return Verdict.INDETERMINATE
    if admin == "alwaysallow":
        return Verdict.INDETERMINATE if closed_by_default else Verdict.ALLOW
    if closed_by_default:
        return Verdict.DENY
    if len(groups) < sum(1 for rid in ids if rid):
        return Verdict.INDETERMINATE
    answers = [_group(g, packet, around) for g in groups]
    if Verdict.DENY in answers:
        return Verdict.DENY
    return Verdict.INDETERMINATE if Verdict.INDETERMINATE in answers else Verdict.ALLOW


def _return_path(evidence: Evidence, arrival: Arrival, packet: Packet) -> Verdict:
    """Returns ALLOW when the reply goes back the way the packet came."""
    if packet.source == HOST_VIP:
        return Verdict.ALLOW
    candidates = []
    for route in evidence.routes.get(arrival.nic["id"].lower(), []):
        if route["state"] != "Active":
            continue
        for prefix in route["addressPrefix"]:
            network = ip_network(prefix, strict=False)
            if network.version == packet.source.version and packet.source in network:
                rank = {"User": 2, "VirtualNetworkGateway": 1}.get(route["source"], 0)
                candidates.append((network.prefixlen, rank, route))
    own = [
        c for c in candidates if c[1] == 0 and c[2]["nextHopType"] in ("VnetLocal", "VNetPeering", "VNetGlobalPeering")
    ]
    if own:
        # routes of the VNet itself and of peerings are preferred over more specific ones that a gateway learned
        candidates = [c for c in candidates if c[1] != 1]
    if not candidates:
        return Verdict.ALLOW
    hop = max(candidates, key=lambda c: (c[0], c[1]))[2]["nextHopType"]
    if hop == "None":
        return Verdict.BLACKHOLE
    return Verdict.ASYMMETRIC if is_public(packet.source) and hop != "Internet" else Verdict.ALLOW


def _classic(evidence: Evidence, vm: Resource, client: str, dialled: str, port: int) -> Landing:
    """Classic endpoints: lowest order first; a list with a permit ends in an implicit deny (network-semantics.md 6)."""
    view = vm["properties"]["instanceView"]
    if same_address(view.get("privateIpAddress"), dialled):
        verdict = Verdict.NO_PATH if is_public(ip_address(client)) else Verdict.ALLOW
        return Landing(verdict, client, dialled, port)
    for endpoint in vm["properties"]["networkProfile"].get("inputEndpoints", []):
        if endpoint["publicPort"] != port or dialled not in view.get("publicIpAddresses", []):
            continue
        acls = evidence.classic_acls.get(vm["id"].lower())
        private = str(view.get("privateIpAddress"))
        if acls is None or endpoint["endpointName"] not in acls:
            return Landing(Verdict.INDETERMINATE, client, private, endpoint["privatePort"])
        rules = sorted(acls[endpoint["endpointName"]], key=lambda r: int(r["order"]))
        hit = next((r for r in rules if ip_address(client) in ip_network(r["remoteSubnet"], strict=False)), None)
        permits = any(str(r["action"]).lower() == "permit" for r in rules)
        allowed = str(hit["action"]).lower() == "permit" if hit else not permits
        return Landing(Verdict.ALLOW if allowed else Verdict.DENY, client, private, endpoint["privatePort"])
    return Landing(Verdict.NO_PATH, client, dialled, port)


def walk(evidence: Evidence, vm_id: str, client: str, dialled: str, port: int) -> Landing:
    """Returns where a TCP SYN from client to a dialled address and port ends."""
    vm = evidence.get(vm_id)
    if vm is not None and str(vm.get("type", "")).lower() == "microsoft.classiccompute/virtualmachines":
        return _classic(evidence, vm, client, dialled, port)
    arrival = next(arrivals(evidence, vm_id, Dial(client, dialled, port)), None)
    if arrival is None:
        return Landing(Verdict.NO_PATH, client, dialled, port)
    packet = Packet(ip_address(arrival.source), ip_address(arrival.destination), arrival.port)
    verdict = _filters(evidence, arrival, packet)
    if verdict is not Verdict.DENY:
        if arrival.probe_port is not None:
            probe = Packet(HOST_VIP, packet.destination, arrival.probe_port)
            if _filters(evidence, arrival, probe) is Verdict.DENY:
                verdict = Verdict.LB_PROBE_BLOCKED
        back = _return_path(evidence, arrival, packet)
        if back is not Verdict.ALLOW and verdict is not Verdict.LB_PROBE_BLOCKED:
            verdict = back
    return Landing(verdict, arrival.source, arrival.destination, arrival.port)


class LabPath:
    """The walk over a living world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def walk(self, vm_id: str, client: str, dialled: str, port: int) -> Landing:
        """Returns where a packet ends in the world as it is now."""
        return walk(evidence_of(self._world), vm_id, client, dialled, port)

    def entries(self, vm_id: str) -> list[Entry]:
        """Returns every address that leads to a VM: private, public, load balancer frontends, DNAT."""
        evidence = evidence_of(self._world)
        found: dict[Entry, None] = {}
        for nic in nics_of(evidence, vm_id):
            for configuration in nic["properties"].get("ipConfigurations", []):
                found.update(dict.fromkeys(own_entries(evidence, configuration)))
                found.update(dict.fromkeys(shared_entries(evidence, configuration)))
        return list(found)
