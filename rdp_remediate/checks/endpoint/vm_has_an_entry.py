"""Is there anything to connect to?"""

from typing import Any

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.arm_names import group_of, name_of
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop
from rdp_remediate.network.decision import Verdict
from rdp_remediate.network.doors import unread_front, wrong_door
from rdp_remediate.network.peering import broken_peering
from rdp_remediate.network.question import ask


@check(hop=Hop.ENDPOINT, faults=("no-public-ip",), requires=("vm_takes_direct_rdp",))
def vm_has_an_entry(facts: Facts) -> Outcome:
    """The VM has an entry that the client can dial: a public address, a load balancer, Bastion or a private path.

    Why: without one no packet of the client can arrive, whatever the rules say. A VM behind Bastion or VPN needs no public
    address: that is by design, and the diagnosis goes on from there (trap 5).
    Evidence: NIC, public addresses, load balancers, firewalls, Bastion hosts, gateways.
    By hand:
        * no-public-ip: prefer Azure Bastion: `az network bastion create -g <group> -n bas-<vm> --vnet-name VNET
          --public-ip-address PIP --sku Basic` in a subnet AzureBastionSubnet, or a VPN. A public address exposes the VM and needs a
          narrow NSG rule and its owner's consent: `resource pip 'Microsoft.Network/publicIPAddresses@2024-05-01' = { name:
          'pip-<vm>', location: location, sku: { name: 'Standard' }, properties: { publicIPAllocationMethod: 'Static' } }` and in the
          NIC's IP configuration `publicIPAddress: { id: pip.id }`; at once `az network public-ip create -g <group> -n pip-<vm> --sku
          Standard --allocation-method Static`, `az network nic ip-config update -g <group> --nic-name NIC -n IPCONFIG
          --public-ip-address pip-<vm>`.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-connection
    """
    need(facts.vm)
    question = ask(facts)
    if question.unread_entry is not None:
        return unknown(question.unread_entry.detail, because=question.unread_entry.source)
    if question.via is not None:
        return passed(f"no public address, by design: the way in is {question.via}")
    door = wrong_door(facts)
    if door is not None and door.fault != "public-ip-dissociated":
        return passed(f"the way in is judged by itself: {door.reason}")
    peering = broken_peering(facts)
    if peering is not None:
        return passed(f"the way in of {peering.behind} leads over a peering, which is judged by itself")
    if question.entry is None:
        return failed("no-public-ip", "The VM has no address that anybody could dial.", **_place(facts))
    no_path = [d for _, d in question.decisions if d.verdict is Verdict.NO_PATH]
    front = unread_front(facts)
    if no_path and not question.entry.public and front is not None:
        return unknown(front.detail, because=front.source)
    if no_path and not question.entry.public:
        need(facts.bastion_hosts)
        return failed(
            "no-public-ip",
            "The VM has no public address, no load balancer or firewall rule leads to it, and no Bastion or gateway was found.",
            **_place(facts),
        )
    if not question.clients:
        return unknown("Neither the client's address nor any source is known.", because="target.client_address")
    return passed(f"{question.entry.kind} {question.entry.address}:{question.dialled_port}")


def _place(facts: Facts) -> dict[str, Any]:
    return {"vm": name_of(facts.target.vm_id), "group": group_of(facts.target.vm_id)}
