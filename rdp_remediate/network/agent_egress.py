"""Which NSG rules keep the VM's agent from Azure, and the one rule that would let it out."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.facts.network_addresses import address_text
from rdp_remediate.facts.network_model import Nic, Nsg, Rule
from rdp_remediate.facts.network_rules import nsg_rule
from rdp_remediate.facts.network_words import Access, Direction, Transport
from rdp_remediate.models.base import JsonObject
from rdp_remediate.network.prefixes import contains
from rdp_remediate.network.rule_request import Refusal, Refused
from rdp_remediate.network.rule_slot import not_writable

HTTPS = 443
_NEEDED = ("internet", "azurecloud")
_PART = ("azureresourcemanager", "storage", "guestandhybridmanagement", "azureactivedirectory", "azuremonitor")
_WIDE = 1 << 31


@dataclass(frozen=True, slots=True)
class EgressDenial:
    """One NSG that drops TCP 443 to all of Azure, and its rule that does so."""

    nsg_id: str
    rule: Rule
    nic: Nic
    nsg: Nsg | None


@dataclass(frozen=True, slots=True)
class EgressRule:
    """One outbound rule that would stand directly above a deny."""

    nsg_id: str
    name: str
    body: JsonObject
    above: str


def egress_denials(facts: Facts) -> Iterator[EgressDenial]:
    """Each NSG of the agent's NIC that keeps it from Azure; the caller stops at the first one or takes all.

    Raises:
        UnseenError: None of those that could be read does, and another one could not be read.
    """
    need(facts.vm)
    unseen: str | None = None
    found = False
    for nic in _nics(facts):
        for key in _groups(facts, nic):
            nsg = facts.network.nsgs.get(key)
            rules = nsg.rules if nsg is not None else _effective(facts, nic, key)
            if rules is None:
                unseen = unseen or key
                continue
            deny = _denies(nic, rules)
            if deny is not None:
                found = True
                yield EgressDenial(nsg.arm_id if nsg is not None else key, deny, nic, nsg)
    if unseen is not None and not found:
        raise UnseenError(facts.network.why("resource", unseen))


def plan_egress(facts: Facts) -> tuple[EgressRule, ...] | Refused:
    """One rule for each NSG that denies, from the VM's own address to AzureCloud on 443 alone; or exactly one refusal."""
    made: list[EgressRule] = []
    for one in egress_denials(facts):
        if one.nsg is None:
            return Refused(Refusal.INDETERMINATE, f"the NSG {one.nsg_id} itself could not be read", one.nsg_id)
        refused = not_writable(one.nsg, 1, replaces=False)
        if refused is not None:
            return refused
        own = next((c.private_address for c in one.nic.ip_configurations if c.private_address is not None), None)
        if own is None or one.rule.priority is None:
            return Refused(Refusal.INDETERMINATE, "the VM's address or the deny's priority could not be read")
        if one.rule.is_default:
            return Refused(Refusal.INDETERMINATE, f"the default rule {one.rule.name} decides, which nobody wrote")
        priority = _free_priority(one.nsg, one.rule.priority)
        if priority is None:
            why = f"no free outbound priority above {one.rule.name}; re-number a rule of the NSG"
            return Refused(Refusal.NO_SLOT, why, one.nsg.arm_id)
        text = f"{facts.target.vm_id.lower()}|{one.nsg.key}|agent"
        name = f"rdpr-agent-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        if any(rule.name.casefold() == name for rule in one.nsg.rules):
            why = f"the rule {name} is there already and does not let the agent out; look at it by hand"
            return Refused(Refusal.INDETERMINATE, why, one.nsg.arm_id)
        body = _body(address_text(own), priority, one.rule.name)
        rule = nsg_rule({"name": name, **body}, one.nsg.arm_id, False, [])
        if _denies(one.nic, (*one.nsg.rules, rule)) is not None:
            return Refused(Refusal.INDETERMINATE, "the simulation does not hold: the agent would still be kept in")
        made.append(EgressRule(one.nsg.arm_id, name, body, one.rule.name))
    return tuple(made)


def _body(own: str, priority: int, above: str) -> JsonObject:
    return {
        "properties": {
            "direction": "Outbound",
            "access": "Allow",
            "protocol": "Tcp",
            "priority": priority,
            "sourceAddressPrefix": own,
            "sourcePortRange": "*",
            "destinationAddressPrefix": "AzureCloud",
            "destinationPortRange": str(HTTPS),
            "description": f"Lets the Azure VM agent out, above {above[:60]}; added by rdp_remediate"[:140],
        }
    }


def _free_priority(nsg: Nsg, below: int) -> int | None:
    used = {rule.priority for rule in nsg.rules if rule.direction is not Direction.INBOUND}
    return next((one for one in range(min(below - 1, 4096), 99, -1) if one not in used), None)


def _nics(facts: Facts) -> list[Nic]:
    """The NIC that the agent uses: the primary one.

    Raises:
        UnseenError: A NIC of the VM could not be read.
    """
    vm = need(facts.vm)
    for nic_id in vm.nic_ids:
        if nic_id.lower() not in facts.network.nics:
            raise UnseenError(facts.network.why("resource", nic_id.lower()))
    nics = [facts.network.nics[one.lower()] for one in vm.nic_ids]
    return sorted(nics, key=lambda nic: not nic.primary)[:1]


def _groups(facts: Facts, nic: Nic) -> list[str]:
    found = [nic.nsg]
    for one in nic.ip_configurations:
        subnet = facts.network.subnets.get(one.subnet)
        if subnet is None and nic.key not in facts.network.effective_rules:
            raise UnseenError(facts.network.why("resource", one.subnet.rsplit("/subnets/", 1)[0]))
        found.append(subnet.nsg if subnet else "")
    found += [one.nsg_id.lower() for one in facts.network.effective_rules.get(nic.key, ()) if not one.is_admin]
    return [key for key in dict.fromkeys(found) if key]


def _effective(facts: Facts, nic: Nic, nsg: str) -> tuple[Rule, ...] | None:
    groups = facts.network.effective_rules.get(nic.key, ())
    return next((one.rules for one in groups if one.nsg_id.lower() == nsg), None)


def _denies(nic: Nic, rules: tuple[Rule, ...]) -> Rule | None:
    """The rule that drops TCP 443 to all of Azure; None when a rule admits it, or a part of Azure that somebody chose."""
    own = [one.private_address for one in nic.ip_configurations if one.private_address is not None]
    outbound = [one for one in rules if one.direction is Direction.OUTBOUND and one.priority is not None]
    for rule in sorted(outbound, key=lambda one: one.priority or 0):
        tcp = rule.transport in (Transport.TCP, Transport.ANY)
        from_vm = "virtualnetwork" in rule.source.tags or any(contains(rule.source.ranges, one) for one in own)
        if not tcp or not from_vm or not contains(rule.destination_ports.ranges, HTTPS):
            continue
        wide = sum(last - first + 1 for first, last in rule.destination.ranges) >= _WIDE
        tags = [tag.split(".", 1)[0] for tag in rule.destination.tags]
        whole = wide or any(tag in _NEEDED for tag in tags)
        if rule.access is Access.ALLOW and (whole or any(tag in _PART for tag in tags)):
            return None
        if rule.access is Access.DENY and whole:
            return rule
    return None
