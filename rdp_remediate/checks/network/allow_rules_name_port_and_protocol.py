"""Does the allow rule that was meant for RDP name the right port, protocol and direction?"""

from typing import Any

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.arm_names import named
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.network_addresses import Ranges
from rdp_remediate.models.report import Hop
from rdp_remediate.network.denials import confidence_of, judged
from rdp_remediate.network.misfits import Flaw, Misfit, misfits
from rdp_remediate.network.question import ask


@check(
    hop=Hop.NETWORK,
    faults=("nsg-wrong-port", "nsg-wrong-protocol-or-direction"),
    requires=("vm_has_an_entry", "vnet_peering_is_connected"),
)
def allow_rules_name_port_and_protocol(facts: Facts) -> Outcome:
    """The allow rules for RDP name its VM-side port, TCP and the inbound direction.

    Why: a rule that misses one field admits nobody, and DenyAllInBound drops the client in silence. Behind a load balancer the
    rule needs the backend port, not the frontend's. A client's own port is random, so the source port is always `*`.
    Evidence: NSG rules of both layers matched field by field, the guest's port, the dialled port.
    By hand:
        * nsg-wrong-port: decide which side is meant. If RDP belongs on port <port>, correct the rule where it is declared, or the
          next deployment brings the old one back: in Bicep `destinationPortRange: '<port>'` for the rule `<rule>`; at once
          `az network nsg rule update -g <nsg_group> --nsg-name <nsg> -n <rule> --destination-port-ranges <port>`. If the guest's
          port is the mistake: `az vm run-command invoke -g <group> -n <vm> --command-id SetRDPPort --parameters RDPPORT=3389`,
          which restarts TermService and ends sessions.
        * nsg-wrong-protocol-or-direction: correct the rule where it is declared: in Bicep `protocol: 'Tcp'`,
          `direction: 'Inbound'` and `sourcePortRange: '*'` for the rule `<rule>`; at once, if it is inbound, `az network nsg rule
          update -g <nsg_group> --nsg-name <nsg> -n <rule> --protocol Tcp --source-port-ranges '*'`. The direction of a rule cannot
          be changed: `az network nsg rule delete -g <nsg_group> --nsg-name <nsg> -n <rule>`, then `az network nsg rule create
          -g <nsg_group> --nsg-name <nsg> -n <rule> --priority <priority> --direction Inbound --access Allow --protocol Tcp
          --source-address-prefixes <client> --destination-address-prefixes <private_address> --destination-port-ranges <port>`.
    See: https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview
    """
    decisions = dict(ask(facts).decisions)
    for one in misfits(facts):
        said = _said(one, ask(facts).port)
        if said is None:
            continue
        fault, what = said
        return failed(
            fault,
            f"The rule {one.rule.name} of {one.denial.nsg_id.rsplit('/', 1)[-1]} was meant to let {one.denial.client} in, "
            f"but {what}; {one.denial.rule} drops the connection.",
            confidence=confidence_of(decisions[one.denial.client]),
            **evidence_of(facts, one),
        )
    judged(ask(facts))
    return passed("no allow rule misses the connection by port, protocol or direction")


def _said(one: Misfit, port: int) -> tuple[str, str] | None:
    if one.flaw is Flaw.PORT:
        return (
            "nsg-wrong-port",
            f"it names port {_spelled(one.rule.destination_ports.ranges)} and RDP is on port {port}",
        )
    if one.flaw is Flaw.PROTOCOL:
        return "nsg-wrong-protocol-or-direction", "it is not for TCP, which RDP needs"
    if one.flaw is Flaw.SOURCE_PORT:
        ports = _spelled(one.rule.source_ports.ranges)
        return "nsg-wrong-protocol-or-direction", f"it asks for source port {ports}, and a client's own port is random"
    if one.flaw is Flaw.DIRECTION:
        return "nsg-wrong-protocol-or-direction", "its direction is Outbound"
    return None


def evidence_of(facts: Facts, one: Misfit) -> dict[str, Any]:
    """What the finding keeps of a rule, and what fills the commands of By hand."""
    question = ask(facts)
    return {
        "rule": one.rule.name,
        "nsg_id": one.denial.nsg_id,
        "priority": one.rule.priority or 0,
        "port": question.port,
        "client": one.denial.client,
        "private_address": question.entry.private_address if question.entry else "",
        **named(nsg=one.denial.nsg_id, vm=facts.target.vm_id),
        "group": named(vm=facts.target.vm_id)["vm_group"],
    }


def _spelled(ranges: Ranges) -> str:
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges) or "none"
