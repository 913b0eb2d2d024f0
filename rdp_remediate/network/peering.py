"""The peering that the client's packets, or a Bastion's sessions, would have to cross."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.network_addresses import address_number
from rdp_remediate.facts.network_model import Peering, Vnet
from rdp_remediate.network.arrival import EntryKind
from rdp_remediate.network.path import network
from rdp_remediate.network.prefixes import contains, is_public
from rdp_remediate.network.question import ask


@dataclass(frozen=True)
class BrokenPeering:
    """A peering that does not carry the client's packets.

    Attributes:
        vnet: ARM id of the VNet whose side of the peering is wrong.
        what: What is wrong with it, as the end of a sentence.
        behind: Who stands behind it.
    """

    vnet: str
    peering: str
    remote_vnet: str
    what: str
    behind: str


@lru_cache(maxsize=16)
def broken_peering(facts: Facts) -> BrokenPeering | None:
    """The peering that stands between and is not connected, or forbids access; None: none is seen."""
    for vnet in _vnets(facts):
        for peering in vnet.peerings:
            behind = _behind(facts, vnet, peering)
            if behind is None:
                continue
            sides = [(vnet, peering)]
            remote = facts.network.vnets.get(peering.remote_vnet)
            if remote is not None:
                sides += [(remote, one) for one in remote.peerings if one.remote_vnet == vnet.key]
            for owner, side in sides:
                what = _wrong(side)
                if what is not None:
                    return BrokenPeering(owner.arm_id, side.name, side.remote_vnet, what, behind)
    return None


def _wrong(side: Peering) -> str | None:
    if side.connected is False:
        return "is not connected"
    if side.allows_access is False:
        return "does not allow access between the two virtual networks"
    return None


def _vnets(facts: Facts) -> Iterator[Vnet]:
    keys = [
        one.subnet.rsplit("/subnets/", 1)[0]
        for _, one in network(facts.network).directory.targets(facts.target.vm_id.lower())
    ]
    yield from (facts.network.vnets[key] for key in dict.fromkeys(keys) if key in facts.network.vnets)


def _behind(facts: Facts, vnet: Vnet, peering: Peering) -> str | None:
    """Who would come through this peering: the client, or a Bastion host where the VM has no other way in."""
    remote = facts.network.vnets.get(peering.remote_vnet)
    ranges = peering.remote_ranges or (remote.ranges if remote is not None else None) or ()
    question = ask(facts)
    entry = question.entry
    if entry is None or not entry.public:
        for client in question.clients:
            number = address_number(client)
            outside = number is not None and not is_public(number) and not contains(vnet.ranges or (), number)
            if number is not None and outside and contains(ranges, number):
                return f"the client {client}"
    own_way = entry is not None and (entry.public or entry.kind is EntryKind.BASTION or question.via is not None)
    private_client = any((n := address_number(c)) is not None and not is_public(n) for c in question.clients)
    if not own_way and not private_client:
        for bastion in facts.network.bastions.values():
            if bastion.vnet == peering.remote_vnet:
                return f"the Bastion host {bastion.arm_id.rsplit('/', 1)[-1]}"
    return None
