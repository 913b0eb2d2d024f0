"""Does the Azure Firewall translate the dialled port to the VM?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.door import door_outcome
from rdp_remediate.checks.outcome import Outcome
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop


@check(hop=Hop.ENDPOINT, faults=("azfw-dnat-missing",), requires=("vm_takes_direct_rdp",))
def firewall_translates_to_the_rdp_port(facts: Facts) -> Outcome:
    """The Azure Firewall whose address is dialled has a DNAT rule that leads this client to the VM's RDP port.

    Why: an Azure Firewall passes nothing on to a VM unless a DNAT rule names the client, its own public address and the port.
    Evidence: Azure Firewall, its policy's rule collection groups, its public addresses, the guest's port, the dialled port.
    By hand:
        * azfw-dnat-missing: ask the team that owns the firewall. In the Bicep of its policy, among the `rules` of a NAT rule
          collection: `{ ruleType: 'NatRule', name: 'rdp-<vm>', ipProtocols: [ 'TCP' ], sourceAddresses: [ '<client>' ],
          destinationAddresses: [ '<frontend>' ], destinationPorts: [ '<port>' ], translatedAddress: '<private_address>',
          translatedPort: '3389' }`. At once: `az network firewall policy rule-collection-group collection rule add
          -g <policy_group> --policy-name <policy> --rcg-name GROUP --collection-name COLLECTION -n rdp-<vm> --rule-type NatRule
          --ip-protocols TCP --source-addresses <client> --destination-addresses <frontend> --destination-ports <port>
          --translated-address <private_address> --translated-port 3389`. The VM's default route must lead back to the firewall,
          and the VM's NSG must admit AzureFirewallSubnet.
    See: https://learn.microsoft.com/azure/firewall/tutorial-firewall-dnat-policy
    """
    return door_outcome(
        facts, ("azfw-dnat-missing",), "no Azure Firewall is dialled, or its DNAT rule leads to the RDP port"
    )
