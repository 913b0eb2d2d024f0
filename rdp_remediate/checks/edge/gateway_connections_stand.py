"""Does the tunnel stand by which the client's network reaches the VM?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped, unknown
from rdp_remediate.facts.arm_names import name_of, named
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.gateways import Connection
from rdp_remediate.facts.need import need
from rdp_remediate.facts.network_addresses import address_number
from rdp_remediate.facts.network_words import NextHop
from rdp_remediate.models.report import Confidence, Hop
from rdp_remediate.network.prefixes import contains, is_public
from rdp_remediate.network.question import Question, ask


@check(hop=Hop.EDGE, faults=("edge-vpn-or-expressroute-down",), requires=("vm_is_running",))
def gateway_connections_stand(facts: Facts) -> Outcome:
    """The VPN or ExpressRoute connection by which the client's network reaches the VM stands.

    Why: a client on another network reaches a private address through a gateway only; with the tunnel down its packets never
        come to Azure, and nothing on the VM can mend that.
    Evidence: the connections of the gateways in the VM's network and in those that it is peered with, and whether the effective
        routes of the NIC lead to the client by a gateway. Clients of a point-to-site VPN have no connection of their own there.
    By hand:
        * edge-vpn-or-expressroute-down: `az network vpn-connection show -g <connection_group> -n <connection> --query
          "{status:connectionStatus, in:ingressBytesTransferred, out:egressBytesTransferred}"`; compare shared key, IKE policy,
          peer address and BGP with the team that runs the other side (for ExpressRoute the provider's circuit state), then
          `az network vpn-connection shared-key show` and, once the other side is right, reset the connection. Bastion reaches the
          VM meanwhile.
    See: https://learn.microsoft.com/azure/vpn-gateway/vpn-gateway-troubleshoot-site-to-site-cannot-connect
    """
    question = ask(facts)
    entry = question.entry
    clients = [number for client in question.clients if (number := address_number(client)) is not None]
    remote = [one for one in clients if not is_public(one) and not _inside(facts, one)]
    if entry is None or entry.public or not remote:
        return skipped("the client does not come through a gateway")
    gateways = dict(facts.gateway_connections)
    if not gateways:
        return skipped("no gateway to another network was seen")
    connections = [one for fact in gateways.values() for one in need(fact)]
    tunnels = [one for one in connections if one.kind.lower() != "vpnclient"]
    if not tunnels:
        return unknown("The gateway has no connection; point-to-site clients are not seen from here.", because="vpn")
    down = [one for one in tunnels if one.connected is False]
    if len(down) == len(tunnels):
        return _failed(down[0], f"no connection of the gateway stands ({_states(down)})", Confidence.CONFIRMED)
    routed = _routed(facts, question, remote)
    if down and not routed:
        return _failed(
            down[0],
            f"{_states(down)}, and no route of the VM leads to the client by a gateway",
            Confidence.LIKELY,
        )
    if any(one.connected is None for one in tunnels) and not routed:
        return unknown(f"Azure does not know whether the connections stand: {_states(tunnels)}.", because="vpn")
    return passed(f"the gateway's connections: {_states(tunnels)}")


def _inside(facts: Facts, address: int) -> bool:
    """Whether an address lies in a virtual network that was read, so that no gateway stands between."""
    return any(contains(vnet.ranges or (), address) for vnet in facts.network.vnets.values())


def _routed(facts: Facts, question: Question, clients: list[int]) -> bool:
    """Whether the NIC's effective routes lead to every client by a gateway.

    Raises:
        UnseenError: The effective routes were not read.
    """
    nic = question.entry.nic_id.lower() if question.entry else ""
    if nic not in facts.network.effective_routes:
        need(facts.network.why("effective_routes", nic))
    ways = [
        one
        for one in facts.network.effective_routes.get(nic, ())
        if one.active and one.next_hop is NextHop.VIRTUAL_NETWORK_GATEWAY and one.ranges
    ]
    return all(any(contains(way.ranges or (), client) for way in ways) for client in clients)


def _states(connections: list[Connection]) -> str:
    return ", ".join(f"{name_of(one.arm_id)} is {one.status or 'without a status'}" for one in connections)


def _failed(one: Connection, what: str, confidence: Confidence) -> Outcome:
    return failed(
        "edge-vpn-or-expressroute-down",
        f"The client's network does not reach Azure: {what}.",
        confidence=confidence,
        **named(connection=one.arm_id),
    )
