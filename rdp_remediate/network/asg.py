"""Who belongs to an application security group, seen as the source of a rule.

A source group covers the private addresses of its members and nothing else: a public source never matches. Where the
membership could not be read, any private address may be a member's. Source: network-semantics §1.7 (DOC S6).
"""

from functools import lru_cache

from rdp_remediate.facts.network_addresses import EVERY_ADDRESS, Ranges, merge
from rdp_remediate.facts.network_model import NetworkFacts
from rdp_remediate.network.prefixes import PUBLIC, subtract, union
from rdp_remediate.network.tables import Tri

_NOT_PUBLIC = subtract(EVERY_ADDRESS, PUBLIC)


@lru_cache(maxsize=4)
def _by_group(facts: NetworkFacts) -> dict[str, list[tuple[int, str, str]]]:
    """Address, NIC and VM of every visible member, by group."""
    out: dict[str, list[tuple[int, str, str]]] = {}
    for nic in facts.nics.values():
        for one in nic.ip_configurations:
            if one.private_address is not None:
                for group in one.groups:
                    out.setdefault(group, []).append((one.private_address, nic.key, nic.vm))
    return out


def source_members(facts: NetworkFacts, group: str, vnet: str, core: Ranges) -> Tri:
    """The addresses of a group's members, certain and possible.

    The evidence counts as complete when Azure was asked for the members, or when it shows a member on a NIC that is not
    the target's own (then the NICs were read) and no NIC is listed as unread.
    """
    visible = _by_group(facts).get(group, [])
    yes = merge((address, address) for address, _, _ in visible)
    if group in facts.group_members:
        return Tri(union(yes, facts.group_members[group]))
    refused = facts.was_refused("application_security_group_members", group)
    nic_unread = any(fact == "resource" and "/networkinterfaces/" in key for fact, key in facts.unavailable)
    others = any(not facts.target.vm or vm != facts.target.vm for _, _, vm in visible)
    if others and not refused and not nic_unread:
        return Tri(yes)
    outsiders = merge(
        (one.private_address, one.private_address)
        for nic in facts.nics.values()
        for one in nic.ip_configurations
        if one.private_address is not None and group not in one.groups and one.subnet.startswith(f"{vnet}/")
    )
    return Tri(yes, subtract(union(_NOT_PUBLIC, core), union(yes, outsiders)))
