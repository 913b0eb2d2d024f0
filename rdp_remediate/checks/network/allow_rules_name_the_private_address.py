"""Does the allow rule that was meant for RDP name a destination that this VM has?"""

from typing import Any

from rdp_remediate.checks.check import check
from rdp_remediate.checks.network.allow_rules_name_port_and_protocol import evidence_of
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.arm_names import name_of, named
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Confidence, Hop
from rdp_remediate.network.denials import confidence_of, judged
from rdp_remediate.network.misfits import Flaw, Misfit, misfits
from rdp_remediate.network.question import ask


@check(
    hop=Hop.NETWORK,
    faults=("nsg-destination-is-public-ip", "nsg-asg-membership-missing"),
    requires=("vm_has_an_entry", "vnet_peering_is_connected"),
)
def allow_rules_name_the_private_address(facts: Facts) -> Outcome:
    """The allow rules for RDP name the VM's private address, or a group that its IP configuration belongs to.

    Why: inbound rules are judged after the public address was translated, so a public destination never matches; a rule for an
    application security group holds for its members only.
    Evidence: NSG rules of both layers matched field by field, the public addresses, the IP configuration's groups.
    By hand:
        * nsg-destination-is-public-ip: name the private address where the rule is declared: in Bicep
          `destinationAddressPrefix: '<private_address>'` for the rule `<rule>`; at once `az network nsg rule update
          -g <nsg_group> --nsg-name <nsg> -n <rule> --destination-address-prefixes <private_address>`.
        * nsg-asg-membership-missing: ask the owner of the group whether this VM belongs into it. If so, in the NIC's Bicep
          `applicationSecurityGroups: [ { id: asg.id } ]` in the properties of its IP configuration; at once `az network nic
          ip-config update -g <nic_group> --nic-name <nic> -n <ip_configuration> --application-security-groups <asg_id>`, which
          replaces the list, so name the groups that are there as well. Every rule for the group then holds for this VM.
    See: https://learn.microsoft.com/azure/virtual-network/application-security-groups
    """
    decisions = dict(ask(facts).decisions)
    for one in misfits(facts):
        confidence = confidence_of(decisions[one.denial.client])
        nsg = name_of(one.denial.nsg_id)
        if one.flaw is Flaw.PUBLIC_DESTINATION:
            return failed(
                "nsg-destination-is-public-ip",
                f"The rule {one.rule.name} of {nsg} names a public address as destination; rules see the VM's private address, "
                f"so it never matches and {one.denial.rule} drops {one.denial.client}.",
                confidence=confidence,
                **evidence_of(facts, one),
            )
        if one.flaw is Flaw.GROUP:
            groups = ", ".join(name_of(group) for group in one.rule.destination.groups)
            return failed(
                "nsg-asg-membership-missing",
                f"The rule {one.rule.name} of {nsg} admits {one.denial.client} to members of {groups} only, and the VM's IP "
                "configuration is no member.",
                # whether the VM was meant to be a member is not to be seen in Azure
                confidence=max(confidence, Confidence.LIKELY, key=list(Confidence).index),
                **evidence_of(facts, one),
                **_membership(facts, one),
            )
    judged(ask(facts))
    return passed("no allow rule misses the connection by its destination")


def _membership(facts: Facts, one: Misfit) -> dict[str, Any]:
    entry = ask(facts).entry
    if entry is None:
        return {}
    return {
        "asg_id": one.rule.destination.groups[0],
        "ip_configuration": name_of(entry.ip_configuration_id),
        **named(nic=entry.nic_id),
    }
