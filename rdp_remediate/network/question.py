"""The question behind a bundle: who wants in, by which entry, on which port, and what the path engine says to that.

Kept once per bundle. Addresses and ports of the asker are claims: they choose which of the target's own entries is
judged, and never become anything else.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.network_addresses import address_text
from rdp_remediate.facts.network_words import Access
from rdp_remediate.facts.references import parent
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable
from rdp_remediate.models.guest import FirewallSection
from rdp_remediate.network import guest_firewall
from rdp_remediate.network.arrival import EntryKind
from rdp_remediate.network.decision import Decision, Explanation, Flow, Verdict
from rdp_remediate.network.entries import Entry, entries
from rdp_remediate.network.explain import explain
from rdp_remediate.network.path import decide, network
from rdp_remediate.network.prefixes import is_public

DEFAULT_PORT = 3389

FIREWALL_SERVICES = ("BFE", "mpssvc")
"""In the order in which they start; while one of them is stopped, Windows lets nothing in."""


@dataclass(frozen=True)
class ProbeTarget:
    """An address and port that ARM shows on the target; nothing else is ever probed."""

    address: str
    port: int


@dataclass(frozen=True, eq=False)
class Question:
    """What is judged.

    Attributes:
        clients: The known client, or addresses that stand for every configured source.
        client_known: Whether somebody named the client.
        entry: The entry of the target that was dialled, or the one that fits best; None: it has none.
        dialled_port: The port that the client dials.
        port: The VM-side port on which RDP is expected.
        guest_port: The port that TermService is set to.
        decisions: The path engine's decision for each client, on the dialled port.
        nsg_ids: ARM ids of the NSGs that filter this entry, NIC first.
        wrong_port: The dialled port leads nowhere, while the guest's own is open all the way.
        via: The private way in that a VM without a public entry has by design, such as a Bastion host.
        unread_entry: Why the entries are not known, when a NIC or what hangs on it could not be read.
        unsure_port: Why it is not known whether RDP is offered on the expected port or on another one that is open.
    """

    clients: tuple[str, ...]
    client_known: bool
    entry: Entry | None
    dialled_port: int
    port: int
    guest_port: Fact[int]
    decisions: tuple[tuple[str, Decision], ...] = ()
    nsg_ids: tuple[str, ...] = ()
    wrong_port: bool = False
    via: str | None = None
    unread_entry: Unavailable | None = None
    unsure_port: Unavailable | None = None

    @property
    def allowed(self) -> bool:
        """The path engine allows every client that is asked about."""
        return bool(self.decisions) and all(d.verdict is Verdict.ALLOW for _, d in self.decisions)

    def same_entry(self, address: str, port: int) -> bool:
        """Whether an address and port are the entry that the client uses."""
        return self.entry is not None and self.entry.address == address and port == self.dialled_port


@lru_cache(maxsize=16)
def ask(facts: Facts) -> Question:
    """The question of a bundle with the path engine's answers."""
    guest_port = facts.guest.rdp_port()
    clients, known = _clients(facts)
    dialled = facts.target.dialled_port or DEFAULT_PORT
    found = entries(facts.network, facts.target.vm_id, dialled)
    entry, clients, via = _entry(facts, found, clients)
    if entry is not None and facts.target.dialled_port is None:
        dialled = entry.port
    unread = _unread_entry(facts)
    if entry is not None and unread is not None and not entry.public:
        # The way in that was meant may be among what could not be read.
        entry, clients, via = None, _clients(facts)[0], None
    if entry is None:
        same = not isinstance(guest_port, Unavailable) and guest_port.value == dialled
        unsure = None if same else unread
        return Question(clients, known, None, dialled, dialled, guest_port, unread_entry=unread, unsure_port=unsure)
    first = _decide(facts, clients, entry, dialled)
    expected = next((d.port for _, d in first if d.port), entry.backend_port)
    nsg_ids = _nsgs(facts, entry)
    here = Question(clients, known, entry, dialled, expected, guest_port, first, nsg_ids, via=via, unread_entry=unread)
    moves = entry.kind in (EntryKind.PUBLIC, EntryKind.PRIVATE, EntryKind.BASTION)
    if isinstance(guest_port, Unavailable):
        others = _other_open_ports(facts, clients, entry, nsg_ids, expected) if moves else ()
        return replace(here, unsure_port=_unsure(guest_port, others)) if others else here
    if guest_port.value == expected or not moves:
        return here
    # The guest listens elsewhere: if its own port is open all the way, it is the client that dials the wrong one.
    port = guest_port.value
    moved = _decide(facts, clients, entry, port)
    admitted = [_admitted(facts, client, entry, port) for client in clients]
    shut = [d for _, d in moved if d.verdict not in (Verdict.ALLOW, Verdict.INDETERMINATE)]
    if not moved or shut or False in admitted:
        return here
    if None in admitted or any(d.verdict is Verdict.INDETERMINATE for _, d in moved):
        return replace(here, unsure_port=_unsure(_unread_there(facts, moved), (port,)))
    wrong = facts.target.dialled_port is not None
    return Question(clients, known, entry, port, port, guest_port, moved, nsg_ids, wrong, via, unread)


_OTHER_SERVICES = frozenset({21, 22, 25, 53, 80, 88, 135, 139, 389, 443, 445, 636, 1433, 5985, 5986, 8080, 8443})
"""Ports that a Windows server offers something else on; an opening of theirs says nothing about RDP."""


def _other_open_ports(
    facts: Facts, clients: tuple[str, ...], entry: Entry, nsg_ids: tuple[str, ...], expected: int
) -> tuple[int, ...]:
    """Single ports that somebody wrote an allow rule for and that these clients get through to."""
    written = [rule for nsg_id in nsg_ids if (nsg := facts.network.nsgs.get(nsg_id.lower())) for rule in nsg.rules]
    spans = [
        s
        for rule in written
        if rule.access is Access.ALLOW and not rule.is_default
        for s in rule.destination_ports.ranges
    ]
    single = sorted({first for first, last in spans if first == last} - {expected} - _OTHER_SERVICES)
    passing = (Verdict.ALLOW, Verdict.INDETERMINATE)
    return tuple(
        port
        for port in single
        if clients and all(d.verdict in passing for _, d in _decide(facts, clients, entry, port))
    )


def _unsure(why: Unavailable, ports: tuple[int, ...]) -> Unavailable:
    named = ", ".join(str(port) for port in ports)
    return replace(why, detail=f"RDP may be offered on port {named} instead: {why.detail}")


def _unread_there(facts: Facts, moved: tuple[tuple[str, Decision], ...]) -> Unavailable:
    firewall = facts.guest.firewall
    if isinstance(firewall, Unavailable):
        return firewall
    gaps = "; ".join(dict.fromkeys(gap for _, decision in moved for gap in decision.data_gaps))
    return Unavailable(Reason.NOT_COLLECTED, gaps or "whether it is open cannot be judged from outside", "path")


@lru_cache(maxsize=16)
def told(facts: Facts) -> tuple[tuple[str, Explanation], ...]:
    """The whole trace for each client of the question."""
    question = ask(facts)
    if question.entry is None:
        return ()
    return tuple(
        (client, explain(facts.network, _flow(facts, client, question.entry, question.dialled_port)))
        for client, _ in question.decisions
    )


def probe_targets(facts: Facts) -> list[ProbeTarget]:
    """The public endpoint of the target that may be probed: the one that the client uses, if ARM shows its address."""
    question = ask(facts)
    if question.entry is None or not question.entry.public or not question.entry.address:
        return []
    return [ProbeTarget(question.entry.address, question.dialled_port)]


def guest_admission(
    facts: Facts, view: Callable[[FirewallSection], FirewallSection] = lambda firewall: firewall
) -> Fact[guest_firewall.GuestFirewallDecision]:
    """What the guest firewall does with the client on the expected port; with several clients the strictest answer.

    Args:
        facts: One bundle, read.
        view: What to judge in place of the firewall as it is, such as the same without its block rules.
    """
    for name in FIREWALL_SERVICES:
        service = facts.guest.service(name)
        if isinstance(service, Unavailable):
            return service
        if service.value is None or service.value.state != "Running":
            stopped = guest_firewall.Because.SERVICES_STOPPED
            decision = guest_firewall.GuestFirewallDecision(guest_firewall.Admission.DENY, stopped, "")
            return Observed(decision, service.source, service.at)
    question = ask(facts)
    firewall = facts.guest.firewall
    if isinstance(firewall, Unavailable):
        return firewall
    if question.unsure_port is not None:
        return question.unsure_port
    for name, unread in facts.guest.items.items():
        if name.startswith(("firewall.rules", "firewall.ipsec", "firewall.products")):
            return unread
    decisions = [
        guest_firewall.admits(view(firewall.value), flow)
        for client in question.clients
        if (flow := guest_flow(facts, client, question.entry, question.port)) is not None
    ]
    if not decisions:
        return Unavailable(Reason.NOT_COLLECTED, "no client and no configured source is known", "target.client_address")
    for wanted in (guest_firewall.Admission.DENY, guest_firewall.Admission.INDETERMINATE):
        for decision in decisions:
            if decision.admission is wanted:
                return Observed(decision, firewall.source, firewall.at)
    return Observed(decisions[0], firewall.source, firewall.at)


def guest_flow(facts: Facts, client: str, entry: Entry | None, port: int) -> guest_firewall.GuestFlow | None:
    """The connection as Windows sees it: its source after any translation on the way, or None for no address."""
    try:
        source = ipaddress.ip_address(client)
    except ValueError:
        return None
    destination = ipaddress.ip_address(entry.private_address) if entry and entry.private_address else None
    addresses = facts.guest.addresses
    subnets = (
        () if isinstance(addresses, Unavailable) else tuple(f"{a.address}/{a.prefix_length}" for a in addresses.value)
    )
    return guest_firewall.GuestFlow(source, destination, port, subnets)


def _admitted(facts: Facts, client: str, entry: Entry, port: int) -> bool | None:
    """Whether the guest firewall admits a client on a port; None: it could not be seen."""
    firewall = facts.guest.firewall
    flow = guest_flow(facts, client, entry, port)
    if isinstance(firewall, Unavailable) or flow is None:
        return None
    admission = guest_firewall.admits(firewall.value, flow).admission
    return None if admission is guest_firewall.Admission.INDETERMINATE else admission is guest_firewall.Admission.ALLOW


def _clients(facts: Facts) -> tuple[tuple[str, ...], bool]:
    claimed = facts.target.client_address
    if claimed:
        try:
            return (str(ipaddress.ip_address(claimed.strip())),), True
        except ValueError:
            pass  # a claim that is no address is treated as not known
    ends: list[str] = []
    for source in facts.sources:
        ends += [str(source[0]), str(source[-1])] if source.num_addresses > 1 else [str(source[0])]
    return tuple(dict.fromkeys(ends)), False


def _entry(
    facts: Facts, found: tuple[Entry, ...], clients: tuple[str, ...]
) -> tuple[Entry | None, tuple[str, ...], str | None]:
    """The entry to judge, the clients that use it, and the private way in where there is no public one."""
    dialled = _dialled_address(facts)
    for one in found:
        if dialled is not None and one.address == dialled:
            return one, clients, None
    public = [one for one in found if one.public]
    bastions = [one for one in found if one.kind is EntryKind.BASTION]
    private = [one for one in found if not one.public and one.kind is not EntryKind.BASTION]
    inside = bool(clients) and not any(is_public(int(ipaddress.ip_address(c))) for c in clients if ":" not in c)
    wanted = facts.target.entry
    if bastions and (wanted == "bastion" or (not public and not inside)):
        return bastions[0], _bastion_clients(facts, bastions[0]) or clients, "an Azure Bastion host"
    if public and not inside and wanted not in ("vnet", "vpn"):
        return public[0], clients, None
    if private:
        gateway = not public and _has_gateway(facts, private[0])
        via = "a gateway to another network" if gateway else "a private address" if inside and not public else None
        if gateway and not inside:
            return private[0], tuple(str(s[0]) for s in facts.sources if s.is_private) or clients, via
        return private[0], clients, via
    return (public[0], clients, None) if public else (None, clients, None)


def _dialled_address(facts: Facts) -> str | None:
    """The claimed address as text; a name stands for the public address that carries it as its DNS name."""
    text = (facts.target.dialled_address or "").strip().strip("[]").lower()
    if not text:
        return None
    number = network(facts.network).directory.dialled(text)
    return None if number is None else address_text(number)


def _bastion_clients(facts: Facts, entry: Entry) -> tuple[str, ...]:
    """The first address of each subnet that the Bastion's sessions come from."""
    for nic in facts.network.nics.values():
        for configuration in nic.ip_configurations:
            if configuration.arm_id == entry.ip_configuration_id:
                ranges, _ = network(facts.network).directory.bastion_sources(configuration)
                return tuple(address_text(first) for first, _ in ranges or ())
    return ()


def _has_gateway(facts: Facts, entry: Entry) -> bool:
    for nic in facts.network.nics.values():
        for configuration in nic.ip_configurations:
            if configuration.arm_id == entry.ip_configuration_id:
                subnet = facts.network.subnets.get(configuration.subnet)
                return subnet is not None and subnet.vnet in facts.network.gateway_vnets
    return False


def _unread_entry(facts: Facts) -> Unavailable | None:
    """Why some entry of the VM may not be known, or None when its NICs and all that hangs on them were read."""
    if isinstance(facts.vm, Unavailable):
        return facts.vm
    network = facts.network
    for nic_id in facts.vm.value.nic_ids:
        nic = network.nics.get(nic_id.lower())
        if nic is None:
            return network.why("resource", nic_id.lower())
        for one in nic.ip_configurations:
            hung = (*one.nat_rules, *one.pools)
            balancers = {parent(key) for key in hung}
            for key in sorted({one.public_ip, *balancers} - {""}):
                if key not in network.public_ips and key not in network.load_balancers:
                    return network.why("resource", key)
            frontends = [f for key in balancers for f in network.load_balancers[key].frontends]
            for key in sorted({frontend.public_ip for frontend in frontends} - {""}):
                if key not in network.public_ips:
                    return network.why("resource", key)
    return None


def _flow(facts: Facts, client: str, entry: Entry, port: int) -> Flow:
    return Flow(client, entry.address or "", port, vm_id=facts.target.vm_id, ip_configuration=entry.ip_configuration_id)


def _decide(facts: Facts, clients: tuple[str, ...], entry: Entry, port: int) -> tuple[tuple[str, Decision], ...]:
    return tuple((client, decide(facts.network, _flow(facts, client, entry, port))) for client in clients)


def _nsgs(facts: Facts, entry: Entry) -> tuple[str, ...]:
    network = facts.network
    found: list[str] = []
    for nic in network.nics.values():
        if nic.vm != facts.target.vm_id.lower():
            continue
        keys = [nic.nsg]
        for configuration in nic.ip_configurations:
            if configuration.key != entry.ip_configuration_id.lower():
                continue
            subnet = network.subnets.get(configuration.subnet)
            keys.append(subnet.nsg if subnet else "")
        found += [network.nsgs[key].arm_id if key in network.nsgs else key for key in keys if key]
    return tuple(dict.fromkeys(found))
