"""Who holds a private address, as far as the evidence shows it."""

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError
from rdp_remediate.facts.network_model import Nic, Vm
from rdp_remediate.models.fact import Unavailable


def owner_of(facts: Facts, address: int) -> Nic | None:
    """The NIC with this private address; None when Azure shows none in the VM's subscription.

    Raises:
        UnseenError: Nobody looked, the look-up failed, or the NIC that holds it could not be read.
    """
    network = facts.network
    for nic in network.nics.values():
        if any(one.private_address == address for one in nic.ip_configurations):
            return nic
    subscription = "/".join(facts.target.vm_id.lower().split("/")[:3])
    owners = network.address_owners.get(subscription)
    if owners is None:
        raise UnseenError(network.why("address_owners", subscription))
    for resource in owners.get(address, ()):
        if resource not in network.nics and "/networkinterfaces/" in resource:
            raise UnseenError(network.why("resource", resource))
    return None


def machine_of(facts: Facts, nic: Nic) -> Vm:
    """The VM that a NIC is attached to, with its power state.

    Raises:
        UnseenError: The VM or its instance view could not be read.
    """
    machine = facts.network.vms.get(nic.vm)
    if machine is None:
        raise UnseenError(facts.network.why("resource", nic.vm))
    if not machine.power:
        why = facts.network.why("resource", nic.vm)
        raise UnseenError(Unavailable(why.reason, f"the power state of {machine.arm_id} was not shown", machine.arm_id))
    return machine
