"""A planned rule, and who shares the NSG that it goes into."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rdp_remediate.facts.network_addresses import address_text
from rdp_remediate.facts.network_model import NetworkFacts
from rdp_remediate.network.decision import Layer
from rdp_remediate.network.rule_request import Refusal, Refused, RuleRequest


@dataclass(frozen=True, slots=True)
class PlannedRule:
    """One child PUT.

    Attributes:
        layers: The layers that this NSG guards; both when the same NSG stands on both.
        body: The body of `PUT {rule_id}`.
        replaces: Whether a rule of ours with this name is rewritten.
        above: Names of the denies that it stands above.
    """

    nsg_id: str
    name: str
    rule_id: str
    layers: tuple[Layer, ...]
    priority: int
    sources: tuple[str, ...]
    destination: str
    port: int
    body: dict[str, Any]
    replaces: bool = False
    above: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """Who shares an NSG that gets a rule; the rule names one destination, but the NSG is everybody's."""

    nsg_id: str
    subnets: tuple[str, ...]
    network_interfaces: tuple[str, ...]
    vms: tuple[str, ...]


def blast_radius(facts: NetworkFacts, nsg_key: str) -> BlastRadius:
    """Every subnet, NIC and VM of the evidence that the NSG guards; subnets and NICs also as the NSG itself says."""
    nsg = facts.nsgs[nsg_key]
    subnets = {*nsg.subnets, *(s.key for s in facts.subnets.values() if s.nsg == nsg_key)}
    nics = {*nsg.network_interfaces, *(n.key for n in facts.nics.values() if n.nsg == nsg_key)}
    vms = {
        nic.vm
        for nic in facts.nics.values()
        if nic.vm and (nic.key in nics or any(one.subnet in subnets for one in nic.ip_configurations))
    }
    return BlastRadius(nsg.arm_id, tuple(sorted(subnets)), tuple(sorted(nics)), tuple(sorted(vms)))


def too_wide(
    facts: NetworkFacts, request: RuleRequest, radius: Iterable[BlastRadius], rules: list[PlannedRule]
) -> Refused | None:
    """Why the rule would reach further than it may: too many VMs behind the NSG, or its destination exists twice."""
    for one in radius:
        if request.most_vms is not None and len(one.vms) > request.most_vms:
            return Refused(
                Refusal.BLAST_RADIUS,
                f"the NSG guards {len(one.vms)} VMs, more than the {request.most_vms} that the settings allow",
                one.nsg_id,
            )
        guarded = {*one.subnets, *one.network_interfaces}
        for rule in rules:
            if rule.nsg_id != one.nsg_id:
                continue
            owners = [
                config.key
                for nic in facts.nics.values()
                for config in nic.ip_configurations
                if (nic.key in guarded or config.subnet in guarded)
                and config.private_address is not None
                and address_text(config.private_address) == rule.destination
            ]
            if len(owners) > 1:
                return Refused(
                    Refusal.BLAST_RADIUS,
                    f"{rule.destination} is the address of {len(owners)} IP configurations behind this NSG; the rule "
                    "would open all of them",
                    one.nsg_id,
                )
    return None
