"""Does the client dial the public address that the VM has now?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.door import door_outcome
from rdp_remediate.checks.outcome import Outcome
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop

_FAULTS = ("public-ip-changed", "public-ip-dissociated")


@check(hop=Hop.ENDPOINT, faults=_FAULTS, requires=("vm_takes_direct_rdp",))
def client_dials_the_public_address(facts: Facts) -> Outcome:
    """The public address that the client dials is attached to the VM.

    Why: a dynamic address changes when the VM is deallocated and started; an address that was taken off the NIC leads nowhere.
    Evidence: the dialled address, public addresses and their allocation, what they are attached to, the activity log.
    By hand:
        * public-ip-changed: give the user the address <address>, or better a name: in the Bicep of the public address
          `dnsSettings: { domainNameLabel: 'NAME' }` and `publicIPAllocationMethod: 'Static'`; at once
          `az network public-ip update -g <public_ip_group> -n <public_ip> --allocation-method Static --dns-name NAME`.
          A Basic address is upgraded to Standard first, which closes it until an NSG allows the client.
        * public-ip-dissociated: find out who took it off, and why; attaching it exposes the VM again. In the NIC's Bicep, in the
          properties of its IP configuration: `publicIPAddress: { id: '<public_ip_id>' }`; at once `az network nic ip-config update
          -g <nic_group> --nic-name <nic> -n <ip_configuration> --public-ip-address <public_ip_id>`.
    See: https://learn.microsoft.com/azure/virtual-network/ip-services/public-ip-addresses
    """
    return door_outcome(facts, _FAULTS, "no dialled public address differs from the VM's own")
