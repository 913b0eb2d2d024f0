"""Doors that do not lead to the VM: a load balancer or firewall without a rule for it, an address that it no longer has.

The path engine says that there is no path; this says which door is wrong, and by what. Source: faults.md 3.3 and 3.5.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from rdp_remediate.facts.arm_names import group_of, name_of, named
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.network_addresses import address_text
from rdp_remediate.facts.network_model import Firewall, IpConfiguration, LoadBalancer, PublicIp
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.report import Confidence
from rdp_remediate.network.arrival import NO_RULE_ON_PORT, PROTOCOL, UNATTACHED, EntryKind
from rdp_remediate.network.classic import is_classic
from rdp_remediate.network.decision import Decision, Flow, Layer, Verdict
from rdp_remediate.network.entries import Entry, entries
from rdp_remediate.network.path import decide, network
from rdp_remediate.network.prefixes import contains, is_public
from rdp_remediate.network.question import DEFAULT_PORT, Question, ask

_MOVES = ("/deallocate/action", "/redeploy/action", "/start/action")


@dataclass(frozen=True)
class WrongDoor:
    """A door that was dialled, or is the only one there, and does not lead to the VM's RDP port."""

    fault: str
    reason: str
    confidence: Confidence = Confidence.CONFIRMED
    evidence: dict[str, Any] = field(default_factory=dict)


@lru_cache(maxsize=16)
def wrong_door(facts: Facts) -> WrongDoor | None:
    """Why the door that the client uses cannot lead to the VM; None when it may, or when that was not seen.

    Resources that could not be read make no wrong door: `Question.unread_entry` names them.
    """
    question = ask(facts)
    if question.unread_entry is not None or is_classic(facts.network, facts.target.vm_id.lower()):
        return None
    own = entries(facts.network, facts.target.vm_id, question.dialled_port)
    claimed = facts.target.dialled_address
    dialled = network(facts.network).directory.dialled(claimed.strip().strip("[]")) if claimed else None
    has_public = any(one.public and one.kind is EntryKind.PUBLIC for one in own)
    for finder in (_balanced, _translated):
        found = finder(facts, question, own, dialled)
        if found is not None:
            return found
    if dialled is None:
        return None if has_public or question.via is not None else _dissociated(facts, None)
    if any(one.address == address_text(dialled) for one in own) or unread_front(facts) is not None:
        return None
    if is_public(dialled):
        return _public_changed(facts, dialled) if has_public else _dissociated(facts, dialled)
    return _private_changed(facts, dialled)


def _balanced(facts: Facts, question: Question, own: Iterable[Entry], dialled: int | None) -> WrongDoor | None:
    """A load balancer whose frontend does not lead to the port on which RDP is."""
    found = _frontends(facts, question, own, dialled)
    for balancer, address in found:
        for client in question.clients:
            port = question.dialled_port
            decision = decide(facts.network, Flow(client, address, port, vm_id=facts.target.vm_id))
            names = {**named(load_balancer=balancer.arm_id), "frontend": address, "port": port, **_place(facts)}
            word = _path_word(decision)
            if word in _NO_RULE:
                reason = (
                    f"The load balancer {name_of(balancer.arm_id)} ({address}) {_NO_RULE[word]} port {port} of this VM."
                )
                others = sorted({one.port for one in own if one.kind is EntryKind.LB and one.address == address})
                if others:
                    reason += f" Its port {', '.join(map(str, others))} leads to the VM."
                return WrongDoor("lb-nat-rule-missing-or-wrong-port", reason, evidence={**names, "other_ports": others})
            guest = question.guest_port
            if isinstance(guest, Unavailable) or not decision.port or guest.value == decision.port:
                continue
            if guest.value == DEFAULT_PORT:
                return WrongDoor(
                    "lb-nat-rule-missing-or-wrong-port",
                    f"The load balancer {name_of(balancer.arm_id)} leads its port {port} to port {decision.port} of this VM, "
                    f"but RDP is on port {guest.value}.",
                    evidence={**names, "backend_port": decision.port, "guest_port": guest.value},
                )
    return None


_NO_RULE = {
    NO_RULE_ON_PORT: "has no inbound NAT rule or load-balancing rule that leads to",
    UNATTACHED: "has an inbound NAT rule that is attached to no IP configuration, so nothing leads to",
    PROTOCOL: "has a rule for another protocol than TCP, so nothing leads to",
}


def _frontends(
    facts: Facts, question: Question, own: Iterable[Entry], dialled: int | None
) -> Iterator[tuple[LoadBalancer, str]]:
    """The frontends that the client uses: the dialled one, or the public ones of a VM without a public address."""
    directory = network(facts.network).directory
    direct = any(one.kind is EntryKind.PUBLIC for one in own) or question.via is not None
    for balancer in facts.network.load_balancers.values():
        for frontend in balancer.frontends:
            address = directory.frontend_address(frontend)
            if address is None:
                continue
            if address == dialled or (dialled is None and not direct and frontend.public_ip):
                yield balancer, address_text(address)


def _translated(facts: Facts, question: Question, own: Iterable[Entry], dialled: int | None) -> WrongDoor | None:
    """An Azure Firewall without a DNAT rule that leads this client to the VM's RDP port."""
    for firewall, address in _fronts(facts, question, own, dialled):
        if not firewall.policy_read:
            continue
        for client in question.clients:
            port = question.dialled_port
            decision = decide(facts.network, Flow(client, address, port, vm_id=facts.target.vm_id))
            names = {
                **named(firewall=firewall.arm_id, policy=firewall.policy),
                "frontend": address,
                "port": port,
                "client": client,
                **_place(facts),
            }
            if _path_word(decision) == NO_RULE_ON_PORT:
                excluded = any("does not name the client" in text for text in decision.assumptions)
                why = f"has a DNAT rule for the VM, but {client} is not among its sources" if excluded else (
                    f"has no DNAT rule that leads {address}:{port} to this VM"
                )  # fmt: skip
                said = f"The Azure Firewall {name_of(firewall.arm_id)} {why}."
                return WrongDoor("azfw-dnat-missing", said, evidence=names)
            guest = question.guest_port
            if not isinstance(guest, Unavailable) and decision.port and guest.value == DEFAULT_PORT != decision.port:
                said = (
                    f"The DNAT rule of the Azure Firewall {name_of(firewall.arm_id)} leads to port {decision.port} of this VM, "
                    f"but RDP is on port {guest.value}."
                )
                return WrongDoor("azfw-dnat-missing", said, evidence={**names, "guest_port": guest.value})
    return None


def _fronts(
    facts: Facts, question: Question, own: Iterable[Entry], dialled: int | None
) -> Iterator[tuple[Firewall, str]]:
    """The firewall addresses that the client uses: the dialled one, one that already leads here, or what the asker named."""
    directory = network(facts.network).directory
    if dialled is not None:
        if dialled in directory.firewalls and dialled not in directory.frontends:
            yield directory.firewalls[dialled], address_text(dialled)
        return
    entry = question.entry
    if entry is not None and entry.kind is EntryKind.DNAT and entry.address:
        number = directory.dialled(entry.address)
        if number in directory.firewalls:
            yield directory.firewalls[number], entry.address
    elif facts.target.entry == "dnat" and not any(one.kind is EntryKind.DNAT for one in own):
        yield from (
            (firewall, address_text(number)) for number, firewall in directory.firewalls.items() if is_public(number)
        )


def _public_changed(facts: Facts, dialled: int) -> WrongDoor:
    """The VM has a public address, and it is another one than the client dials."""
    have = [ip for ip in facts.network.public_ips.values() if _holds(facts, ip)]
    now = ", ".join(address_text(ip.address) if ip.address is not None else "none" for ip in have)
    dynamic = [ip for ip in have if ip.allocation.lower() == "dynamic"]
    sure = Confidence.CONFIRMED if dynamic else Confidence.LIKELY
    why = (
        "it is dynamic and changes when the VM is deallocated"
        if dynamic
        else "whoever gave out the old one is mistaken"
    )
    first = (dynamic or have)[0]
    return WrongDoor(
        "public-ip-changed",
        f"The client dials {address_text(dialled)}, but the VM's public address is {now}; {why}.{_moved(facts)}",
        sure,
        {
            "dialled_address": address_text(dialled),
            "address": now,
            "allocation": first.allocation,
            **named(public_ip=first.arm_id),
            **_place(facts),
        },
    )


def _dissociated(facts: Facts, dialled: int | None) -> WrongDoor | None:
    """The VM has no public address, and one that it had lies about unattached.

    The proof is a change of the NIC in the activity log; it is certain when the client dials that very address.
    """
    loose = [ip for ip in facts.network.public_ips.values() if not ip.owner and not _named(facts, ip)]
    if dialled is not None:
        loose = [ip for ip in loose if ip.address == dialled]
    changed = _nic_changed(facts)
    if not loose or changed is None:
        return None
    ip = loose[0]
    shown = address_text(ip.address) if ip.address is not None else "no address"
    nic = _first_configuration(facts)
    return WrongDoor(
        "public-ip-dissociated",
        f"The VM has no public address any more; {name_of(ip.arm_id)} ({shown}) is attached to nothing. The NIC was changed by {changed}.",
        Confidence.CONFIRMED if dialled is not None else Confidence.LIKELY,
        {
            **named(public_ip=ip.arm_id, nic=nic.nic if nic else ""),
            "public_ip_id": ip.arm_id,
            "ip_configuration": nic.name if nic else "",
            **_place(facts),
        },
    )


def _private_changed(facts: Facts, dialled: int) -> WrongDoor | None:
    """The client dials a private address of the VM's own network that no NIC of the VM has."""
    mine = list(_configurations(facts))
    vnets = {one.subnet.rsplit("/subnets/", 1)[0] for one in mine}
    near = any(contains(facts.network.vnets[key].ranges or (), dialled) for key in vnets if key in facts.network.vnets)
    if not near or not mine:
        return None
    others = [one for nic in facts.network.nics.values() for one in nic.ip_configurations if one not in mine]
    if any(one.private_address == dialled for one in others):
        sure = Confidence.POSSIBLE
        why = "that address belongs to another NIC"
    else:
        dynamic = any(one.allocation.lower() == "dynamic" for one in mine)
        sure = Confidence.CONFIRMED if dynamic else Confidence.LIKELY
        why = (
            "it is dynamic and may change when the VM is deallocated" if dynamic else "the one dialled is not the VM's"
        )
    now = ", ".join(address_text(one.private_address) for one in mine if one.private_address is not None)
    return WrongDoor(
        "nic-ip-changed",
        f"The client dials {address_text(dialled)}, but the VM's private address is {now or 'not shown'}; {why}.{_moved(facts)}",
        sure,
        {
            "dialled_address": address_text(dialled),
            "address": now,
            "ip_configuration": mine[0].name,
            **named(nic=mine[0].nic),
            **_place(facts),
        },
    )


def _path_word(decision: Decision) -> str:
    if decision.verdict is not Verdict.NO_PATH:
        return ""
    return next((one.rule for one in decision.deciders if one.layer is Layer.PATH), "")


def unread_front(facts: Facts) -> Unavailable | None:
    """Why a firewall, load balancer or public address that may lead to the VM is not known; None: all were read."""
    kinds = ("/azurefirewalls/", "/firewallpolicies/", "/loadbalancers/", "/publicipaddresses/")
    for (fact, key), why in facts.network.unavailable.items():
        if fact == "resource" and any(kind in key for kind in kinds):
            return why
    return None


def _configurations(facts: Facts) -> Iterator[IpConfiguration]:
    for _, one in network(facts.network).directory.targets(facts.target.vm_id.lower()):
        yield one


def _first_configuration(facts: Facts) -> IpConfiguration | None:
    return next(_configurations(facts), None)


def _holds(facts: Facts, ip: PublicIp) -> bool:
    """Whether a public address is on an IP configuration of the VM."""
    return any(one.public_ip == ip.key or one.key == ip.owner for one in _configurations(facts))


def _named(facts: Facts, ip: PublicIp) -> bool:
    """Whether a NIC, load balancer or firewall of the evidence names a public address as its own."""
    frontends = [f for balancer in facts.network.load_balancers.values() for f in balancer.frontends]
    nics = [one for nic in facts.network.nics.values() for one in nic.ip_configurations]
    firewalls = [key for firewall in facts.network.firewalls.values() for key in firewall.public_ips]
    return ip.key in {*(f.public_ip for f in frontends), *(one.public_ip for one in nics), *firewalls}


def _nic_changed(facts: Facts) -> str | None:
    """Who changed a NIC of the VM last, by the activity log."""
    if isinstance(facts.changes, Unavailable):
        return None
    nics = {one.nic for one in _configurations(facts)}
    for change in reversed(facts.changes.value):
        written = change.operation.lower().endswith("/networkinterfaces/write")
        if written and change.resource_id.rstrip("/").lower() in nics:
            return f"{change.caller or 'somebody unnamed'} at {change.at:%Y-%m-%d %H:%M}Z"
    return None


def _moved(facts: Facts) -> str:
    """One sentence about the last change that may have given the VM another address, or nothing."""
    if isinstance(facts.changes, Unavailable):
        return ""
    vm = facts.target.vm_id.lower()
    for change in reversed(facts.changes.value):
        if change.resource_id.lower() == vm and change.operation.lower().endswith(_MOVES):
            return f" Last change of power: {change.operation.rsplit('/', 2)[-2]} at {change.at:%Y-%m-%d %H:%M}Z."
    return ""


def _place(facts: Facts) -> dict[str, Any]:
    configuration = _first_configuration(facts)
    private = configuration.private_address if configuration else None
    return {
        "group": group_of(facts.target.vm_id),
        "vm": name_of(facts.target.vm_id),
        "private_address": address_text(private) if private is not None else "",
    }
