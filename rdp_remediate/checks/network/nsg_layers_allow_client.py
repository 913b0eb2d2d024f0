"""Do the NSGs let the client in?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop
from rdp_remediate.network.arrival import EntryKind
from rdp_remediate.network.decision import Layer
from rdp_remediate.network.denials import (
    LayerDenial,
    confidence_of,
    connection,
    denials,
    judged,
    nsg_layers,
    other_clients_allowed,
)
from rdp_remediate.network.misfits import misfit_of
from rdp_remediate.network.question import ask


@check(hop=Hop.NETWORK, faults=("nsg-no-allow-rule",), requires=("just_in_time_access_is_open",))
def nsg_layers_allow_client(facts: Facts) -> Outcome:
    """The NSG next to the VM allows the client to the RDP port.

    Why: what no rule allows is dropped in silence by DenyAllInBound.
    Evidence: NSG rules of both layers, effective rules where they could be read.
    By hand:
        * nsg-no-allow-rule: declare one narrow rule beside the NSG, or the next deployment removes it: `resource rdp
          'Microsoft.Network/networkSecurityGroups/securityRules@2024-05-01' = { parent: nsg, name: 'Allow-RDP', properties: {
          priority: 300, direction: 'Inbound', access: 'Allow', protocol: 'Tcp', sourcePortRange: '*', sourceAddressPrefix: '<client>',
          destinationAddressPrefix: '<private_address>', destinationPortRange: '<port>' } }`;
          at once `az network nsg rule create -g <nsg_group>
          --nsg-name <nsg> -n Allow-RDP --priority 300 --direction Inbound --access Allow --protocol Tcp
          --source-address-prefixes <client> --destination-address-prefixes <private_address> --destination-port-ranges <port>`.
          The priority must be free and below that of any deny; source is the client's address or VPN range, never `*`. Prefer
          just-in-time access or Bastion.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-nsg-problem
    """
    question = ask(facts)
    decisions = dict(judged(question))
    layers = nsg_layers(facts)
    for denial in by_default(facts):
        if denial.layer is Layer.NIC or Layer.NIC not in layers:
            return failed(
                "nsg-no-allow-rule",
                f"No rule of {denial.nsg_id.rsplit('/', 1)[-1]} allows {denial.client} to port {question.port}; "
                f"{denial.rule} drops it.",
                confidence=confidence_of(decisions[denial.client]),
                rule=denial.rule,
                nsg_id=denial.nsg_id,
                **connection(question, denial),
            )
    return passed("the NSG next to the VM allows the client, or is not what decides")


def by_default(facts: Facts) -> list[LayerDenial]:
    """The layers where nobody wrote anything for this client: no deny, no allow that leaves it out or misses it by a field."""
    question = ask(facts)
    if question.entry is not None and question.entry.kind is EntryKind.BASTION:
        return []
    return [
        denial
        for denial in denials(facts)
        if denial.by_default
        and misfit_of(facts, denial) is None
        and not (question.client_known and other_clients_allowed(facts, denial))
    ]
