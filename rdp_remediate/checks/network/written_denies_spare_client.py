"""Did somebody write a deny that catches the client?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop
from rdp_remediate.network.arrival import EntryKind
from rdp_remediate.network.denials import confidence_of, connection, denials, judged
from rdp_remediate.network.question import ask


@check(hop=Hop.NETWORK, faults=("nsg-explicit-deny-wins",), requires=("just_in_time_access_is_open",))
def written_denies_spare_client(facts: Facts) -> Outcome:
    """No written deny rule of an NSG catches the client.

    Why: the rule with the lower number wins; a deny that somebody wrote may be meant.
    Evidence: NSG rules of both layers.
    By hand:
        * nsg-explicit-deny-wins: ask who wrote the deny <rule>; do not delete it. With consent declare a narrow rule with a lower
          number than its own: `resource rdp
          'Microsoft.Network/networkSecurityGroups/securityRules@2024-05-01' = { parent: nsg, name: 'Allow-RDP', properties: {
          priority: <above>, direction: 'Inbound', access: 'Allow', protocol: 'Tcp', sourcePortRange: '*', sourceAddressPrefix: '<client>',
          destinationAddressPrefix: '<private_address>', destinationPortRange: '<port>' } }`;
          at once `az network nsg rule create -g <nsg_group>
          --nsg-name <nsg> -n Allow-RDP --priority <above> --direction Inbound --access Allow --protocol Tcp
          --source-address-prefixes <client> --destination-address-prefixes <private_address> --destination-port-ranges <port>`.
    See: https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview
    """
    question = ask(facts)
    decisions = dict(judged(question))
    if question.entry is not None and question.entry.kind is EntryKind.BASTION:
        return passed("what denies a Bastion session is judged by itself")
    for denial in denials(facts):
        if not denial.by_default and not denial.jit:
            return failed(
                "nsg-explicit-deny-wins",
                f"The rule {denial.rule} (priority {denial.priority}) of {_name(denial.nsg_id)} on the {denial.layer.value} "
                f"denies {denial.client}.",
                confidence=confidence_of(decisions[denial.client]),
                rule=denial.rule,
                nsg_id=denial.nsg_id,
                above=max((denial.priority or 101) - 1, 100),
                **connection(question, denial),
            )
    return passed("no written deny decides")


def _name(nsg_id: str) -> str:
    return nsg_id.rsplit("/", 1)[-1]
