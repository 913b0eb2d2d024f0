"""Do the VM's answers find their way back?"""

from typing import Any

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.arm_names import named
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop
from rdp_remediate.network.decision import Decision, Verdict
from rdp_remediate.network.denials import judged
from rdp_remediate.network.question import ask
from rdp_remediate.network.routes import route_word


@check(
    hop=Hop.NETWORK,
    faults=("udr-default-route-asymmetric", "udr-blackhole", "bgp-forced-tunnel"),
    requires=("vm_has_an_entry", "vnet_peering_is_connected"),
)
def replies_return_to_client(facts: Facts) -> Outcome:
    """The VM's replies go back the way the client came.

    Why: an appliance or gateway that did not see the request drops the reply; a route to None drops it at once.
    Evidence: effective routes, route tables.
    By hand:
        * udr-default-route-asymmetric: come in through the appliance (a DNAT rule there) or Bastion. With the consent of whoever owns
          the inspection, a host route that bypasses it: `resource back 'Microsoft.Network/routeTables/routes@2024-05-01' = { parent:
          routeTable, name: 'rdp-client', properties: { addressPrefix: '<client>/32', nextHopType: 'Internet' } }`; at once
          `az network route-table route create -g <route_table_group> --route-table-name <route_table> -n rdp-client
          --address-prefix <client>/32 --next-hop-type Internet`. Leave the NSG as it is.
        * udr-blackhole: have the owner of the route table correct the route <route_name>: `az network route-table route update
          -g <route_table_group> --route-table-name <route_table> -n <route_name> --next-hop-type VnetLocal`, or delete it, and the
          same in its Bicep. A blackhole without a route table means that no network of that address is connected.
        * bgp-forced-tunnel: use the private path or Bastion. Or keep the gateway's routes away from the subnet with a route table of
          its own: `resource table 'Microsoft.Network/routeTables@2024-05-01' = { name: 'rt-rdp', location: location, properties: {
          disableBgpRoutePropagation: true, routes: [] } }`; at once `az network route-table create -g GROUP -n rt-rdp
          --disable-bgp-route-propagation true`, with the consent of the network team.
    See: https://learn.microsoft.com/azure/virtual-network/diagnose-network-routing-problem
    """
    for client, decision in judged(ask(facts)):
        route = next((one.rule for one in decision.deciders), "a route")
        if decision.verdict is Verdict.BLACKHOLE:
            return failed(
                "udr-blackhole",
                f"The reply to {client} is dropped by the route {route}.",
                route=route,
                **_route(facts, client, decision),
            )
        if decision.verdict is Verdict.ASYMMETRIC:
            fault = "bgp-forced-tunnel" if route.startswith("BGP") else "udr-default-route-asymmetric"
            return failed(
                fault,
                f"The reply to {client} leaves by another way than the request came: {route}.",
                route=route,
                **_route(facts, client, decision),
            )
    return passed("replies return to the client")


def _route(facts: Facts, client: str, decision: Decision) -> dict[str, Any]:
    """The route table of the dialled subnet and its route that decides, for the commands of By hand."""
    entry = ask(facts).entry
    owner = facts.network.nics.get(entry.nic_id.lower()) if entry is not None else None
    subnets = [facts.network.subnets.get(one.subnet) for one in owner.ip_configurations] if owner is not None else []
    table = next((facts.network.route_tables.get(one.route_table) for one in subnets if one is not None), None)
    words = {one.rule for one in decision.deciders}
    name = next((one.name for one in table.routes if route_word(one) in words), "") if table is not None else ""
    return {"client": client, "route_name": name, **named(route_table=table.arm_id if table is not None else "")}
