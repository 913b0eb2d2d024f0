"""How a packet gets to a VM: private and public addresses, load balancer rules, destination NAT of a firewall."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from rdp_remediate.lab.address_space import prefixes_of
from rdp_remediate.lab.healthy import Resource
from rdp_remediate.lab.packet_match import is_public


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the walk reads: ARM resources and the answers of the operations."""

    resources: dict[str, Resource]
    routes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    admin_rules: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    service_tags: dict[str, list[str]] = field(default_factory=dict)
    unreadable_groups: frozenset[str] = frozenset()
    classic_acls: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)

    def get(self, resource_id: str) -> Resource | None:
        """Returns a top-level resource by id in any case."""
        return self.resources.get(resource_id.lower())

    def of_type(self, kind: str) -> Iterator[Resource]:
        """Yields the resources of a type."""
        return (r for r in self.resources.values() if str(r.get("type", "")).lower() == kind.lower())


@dataclass(frozen=True, slots=True)
class Entry:
    """An address that leads to the VM; port None = the address itself, any port."""

    address: str
    port: int | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet at the VM: which IP configuration gets it, and what the filters see."""

    nic: Resource
    configuration: dict[str, Any]
    source: str
    destination: str
    port: int
    public: bool
    standard: bool
    probe_port: int | None = None


@dataclass(frozen=True, slots=True)
class Dial:
    """What a client dials."""

    client: str
    address: str
    port: int


def nics_of(evidence: Evidence, vm_id: str) -> list[Resource]:
    """Returns the NICs that a VM names."""
    vm = evidence.get(vm_id)
    refs = (vm or {}).get("properties", {}).get("networkProfile", {}).get("networkInterfaces", [])
    return [nic for ref in refs if (nic := evidence.get(ref["id"])) is not None]


def _public_address(evidence: Evidence, reference: dict[str, Any] | None) -> tuple[str | None, bool]:
    address = evidence.get((reference or {}).get("id", ""))
    if address is None:
        return None, False
    standard = str(address.get("sku", {}).get("name", "")).lower() != "basic"
    return address["properties"].get("ipAddress"), standard


def same_address(left: str | None, right: str) -> bool:
    """True when two texts are the same address."""
    return left is not None and ip_address(left) == ip_address(right)


def _balancer_arrivals(
    evidence: Evidence, nic: Resource, configuration: dict[str, Any], dial: Dial
) -> Iterator[Arrival]:
    rid = str(configuration.get("id", "")).lower()
    properties = configuration["properties"]
    pools = {str(p["id"]).lower() for p in properties.get("loadBalancerBackendAddressPools", [])}
    for balancer in evidence.of_type("Microsoft.Network/loadBalancers"):
        body = balancer["properties"]
        standard = str(balancer.get("sku", {}).get("name", "")).lower() != "basic"
        for frontend in body.get("frontendIPConfigurations", []):
            reference = frontend["properties"].get("publicIPAddress")
            address, _ = _public_address(evidence, reference)
            address = address or frontend["properties"].get("privateIPAddress")
            if not same_address(address, dial.address):
                continue
            mine = frontend["id"].lower()
            for kind in ("inboundNatRules", "loadBalancingRules"):
                for rule in body.get(kind, []):
                    p = rule["properties"]
                    if (
                        p.get("frontendIPConfiguration", {}).get("id", "").lower() != mine
                        or p["frontendPort"] != dial.port
                    ):
                        continue
                    if str(p.get("protocol", "")).lower() not in ("tcp", "all"):
                        continue
                    probe_port = None
                    if kind == "inboundNatRules":
                        if p.get("backendIPConfiguration", {}).get("id", "").lower() != rid:
                            continue
                    else:
                        if p.get("backendAddressPool", {}).get("id", "").lower() not in pools:
                            continue
                        wanted = p.get("probe", {}).get("id", "").lower()
                        probe = next((x for x in body.get("probes", []) if x["id"].lower() == wanted), None)
                        probe_port = probe["properties"]["port"] if probe else None
                    target = dial.address if p.get("enableFloatingIP") else properties["privateIPAddress"]
                    yield Arrival(
                        nic,
                        configuration,
                        dial.client,
                        target,
                        p["backendPort"],
                        reference is not None,
                        standard,
                        probe_port,
                    )


def _firewall_arrivals(
    evidence: Evidence, nic: Resource, configuration: dict[str, Any], dial: Dial
) -> Iterator[Arrival]:
    private = configuration["properties"]["privateIPAddress"]
    for firewall in evidence.of_type("Microsoft.Network/azureFirewalls"):
        for collection in firewall["properties"].get("natRuleCollections", []):
            for rule in collection["properties"].get("rules", []):
                admitted = any(
                    s == "*" or ip_address(dial.client) in ip_network(s, strict=False)
                    for s in rule.get("sourceAddresses", [])
                )
                here = any(same_address(a, dial.address) for a in rule.get("destinationAddresses", []))
                if not (admitted and here and str(dial.port) in rule.get("destinationPorts", [])):
                    continue
                if not same_address(rule.get("translatedAddress"), private):
                    continue
                source = _firewall_source(evidence, firewall)
                yield Arrival(nic, configuration, source, private, int(rule["translatedPort"]), False, True)


def _firewall_source(evidence: Evidence, firewall: Resource) -> str:
    """Azure Firewall replaces the client's address by one of its own subnet."""
    subnet_id = firewall["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"]
    vnet = evidence.get(subnet_id.rsplit("/subnets/", 1)[0])
    for subnet in (vnet or {}).get("properties", {}).get("subnets", []):
        if str(subnet.get("id", "")).lower() == subnet_id.lower():
            return str(ip_network(prefixes_of(subnet["properties"])[0])[5])
    return str(firewall["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"])


def arrivals(evidence: Evidence, vm_id: str, dial: Dial) -> Iterator[Arrival]:
    """Yields the ways in which a dialled address and port lead to the VM."""
    outside = is_public(ip_address(dial.client))
    for nic in nics_of(evidence, vm_id):
        for configuration in nic["properties"].get("ipConfigurations", []):
            properties = configuration["properties"]
            private = properties.get("privateIPAddress")
            if same_address(private, dial.address) and not outside:
                yield Arrival(nic, configuration, dial.client, private, dial.port, False, True)
            public, standard = _public_address(evidence, properties.get("publicIPAddress"))
            if same_address(public, dial.address):
                yield Arrival(nic, configuration, dial.client, private, dial.port, True, standard)
            yield from _balancer_arrivals(evidence, nic, configuration, dial)
            yield from _firewall_arrivals(evidence, nic, configuration, dial)


def own_entries(evidence: Evidence, configuration: dict[str, Any]) -> Iterator[Entry]:
    """Yields the addresses of an IP configuration itself."""
    properties = configuration["properties"]
    if properties.get("privateIPAddress"):
        yield Entry(properties["privateIPAddress"], None)
    public, _ = _public_address(evidence, properties.get("publicIPAddress"))
    if public:
        yield Entry(public, None)


def shared_entries(evidence: Evidence, configuration: dict[str, Any]) -> Iterator[Entry]:
    """Yields the addresses that a load balancer or firewall leads to an IP configuration."""
    rid = str(configuration.get("id", "")).lower()
    pools = {str(p["id"]).lower() for p in configuration["properties"].get("loadBalancerBackendAddressPools", [])}
    for balancer in evidence.of_type("Microsoft.Network/loadBalancers"):
        body = balancer["properties"]
        for frontend in body.get("frontendIPConfigurations", []):
            address, _ = _public_address(evidence, frontend["properties"].get("publicIPAddress"))
            address = address or frontend["properties"].get("privateIPAddress")
            for rule in [*body.get("inboundNatRules", []), *body.get("loadBalancingRules", [])]:
                p = rule["properties"]
                mine = p.get("backendIPConfiguration", {}).get("id", "").lower() == rid
                mine = mine or p.get("backendAddressPool", {}).get("id", "").lower() in pools
                if address and mine and p.get("frontendIPConfiguration", {}).get("id") == frontend["id"]:
                    yield Entry(address, p["frontendPort"])
    for firewall in evidence.of_type("Microsoft.Network/azureFirewalls"):
        for collection in firewall["properties"].get("natRuleCollections", []):
            for rule in collection["properties"].get("rules", []):
                if same_address(rule.get("translatedAddress"), configuration["properties"]["privateIPAddress"]):
                    for address in rule.get("destinationAddresses", []):
                        yield from (Entry(address, int(p)) for p in rule.get("destinationPorts", []) if p.isdigit())
