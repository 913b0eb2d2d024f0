"""The addresses that Windows has against those that Azure gave the VM's NICs."""

import ipaddress
from collections.abc import Iterable, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.network_addresses import address_text
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable
from rdp_remediate.models.guest import Address
from rdp_remediate.network.question import ask


def private_address(facts: Facts) -> Fact[str]:
    """The NIC's IPv4 address that the client is led to; without an entry, the VM's primary one."""
    entry = ask(facts).entry
    if entry is not None and entry.private_address and ":" not in entry.private_address:
        return Observed(entry.private_address, "NIC", facts.at)
    return primary_address(facts)


def primary_address(facts: Facts) -> Fact[str]:
    """The primary IPv4 address of the VM's first NIC."""
    if isinstance(facts.vm, Unavailable):
        return facts.vm
    for nic_id in facts.vm.value.nic_ids:
        nic = facts.network.nics.get(nic_id.lower())
        if nic is None:
            return facts.network.why("resource", nic_id.lower())
        for one in nic.ip_configurations:
            if one.primary and one.private_address is not None:
                text = address_text(one.private_address)
                if ":" not in text:
                    return Observed(text, "NIC", facts.at)
    return Unavailable(Reason.NOT_FOUND, "the VM's NIC shows no primary IPv4 address", "resource")


def holds_private_address(facts: Facts) -> Fact[bool]:
    """Whether Windows has the address that the client is led to."""
    wanted = private_address(facts)
    if isinstance(wanted, Unavailable):
        return wanted
    addresses = facts.guest.addresses
    if isinstance(addresses, Unavailable):
        return addresses
    return Observed(any(one.address == wanted.value for one in addresses.value), addresses.source, addresses.at)


def ipv4_of(addresses: Iterable[Address], adapter: str) -> list[Address]:
    """The IPv4 addresses of one adapter, without those that Windows makes up for itself."""
    return [one for one in addresses if one.interface == adapter and _is_ipv4(one.address)]


def unassigned(facts: Facts, have: Sequence[str]) -> Fact[list[str]]:
    """The addresses in Windows that no IP configuration of the VM's NICs has, and no load balancer in front of it."""
    if isinstance(facts.vm, Unavailable):
        return facts.vm
    assigned: set[str] = set()
    for nic_id in facts.vm.value.nic_ids:
        nic = facts.network.nics.get(nic_id.lower())
        if nic is None:
            return facts.network.why("resource", nic_id.lower())
        assigned |= {address_text(c.private_address) for c in nic.ip_configurations if c.private_address is not None}
    for balancer in facts.network.load_balancers.values():
        assigned |= {address_text(f.private_address) for f in balancer.frontends if f.private_address is not None}
    return Observed([text for text in have if text not in assigned], "NIC", facts.at)


def _is_ipv4(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 4 and not text.startswith("169.254.")
    except ValueError:
        return False
