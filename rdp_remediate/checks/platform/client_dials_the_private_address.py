"""Does the client dial the private address that the NIC has now?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.door import door_outcome
from rdp_remediate.checks.outcome import Outcome
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop


@check(hop=Hop.PLATFORM, faults=("nic-ip-changed",), requires=("vm_takes_direct_rdp",))
def client_dials_the_private_address(facts: Facts) -> Outcome:
    """The private address that the client dials is the one of the VM's NIC.

    Why: a dynamic private address may change when the VM is deallocated or moved; DNS records and .rdp files keep the old one.
    Evidence: the dialled address, the NIC's IP configurations and their allocation, the VNet, the activity log.
    By hand:
        * nic-ip-changed: give the user the address <address> and correct the DNS record; change nothing on the VM. So that it
          does not change again, in the NIC's Bicep, in the properties of its IP configuration:
          `privateIPAllocationMethod: 'Static'` and `privateIPAddress: '<address>'`; at once `az network nic ip-config update
          -g <nic_group> --nic-name <nic> -n <ip_configuration> --private-ip-address <address>`.
    See: https://learn.microsoft.com/azure/virtual-network/ip-services/private-ip-addresses
    """
    return door_outcome(facts, ("nic-ip-changed",), "no dialled private address differs from the NIC's own")
