"""Do the NSGs let the VM's agent out?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.arm_names import name_of, named
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Effect, Hop
from rdp_remediate.network.agent_egress import egress_denials


@check(hop=Hop.NETWORK, faults=("egress-blocked-for-agent",), requires=("vm_is_running",))
def agent_reaches_azure(facts: Facts) -> Outcome:
    """The outbound NSG rules let the VM reach Azure on TCP 443.

    Why: extensions, Run Command with scripts or outputs in storage, and the Entra sign-in need it; RDP itself does not.
    Evidence: outbound rules of the NSGs of subnet and NIC. A proxy or firewall further on is not to be seen here.
    By hand:
        * egress-blocked-for-agent: ask whoever wrote the deny; then declare a rule above it:
          `resource azure 'Microsoft.Network/networkSecurityGroups/securityRules@2024-05-01' = { parent: nsg,
          name: 'Allow-AzureCloud-Out', properties: { priority: 200, direction: 'Outbound', access: 'Allow', protocol: 'Tcp',
          sourceAddressPrefix: 'VirtualNetwork', sourcePortRange: '*', destinationAddressPrefix: 'AzureCloud',
          destinationPortRange: '443' } }`; at once `az network nsg rule create -g <nsg_group> --nsg-name <nsg>
          -n Allow-AzureCloud-Out --priority 200 --direction Outbound --access Allow --protocol Tcp
          --source-address-prefixes VirtualNetwork --destination-address-prefixes AzureCloud --destination-port-ranges 443`,
          with a free priority below that of the deny. Never block 168.63.129.16.
    See: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
    """
    for one in egress_denials(facts):
        return failed(
            "egress-blocked-for-agent",
            f"The rule {one.rule.name} (priority {one.rule.priority}) of {name_of(one.nsg_id)} keeps the VM from Azure on TCP 443; "
            "extensions and Run Command may never return.",
            Effect.BLINDS,
            rule=one.rule.name,
            nsg_id=one.nsg_id,
            **named(nsg=one.nsg_id),
        )
    return passed("the outbound rules admit TCP 443 to Azure, or a part of it that somebody chose")
