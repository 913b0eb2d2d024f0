"""Does the NSG of the subnet let the client in as well?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.network.nsg_layers_allow_client import by_default
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop
from rdp_remediate.network.decision import Layer
from rdp_remediate.network.denials import confidence_of, connection, judged, nsg_layers
from rdp_remediate.network.question import ask


@check(hop=Hop.NETWORK, faults=("nsg-second-layer-deny",), requires=("just_in_time_access_is_open",))
def both_nsg_layers_allow_client(facts: Facts) -> Outcome:
    """The NSG of the subnet allows the client as well as the one of the NIC.

    Why: inbound traffic needs an allow in both; people open one and forget the other.
    Evidence: NSG rules of both layers.
    By hand:
        * nsg-second-layer-deny: declare the same narrow rule beside the NSG of the subnet, which is shared, so name the VM's private
          address: `resource rdp
          'Microsoft.Network/networkSecurityGroups/securityRules@2024-05-01' = { parent: nsg, name: 'Allow-RDP', properties: {
          priority: 300, direction: 'Inbound', access: 'Allow', protocol: 'Tcp', sourcePortRange: '*', sourceAddressPrefix: '<client>',
          destinationAddressPrefix: '<private_address>', destinationPortRange: '<port>' } }`;
          at once `az network nsg rule create -g <nsg_group>
          --nsg-name <nsg> -n Allow-RDP --priority 300 --direction Inbound --access Allow --protocol Tcp
          --source-address-prefixes <client> --destination-address-prefixes <private_address> --destination-port-ranges <port>`.
    See: https://learn.microsoft.com/azure/virtual-network/network-security-group-how-it-works
    """
    question = ask(facts)
    decisions = dict(judged(question))
    if Layer.NIC in nsg_layers(facts):
        for denial in by_default(facts):
            if denial.layer is Layer.SUBNET:
                return failed(
                    "nsg-second-layer-deny",
                    f"The NSG {denial.nsg_id.rsplit('/', 1)[-1]} of the subnet has no rule that allows {denial.client} to port "
                    f"{question.port}; {denial.rule} drops it.",
                    confidence=confidence_of(decisions[denial.client]),
                    rule=denial.rule,
                    nsg_id=denial.nsg_id,
                    **connection(question, denial),
                )
    return passed("no second NSG denies the client by default")
