"""The doors that a rule is for: where its sources come in with their own addresses."""

from dataclasses import dataclass

from rdp_remediate.facts.network_addresses import IPV6_BASE, Ranges, merge
from rdp_remediate.facts.network_model import NetworkFacts
from rdp_remediate.network.arrival import Blocked, EntryKind
from rdp_remediate.network.decision import Verdict
from rdp_remediate.network.entries import entries
from rdp_remediate.network.path import Judge, network
from rdp_remediate.network.prefixes import PUBLIC, intersect, subtract
from rdp_remediate.network.routes import Reply
from rdp_remediate.network.rule_request import Refusal, Refused, RuleRequest


@dataclass(frozen=True, slots=True)
class Door:
    """Where some of the sources come in."""

    judge: Judge
    sources: Ranges


def doors_for(facts: NetworkFacts, request: RuleRequest, family: int, sources: Ranges) -> list[Door] | Refused:
    """The doors through which the sources of one family come in, each with those that it takes."""
    vm = (request.vm_id or facts.target.vm).rstrip("/").lower()
    if vm in facts.classic_vms:
        return Refused(Refusal.NO_PATH, "classic VMs are only diagnosed; change the endpoint's ACL by hand or migrate")
    compiled = network(facts)
    address = request.dialled_address or facts.target.dialled_address
    number = compiled.directory.dialled(address) if address else None
    port = request.dialled_port or (facts.target.dialled_port if not request.dialled_address else None) or 3389
    judges: list[Judge] = []
    blocked: Blocked | None = None
    one = (request.ip_configuration_id or "").lower()
    guest_port = request.guest_port or port
    if number is not None and (number >= IPV6_BASE) == (family == 6):
        found = compiled.judge(number, port, vm, one)
        if isinstance(found, Judge) and found.arrival.kind in (EntryKind.PUBLIC, EntryKind.PRIVATE):
            found = compiled.judge(number, guest_port, vm, one)
        if isinstance(found, Blocked):
            blocked = found
        else:
            judges.append(found)
            guest_port = request.guest_port or found.arrival.port
            if found.arrival.port != guest_port:
                said = f"the door leads to port {found.arrival.port}, the guest listens on {guest_port}"
                return Refused(Refusal.NO_PATH, said, found.arrival.entry_id)
    if blocked is None:
        judges += _other_doors(facts, vm, guest_port, judges, family=family, one=one)
    if blocked is not None and blocked.verdict is Verdict.INDETERMINATE:
        return Refused(Refusal.INDETERMINATE, "; ".join(blocked.gaps) or "the way in could not be seen")
    doors, rest = [], sources
    for judge in judges:
        takes = _takes(judge, rest)
        if takes:
            doors.append(Door(judge, _routed(judge, takes)))
            rest = subtract(rest, takes)
    if not doors:
        said = blocked.deciders[0].rule if blocked and blocked.deciders else "no-public-entry"
        return Refused(Refusal.NO_PATH, f"nothing leads from these sources to the VM ({said})")
    return doors


def _other_doors(
    facts: NetworkFacts, vm: str, guest_port: int, judges: list[Judge], *, family: int, one: str
) -> list[Judge]:
    """The private address behind the dialled door, for private sources; without a dialled door the VM's own doors."""
    compiled = network(facts)
    out: list[Judge] = []
    wanted = judges[0].arrival.ip_configuration.key if judges else one
    for entry in entries(facts, vm, guest_port):
        if entry.backend_port != guest_port or entry.kind in (EntryKind.BASTION, EntryKind.DNAT) or not entry.address:
            continue
        if (":" in entry.private_address) != (family == 6):
            continue
        if judges and entry.kind is not EntryKind.PRIVATE:
            continue
        if wanted and entry.ip_configuration_id.lower() != wanted:
            continue
        number = compiled.directory.dialled(entry.address)
        found = (
            compiled.judge(number, entry.port, vm, entry.ip_configuration_id.lower()) if number is not None else None
        )
        if isinstance(found, Judge):
            out.append(found)
            wanted = wanted or found.arrival.ip_configuration.key
    return out


def _takes(judge: Judge, sources: Ranges) -> Ranges:
    """The sources that come in through this door with their own address."""
    arrival = judge.arrival
    if arrival.kind is EntryKind.DNAT:
        return ()
    if arrival.public:
        return subtract(intersect(sources, PUBLIC), judge.scope.core)
    inside = subtract(judge.scope.virtual_network.yes, judge.scope.wide)
    return subtract(sources, subtract(PUBLIC, inside))


def _routed(judge: Judge, takes: Ranges) -> Ranges:
    """At a private door the sources that the VNet has routes for, if any.

    A configured private range is often wider than that: from the rest nobody can come. At a public door a broken reply
    is a fault, so nothing is left out there.
    """
    if judge.arrival.public:
        return takes
    lost = (Reply.ASYMMETRIC, Reply.BLACKHOLE)
    routed = merge((first, last) for first, last, _ in judge.pieces(takes) if judge.reply(first)[0] not in lost)
    return routed or takes
