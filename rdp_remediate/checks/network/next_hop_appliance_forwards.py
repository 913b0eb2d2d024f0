"""Does the appliance on the way forward packets?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.arm_names import name_of, named
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.network_addresses import address_number, address_text
from rdp_remediate.facts.network_model import Nic
from rdp_remediate.facts.network_words import NextHop
from rdp_remediate.models.report import Hop
from rdp_remediate.network.denials import judged
from rdp_remediate.network.entries import judge_of
from rdp_remediate.network.owners import machine_of, owner_of
from rdp_remediate.network.path import Judge
from rdp_remediate.network.question import ask
from rdp_remediate.network.routes import Reply


@check(hop=Hop.NETWORK, faults=("nva-not-forwarding",), requires=("vm_has_an_entry", "vnet_peering_is_connected"))
def next_hop_appliance_forwards(facts: Facts) -> Outcome:
    """The appliance between client and VM is running and its NIC forwards packets.

    Why: Azure drops what a NIC would pass on unless IP forwarding is enabled on it, and an appliance that is off passes nothing.
    Where the route itself is wrong for this client, that is another fault.
    Evidence: the route to the client, the NIC that holds its next hop, the power state of that NIC's VM.
    By hand:
        * nva-not-forwarding: ask the appliance's owner. In its NIC's Bicep `enableIPForwarding: true`; at once
          `az network nic update -g <appliance_nic_group> -n <appliance_nic> --ip-forwarding true`. If it is off:
          `az vm start -g <appliance_group> -n <appliance>`. Windows or Linux inside must forward as well.
    See: https://learn.microsoft.com/azure/virtual-network/virtual-network-network-interface#enable-or-disable-ip-forwarding
    """
    question = ask(facts)
    door = judge_of(facts.network, question.entry) if question.entry is not None else None
    unseen: list[str] = []
    for client, _ in judged(question):
        number = address_number(client)
        if number is None or not isinstance(door, Judge):
            continue
        reply, routes, _ = door.reply(number)
        for route in routes if reply is Reply.ARRIVES else ():
            if route.next_hop is not NextHop.VIRTUAL_APPLIANCE:
                continue
            for hop in route.next_hop_addresses:
                if _is_firewall(facts, hop):
                    continue  # an Azure Firewall forwards by itself
                nic = owner_of(facts, hop)
                if nic is None:
                    unseen.append(address_text(hop))
                elif outcome := _judge(facts, nic, client, hop, route.spelling):
                    return outcome
    if unseen:
        hops = ", ".join(dict.fromkeys(unseen))
        return unknown(
            f"The appliance {hops} on the way back to the client is no NIC that this subscription shows; whether it forwards is "
            "not to be seen.",
            because="appliance",
        )
    return passed("no appliance on the way that Azure shows as not forwarding")


def _is_firewall(facts: Facts, hop: int) -> bool:
    return any(hop in firewall.private_addresses for firewall in facts.network.firewalls.values())


def _judge(facts: Facts, nic: Nic, client: str, hop: int, prefix: str) -> Outcome | None:
    evidence = {"next_hop": address_text(hop), "route": prefix, **named(appliance_nic=nic.arm_id)}
    if not nic.ip_forwarding:
        return failed(
            "nva-not-forwarding",
            f"The way to {client} leads through {address_text(hop)} ({prefix}), and the NIC {name_of(nic.arm_id)} that holds it "
            "has IP forwarding disabled.",
            **evidence,
        )
    machine = machine_of(facts, nic)
    if machine.power != "running":
        return failed(
            "nva-not-forwarding",
            f"The way to {client} leads through {name_of(machine.arm_id)} ({address_text(hop)}), which is {machine.power}.",
            appliance=name_of(machine.arm_id),
            appliance_group=named(vm=machine.arm_id)["vm_group"],
            **evidence,
        )
    return None
