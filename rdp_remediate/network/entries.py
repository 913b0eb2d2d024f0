"""Every door through which RDP to a VM can be dialled."""

from dataclasses import dataclass

from rdp_remediate.facts.network_addresses import address_text
from rdp_remediate.facts.network_model import Frontend, LoadBalancer, NetworkFacts
from rdp_remediate.network.arrival import Arrival, Blocked, EntryKind, from_subnet, through_private_address, unclear
from rdp_remediate.network.load_balancer import Member, frontend_ports
from rdp_remediate.network.path import Judge, network
from rdp_remediate.network.prefixes import contains


@dataclass(frozen=True, slots=True)
class Entry:
    """A door of a VM.

    Attributes:
        kind: How it is dialled.
        address: What the client dials; None while a dynamic public address is unassigned.
        port: The port that the client dials.
        backend_port: The VM-side port that it leads to.
        public: Whether the Internet can dial it.
        resource_id: The public IP, NAT or balancing rule, DNAT rule or IP configuration, as ARM spells it.
    """

    kind: EntryKind
    address: str | None
    port: int
    backend_port: int
    public: bool
    nic_id: str
    ip_configuration_id: str
    private_address: str
    resource_id: str
    vm_id: str = ""


def _entry(arrival: Arrival, address: int | None, port: int, vm: str, *, public: bool) -> Entry:
    own = arrival.ip_configuration.private_address
    return Entry(
        arrival.kind,
        None if address is None else address_text(address),
        port,
        arrival.port,
        public,
        arrival.nic.arm_id,
        arrival.ip_configuration.arm_id,
        "" if own is None else address_text(own),
        arrival.entry_id,
        vm,
    )


def entries(facts: NetworkFacts, vm_id: str, guest_port: int = 3389) -> tuple[Entry, ...]:
    """Every (NIC, IP configuration, address and port) through which the VM can be dialled, public doors first.

    Public and private addresses are listed with the guest's port; load balancer and DNAT doors with every port that
    leads to the VM, whatever its backend port, so that a wrong one can be seen.
    """
    vm = vm_id.rstrip("/").lower()
    directory = network(facts).directory
    out: list[Entry] = []
    targets = directory.targets(vm) if vm else []
    for member in targets:
        out += _public(facts, member, guest_port, vm)
        for balancer in facts.load_balancers.values():
            for frontend in balancer.frontends:
                out += _balanced(facts, balancer, frontend, member, vm)
        out += _dnat(facts, member, vm)
    for member in targets:
        if member[1].private_address is None:
            continue
        private = through_private_address(*member, guest_port)
        ranges, seen = directory.bastion_sources(member[1])
        if seen:
            arrival = from_subnet(private, ranges, EntryKind.BASTION)
            out.append(_entry(arrival, member[1].private_address, guest_port, vm, public=False))
        out.append(_entry(private, member[1].private_address, guest_port, vm, public=False))
    return tuple(dict.fromkeys(out))


def _public(facts: NetworkFacts, member: Member, port: int, vm: str) -> list[Entry]:
    nic, one = member
    owned = [ip for ip in facts.public_ips.values() if ip.key == one.public_ip or (ip.owner and ip.owner == one.key)]
    return [
        _entry(
            Arrival(EntryKind.PUBLIC, nic, one, one.private_address, port, ip.arm_id, public=True, sku=ip.sku),
            ip.address,
            port,
            vm,
            public=True,
        )
        for ip in owned
    ]


def _balanced(facts: NetworkFacts, balancer: LoadBalancer, frontend: Frontend, member: Member, vm: str) -> list[Entry]:
    compiled = network(facts)
    address = compiled.directory.frontend_address(frontend)
    if address is None:
        return []
    out = []
    for port in frontend_ports(balancer, frontend, member[1]):
        arrival = compiled.directory.resolve(address, port or 3389, vm, member[1].key)
        if isinstance(arrival, Arrival):
            out.append(_entry(arrival, address, port or 3389, vm, public=arrival.public))
    return out


def _dnat(facts: NetworkFacts, member: Member, vm: str) -> list[Entry]:
    compiled = network(facts)
    out = []
    for firewall in facts.firewalls.values():
        public = [facts.public_ips[key].address for key in firewall.public_ips if key in facts.public_ips]
        for rule in firewall.dnat_rules:
            if rule.translated_address is None or rule.translated_address != member[1].private_address:
                continue
            for address in (*public, *firewall.private_addresses):
                if address is None or not contains(rule.destinations, address):
                    continue
                for first, last in rule.ports:
                    if last - first > 16:
                        continue
                    for port in range(first, last + 1):
                        arrival = compiled.directory.resolve(address, port, vm, member[1].key)
                        if isinstance(arrival, Arrival):
                            out.append(_entry(arrival, address, port, vm, public=address in public))
    return out


def judge_of(facts: NetworkFacts, entry: Entry) -> Judge | Blocked:
    """The judge of a door."""
    compiled = network(facts)
    address = compiled.directory.dialled(entry.address or "")
    if address is None:
        return unclear("the door has no address now")
    word = EntryKind.BASTION.value if entry.kind is EntryKind.BASTION else None
    return compiled.judge(address, entry.port, entry.vm_id, entry.ip_configuration_id.lower(), word)
