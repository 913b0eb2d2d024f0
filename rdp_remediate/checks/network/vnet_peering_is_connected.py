"""Is the peering connected that the client comes through?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.arm_names import name_of, named
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.facts.network_addresses import address_number
from rdp_remediate.models.report import Hop
from rdp_remediate.network.entries import judge_of
from rdp_remediate.network.path import Judge
from rdp_remediate.network.peering import broken_peering
from rdp_remediate.network.prefixes import contains, is_public
from rdp_remediate.network.question import ask


@check(hop=Hop.NETWORK, faults=("vnet-peering-disconnected",), requires=("vm_takes_direct_rdp",))
def vnet_peering_is_connected(facts: Facts) -> Outcome:
    """The peering that the client comes through is connected on both sides and allows access.

    Why: without it the client's network has no route here, is no part of the tag VirtualNetwork, and replies are dropped.
    Evidence: peerings of the VM's VNet and of the remote one, the client's address, Bastion hosts of peered VNets.
    By hand:
        * vnet-peering-disconnected: both owners act. A side that is Disconnected or Initiated is deleted and both are made anew:
          `az network vnet peering delete -g <vnet_group> --vnet-name <vnet> -n <peering>`, then on both sides
          `az network vnet peering create -g <vnet_group> --vnet-name <vnet> -n <peering> --remote-vnet <remote_vnet_id>
          --allow-vnet-access true`; a changed address space needs `az network vnet peering sync` only. Declare both sides in
          Bicep: `resource peering 'Microsoft.Network/virtualNetworks/virtualNetworkPeerings@2024-05-01' = { parent: vnet,
          name: '<peering>', properties: { remoteVirtualNetwork: { id: '<remote_vnet_id>' }, allowVirtualNetworkAccess: true } }`.
    See: https://learn.microsoft.com/azure/virtual-network/virtual-network-troubleshoot-peering-issues
    """
    need(facts.vm)
    broken = broken_peering(facts)
    if broken is not None:
        return failed(
            "vnet-peering-disconnected",
            f"The peering {broken.peering} of {name_of(broken.vnet)}, through which {broken.behind} comes, {broken.what}.",
            peering=broken.peering,
            remote_vnet_id=broken.remote_vnet,
            **named(vnet=broken.vnet),
        )
    unread = [one for one in _subnet_vnets(facts) if one not in facts.network.vnets]
    private = [c for c in ask(facts).clients if (n := address_number(c)) is not None and not is_public(n)]
    if unread and not all(_routed(facts, client) for client in private):
        raise UnseenError(facts.network.why("resource", unread[0]))
    return passed("no peering between client and VM is disconnected")


def _routed(facts: Facts, client: str) -> bool:
    """Whether effective routes show the client inside the VNet or behind a peering that works."""
    entry, number = ask(facts).entry, address_number(client)
    door = judge_of(facts.network, entry) if entry is not None else None
    return number is not None and isinstance(door, Judge) and contains(door.scope.core, number)


def _subnet_vnets(facts: Facts) -> list[str]:
    vm = facts.target.vm_id.lower()
    nics = [nic for nic in facts.network.nics.values() if nic.vm == vm]
    return [one.subnet.rsplit("/subnets/", 1)[0] for nic in nics for one in nic.ip_configurations if one.subnet]
