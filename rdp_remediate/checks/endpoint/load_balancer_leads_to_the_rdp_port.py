"""Does the load balancer lead the dialled port to the port on which RDP is?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.door import door_outcome
from rdp_remediate.checks.outcome import Outcome
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop


@check(hop=Hop.ENDPOINT, faults=("lb-nat-rule-missing-or-wrong-port",), requires=("vm_takes_direct_rdp",))
def load_balancer_leads_to_the_rdp_port(facts: Facts) -> Outcome:
    """The load balancer leads the dialled port to the VM's RDP port.

    Why: a frontend answers only on ports that an inbound NAT rule or a load-balancing rule names; a rule that is attached to no
    IP configuration, names another backend port or another protocol leads nowhere.
    Evidence: load balancers with NAT rules, rules and pools, the NIC's references, the guest's port, the dialled port.
    By hand:
        * lb-nat-rule-missing-or-wrong-port: declare the rule in the load balancer's Bicep, or the next deployment removes it:
          `resource rdp 'Microsoft.Network/loadBalancers/inboundNatRules@2024-05-01' = { parent: loadBalancer, name: 'rdp-<vm>',
          properties: { frontendIPConfiguration: { id: frontendId }, protocol: 'Tcp', frontendPort: 50001, backendPort: 3389 } }`
          and name it in the NIC's IP configuration: `loadBalancerInboundNatRules: [ { id: rdp.id } ]`. At once: `az network lb
          inbound-nat-rule create -g <load_balancer_group> --lb-name <load_balancer> -n rdp-<vm> --protocol Tcp
          --frontend-port 50001 --backend-port 3389`, then `az network nic ip-config inbound-nat-rule add -g <group>
          --lb-name <load_balancer> --inbound-nat-rule rdp-<vm> --nic-name NIC --ip-config-name IPCONFIG`. A rule that is there
          and wrong: `az network lb inbound-nat-rule update -g <load_balancer_group> --lb-name <load_balancer> -n RULE
          --backend-port 3389`. If another port leads to the VM, tell the user: `mstsc /v:<frontend>:PORT`. It is a way in from the
          Internet: the NSG must admit the client's range only, on the backend port.
    See: https://learn.microsoft.com/azure/load-balancer/manage-inbound-nat-rules
    """
    return door_outcome(
        facts, ("lb-nat-rule-missing-or-wrong-port",), "no load balancer stands between client and RDP port"
    )
