"""Is a Standard public address closed for want of any NSG?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.arm_names import group_of, name_of, named
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop
from rdp_remediate.network.decision import Layer
from rdp_remediate.network.denials import confidence_of, judged
from rdp_remediate.network.question import ask


@check(hop=Hop.ENDPOINT, faults=("public-ip-standard-no-nsg",), requires=("vm_has_an_entry",))
def public_address_has_an_nsg(facts: Facts) -> Outcome:
    """A Standard public address is opened by an NSG.

    Why: Standard addresses and load balancers drop all inbound traffic until an NSG on the NIC or its subnet allows it.
    Evidence: public address SKU, NIC and subnet.
    By hand:
        * public-ip-standard-no-nsg: it changes everything else that reaches this NIC, so its owner decides. Declare an NSG with one
          narrow rule and put it on the NIC: `networkSecurityGroup: { id: nsg.id }` in the NIC's properties and `resource nsg
          'Microsoft.Network/networkSecurityGroups@2024-05-01' = { name: 'nsg-<vm>', location: location, properties: { securityRules: [
          { name: 'Allow-RDP', properties: { priority: 300, direction: 'Inbound', access: 'Allow', protocol: 'Tcp',
          sourcePortRange: '*', sourceAddressPrefix: '<client>', destinationAddressPrefix: '<private_address>',
          destinationPortRange: '<port>' } } ] } }`; at once `az network nsg create -g <group> -n nsg-<vm>`, `az network nsg rule
          create -g <group> --nsg-name nsg-<vm> -n Allow-RDP --priority 300 --direction Inbound --access Allow --protocol Tcp
          --source-address-prefixes <client> --destination-address-prefixes <private_address> --destination-port-ranges <port>`,
          `az network nic update -g <nic_group> -n <nic> --network-security-group nsg-<vm>`.
    See: https://learn.microsoft.com/azure/virtual-network/ip-services/public-ip-addresses
    """
    question = ask(facts)
    decisions = judged(question)
    for client, decision in decisions:
        if any(one.layer is Layer.PLATFORM and one.rule == "standard-no-nsg" for one in decision.deciders):
            return failed(
                "public-ip-standard-no-nsg",
                f"The public address is Standard and neither the NIC nor its subnet has an NSG, so {client} is dropped.",
                confidence=confidence_of(decision),
                client=client,
                vm=name_of(facts.target.vm_id),
                group=group_of(facts.target.vm_id),
                port=question.port,
                private_address=question.entry.private_address if question.entry else "",
                **named(nic=question.entry.nic_id if question.entry else ""),
            )
    return passed("the platform's default does not decide")
