"""The network as the evidence shows it: typed, frozen, never serialised.

Every id that is compared is lower case (`key`); `arm_id` keeps ARM's spelling for people and for writes. Enums have an
UNKNOWN member for what a newer Azure may say: it never counts as permission.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rdp_remediate.facts.network_addresses import AddressSpec, PortSpec, Ranges
from rdp_remediate.facts.network_classic import ClassicVm
from rdp_remediate.facts.network_words import Access, Direction, NextHop, RouteSource, Sku, Transport
from rdp_remediate.models.fact import Reason, Unavailable


@dataclass(frozen=True, slots=True)
class DataNote:
    """Something in the evidence that has no valid shape and was not understood."""

    resource_id: str
    problem: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of an NSG or a security admin rule.

    Attributes:
        name: Without the prefix that effective views put before it.
        priority: None when the evidence shows no valid one; the rule may then stand anywhere.
        scope_rank: Admin rules: 0 for the highest network manager. NSG rules: 0.
        manager: Admin rules: the key of the network manager.
    """

    name: str
    arm_id: str
    priority: int | None
    access: Access
    direction: Direction
    transport: Transport
    source: AddressSpec
    source_ports: PortSpec
    destination: AddressSpec
    destination_ports: PortSpec
    is_default: bool = False
    description: str = ""
    problems: tuple[str, ...] = ()
    scope_rank: int = 0
    manager: str = ""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Nsg:
    """A network security group: all its rules, default rules included, in no order."""

    key: str
    arm_id: str
    rules: tuple[Rule, ...]
    provisioning_state: str
    subnets: tuple[str, ...] = ()
    network_interfaces: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class EffectiveNsg:
    """One element of a NIC's effective rules, with the keys of what it is associated with; several may be given."""

    nsg_id: str
    rules: tuple[Rule, ...]
    subnet: str
    network_interface: str
    network_manager: str

    @property
    def is_admin(self) -> bool:
        """Whether the element holds security admin rules, not those of an NSG."""
        return bool(self.network_manager) and not self.subnet and not self.network_interface


@dataclass(frozen=True, slots=True)
class IpConfiguration:
    """An IP configuration of a NIC: what NSGs, load balancers and public addresses hang on."""

    key: str
    arm_id: str
    nic: str
    name: str
    private_address: int | None
    primary: bool
    subnet: str
    public_ip: str
    groups: tuple[str, ...]
    nat_rules: tuple[str, ...]
    pools: tuple[str, ...]
    allocation: str = ""


@dataclass(frozen=True, slots=True)
class Nic:
    """A network interface."""

    key: str
    arm_id: str
    vm: str
    primary: bool
    nsg: str
    ip_configurations: tuple[IpConfiguration, ...]
    ip_forwarding: bool
    location: str
    dns_servers: tuple[int, ...] = ()
    accelerated_networking: bool = False


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet; `nsg` and `route_table` are empty when it has none."""

    key: str
    arm_id: str
    vnet: str
    name: str
    ranges: Ranges
    nsg: str
    route_table: str


@dataclass(frozen=True, slots=True)
class Peering:
    """A peering as this VNet's side shows it; `remote_ranges` None when the evidence does not say."""

    name: str
    remote_vnet: str
    connected: bool | None
    allows_access: bool | None
    uses_remote_gateway: bool
    remote_ranges: Ranges | None


@dataclass(frozen=True, slots=True)
class Vnet:
    """A virtual network; `ranges` None when its address space could not be read."""

    key: str
    arm_id: str
    ranges: Ranges | None
    subnets: tuple[str, ...]
    peerings: tuple[Peering, ...]
    location: str
    dns_servers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PublicIp:
    """A public address; `address` None while a dynamic one is unassigned."""

    key: str
    arm_id: str
    address: int | None
    sku: Sku
    fqdn: str
    allocation: str
    owner: str


@dataclass(frozen=True, slots=True)
class Frontend:
    """A frontend of a load balancer: a private address or the key of a public IP."""

    key: str
    private_address: int | None
    public_ip: str
    subnet: str


@dataclass(frozen=True, slots=True)
class NatRule:
    """An inbound NAT rule: V1 names an IP configuration, V2 a pool and a range of frontend ports."""

    key: str
    arm_id: str
    name: str
    frontend: str
    transport: Transport
    frontend_port: int | None
    backend_port: int | None
    floating: bool
    ip_configuration: str
    pool: str
    first_port: int | None
    last_port: int | None


@dataclass(frozen=True, slots=True)
class BalancingRule:
    """A load-balancing rule; frontend port 0 with protocol All is an HA-ports rule."""

    key: str
    arm_id: str
    name: str
    frontend: str
    transport: Transport
    frontend_port: int | None
    backend_port: int | None
    floating: bool
    pools: tuple[str, ...]
    probe: str


@dataclass(frozen=True, slots=True)
class PortMapping:
    """A frontend port that a V2 NAT rule gave to a member of its pool."""

    rule_name: str
    frontend_port: int
    backend_port: int


@dataclass(frozen=True, slots=True)
class PoolMember:
    """A member of a backend pool, by IP configuration or by address."""

    ip_configuration: str
    address: int | None
    mappings: tuple[PortMapping, ...] = ()


@dataclass(frozen=True, slots=True)
class Pool:
    """A backend pool."""

    key: str
    members: tuple[PoolMember, ...]


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """A load balancer; `probes` maps a probe's key to its port."""

    key: str
    arm_id: str
    sku: Sku
    frontends: tuple[Frontend, ...]
    nat_rules: tuple[NatRule, ...]
    rules: tuple[BalancingRule, ...]
    pools: tuple[Pool, ...]
    probes: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Route:
    """A route; `ranges` None when its prefix is a service tag (`tag`) or unreadable."""

    name: str
    arm_id: str
    spelling: str
    ranges: Ranges | None
    tag: str
    source: RouteSource
    next_hop: NextHop
    next_hop_addresses: tuple[int, ...]
    active: bool = True


@dataclass(frozen=True, slots=True)
class RouteTable:
    """A user-defined route table."""

    key: str
    arm_id: str
    routes: tuple[Route, ...]
    disables_gateway_routes: bool
    subnets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DnatRule:
    """A DNAT rule of an Azure Firewall; `sources` None when they name IP groups or could not be read."""

    name: str
    arm_id: str
    transport: Transport
    sources: Ranges | None
    destinations: Ranges
    ports: Ranges
    translated_address: int | None
    translated_port: int | None
    priority: int


@dataclass(frozen=True, slots=True)
class Firewall:
    """An Azure Firewall with the DNAT rules of its own or of its policy (`policy_read` False: policy not seen)."""

    key: str
    arm_id: str
    public_ips: tuple[str, ...]
    private_addresses: tuple[int, ...]
    subnets: tuple[str, ...]
    dnat_rules: tuple[DnatRule, ...]
    policy: str
    policy_read: bool


@dataclass(frozen=True, slots=True)
class Bastion:
    """A Bastion host and the subnets that its sessions come from."""

    key: str
    arm_id: str
    subnets: tuple[str, ...]
    vnet: str
    sku: str


@dataclass(frozen=True, slots=True)
class Vm:
    """A virtual machine's network profile; `power` is the instance view's word, such as `running`, empty when unread."""

    key: str
    arm_id: str
    nics: tuple[str, ...]
    location: str
    power: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """What the bundle asks about. Addresses are claims of the asker."""

    vm: str = ""
    client_address: str | None = None
    dialled_address: str | None = None
    dialled_port: int = 3389
    entry: str | None = None


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class NetworkFacts:
    """Everything the bundle shows about the network, by lower-case id.

    Attributes:
        effective_rules: By NIC; a NIC that is not there was not read, `why(...)` says why.
        effective_tags: By NIC, then by tag: the expansion that Azure itself printed.
        service_tags: Prefixes by tag key, of every location that was read.
        group_members: Private addresses by application security group, where Azure was asked for the members.
        address_owners: By subscription: which resources hold an address, as far as it was looked up.
        jit_vms: VMs with a just-in-time policy, each with the ports it guards.
    """

    target: Target = Target()
    at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    vms: Mapping[str, Vm] = field(default_factory=dict)
    classic_vms: Mapping[str, ClassicVm] = field(default_factory=dict)
    nics: Mapping[str, Nic] = field(default_factory=dict)
    vnets: Mapping[str, Vnet] = field(default_factory=dict)
    subnets: Mapping[str, Subnet] = field(default_factory=dict)
    nsgs: Mapping[str, Nsg] = field(default_factory=dict)
    public_ips: Mapping[str, PublicIp] = field(default_factory=dict)
    load_balancers: Mapping[str, LoadBalancer] = field(default_factory=dict)
    route_tables: Mapping[str, RouteTable] = field(default_factory=dict)
    firewalls: Mapping[str, Firewall] = field(default_factory=dict)
    bastions: Mapping[str, Bastion] = field(default_factory=dict)
    gateway_vnets: frozenset[str] = frozenset()
    gateway_ranges: Mapping[str, Ranges] = field(default_factory=dict)
    effective_rules: Mapping[str, tuple[EffectiveNsg, ...]] = field(default_factory=dict)
    effective_routes: Mapping[str, tuple[Route, ...]] = field(default_factory=dict)
    effective_tags: Mapping[str, Mapping[str, Ranges]] = field(default_factory=dict)
    admin_rules: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    service_tags: Mapping[str, Ranges] = field(default_factory=dict)
    group_members: Mapping[str, Ranges] = field(default_factory=dict)
    address_owners: Mapping[str, Mapping[int, tuple[str, ...]]] = field(default_factory=dict)
    jit_vms: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    unavailable: Mapping[tuple[str, str], Unavailable] = field(default_factory=dict)
    notes: tuple[DataNote, ...] = ()

    def why(self, fact: str, resource_id: str = "") -> Unavailable:
        """Why a read is not there. What is neither present nor listed was not collected."""
        for wanted in ((fact, resource_id), (fact, "")):
            if wanted in self.unavailable:
                return self.unavailable[wanted]
        return Unavailable(Reason.NOT_COLLECTED, f"{fact} of {resource_id or 'the target'} was not collected", fact)

    def was_refused(self, fact: str, resource_id: str) -> bool:
        """Whether the bundle lists this read as failed."""
        return (fact, resource_id) in self.unavailable
