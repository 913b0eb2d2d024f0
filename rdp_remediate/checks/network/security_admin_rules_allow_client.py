"""Does a central rule of Azure Virtual Network Manager deny the client?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop
from rdp_remediate.network.decision import Layer, Verdict
from rdp_remediate.network.denials import judged
from rdp_remediate.network.question import ask


@check(hop=Hop.NETWORK, faults=("avnm-security-admin-deny",), requires=("vm_has_an_entry",))
def security_admin_rules_allow_client(facts: Facts) -> Outcome:
    """No security admin rule of Azure Virtual Network Manager denies the client.

    Why: admin rules are asked before NSGs; no NSG rule can win against their Deny.
    Evidence: effective security admin rules of the VNet.
    By hand:
        * avnm-security-admin-deny: ask the network governance team for an exception to <rule>; no NSG rule helps. They declare an
          `Allow` with a lower number in the same configuration: `resource exception
          'Microsoft.Network/networkManagers/securityAdminConfigurations/ruleCollections/rules@2024-05-01' = { parent: collection,
          name: 'Allow-RDP', kind: 'Custom', properties: { access: 'Allow', direction: 'Inbound', priority: 100, protocol: 'Tcp',
          sources: [ { addressPrefix: '<client>', addressPrefixType: 'IPPrefix' } ], destinationPortRanges: [ '3389' ] } }`; at once
          `az network manager security-admin-config rule-collection rule create --access Allow --direction Inbound --priority 100
          --protocol Tcp --kind Custom -g GROUP --network-manager-name MANAGER --configuration-name CONFIG --rule-collection-name
          COLLECTION --rule-name Allow-RDP`, then `az network manager post-commit` for the regions.
    See: https://learn.microsoft.com/azure/virtual-network-manager/concept-security-admins
    """
    for client, decision in judged(ask(facts)):
        for one in decision.deciders:
            if decision.verdict is Verdict.DENY and one.layer is Layer.ADMIN:
                return failed(
                    "avnm-security-admin-deny",
                    f"The security admin rule {one.rule} (priority {one.priority}) denies {client}.",
                    rule=one.rule,
                    resource_id=one.resource_id,
                    client=client,
                )
    return passed("no security admin rule denies the client")
