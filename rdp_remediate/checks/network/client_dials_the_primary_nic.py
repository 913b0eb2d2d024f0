"""Does the NIC that is dialled have a way back to the client inside Windows?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.arm_names import name_of
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.network_addresses import address_number, address_text
from rdp_remediate.models.report import Confidence, Hop, Proof
from rdp_remediate.network.entries import judge_of
from rdp_remediate.network.path import Judge
from rdp_remediate.network.prefixes import contains
from rdp_remediate.network.proof import reachability
from rdp_remediate.network.question import ask


@check(hop=Hop.NETWORK, faults=("secondary-nic-has-no-default-route",), requires=("vm_has_an_entry",))
def client_dials_the_primary_nic(facts: Facts) -> Outcome:
    """The client dials the primary NIC, or comes from the subnet of the one it dials.

    Why: Azure's DHCP gives a default gateway to the primary NIC only, so Windows answers other subnets through that one and the
    connection never completes. Whether somebody added a route inside Windows is not read, so this is likely, not certain.
    Evidence: the VM's NICs, the dialled one, its subnet, the client's address, probes.
    By hand:
        * secondary-nic-has-no-default-route: dial the primary NIC (<primary_address>). If the secondary one is meant, add a route in
          Windows: `route -p add 0.0.0.0 mask 0.0.0.0 GATEWAY metric 5015 if INDEX`, where GATEWAY is the first address of its
          subnet and INDEX its number in `route print`; `route delete` takes it back. In Bicep put the public address or the load
          balancer's pool on the IP configuration of the NIC whose reference has `properties: { primary: true }`.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/connectivity-problem-secondary-nic
    """
    need(facts.vm)
    question = ask(facts)
    mine = [nic for nic in facts.network.nics.values() if nic.vm == facts.target.vm_id.lower()]
    entry = question.entry
    nic = next((one for one in mine if entry is not None and one.arm_id == entry.nic_id), None)
    if nic is None or nic.primary or len(mine) < 2 or entry is None:
        return passed("the primary NIC is dialled")
    door = judge_of(facts.network, entry)
    subnets = [
        facts.network.subnets[one.subnet] for one in nic.ip_configurations if one.subnet in facts.network.subnets
    ]
    ranges = [span for subnet in subnets for span in subnet.ranges]
    for client in question.clients:
        number = address_number(client)
        sources = door.arrival.sources if isinstance(door, Judge) else None
        seen = sources[0][0] if sources else number
        if seen is None or contains(tuple(ranges), seen) or reachability(facts).proof is Proof.END_TO_END:
            continue
        primary = next((one for one in mine if one.primary), None)
        address = next((c.private_address for c in primary.ip_configurations), None) if primary else None
        return failed(
            "secondary-nic-has-no-default-route",
            f"{client} comes in over {name_of(nic.arm_id)}, which is not the VM's primary NIC; Windows has no default gateway "
            "there unless somebody added one, so its replies leave by the other NIC.",
            confidence=Confidence.LIKELY,
            nic=name_of(nic.arm_id),
            primary_address=_text(address),
        )
    return passed("the client is in the subnet of the NIC that it dials, or was shown to get through")


def _text(address: int | None) -> str:
    return "" if address is None else address_text(address)
