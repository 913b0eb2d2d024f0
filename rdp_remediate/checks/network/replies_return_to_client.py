"""Do the VM's answers find their way back?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop
from rdp_remediate.network.decision import Verdict
from rdp_remediate.network.denials import judged
from rdp_remediate.network.question import ask


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
        * udr-default-route-asymmetric: come in through the appliance (DNAT) or Bastion; a host route to the Internet bypasses inspection.
        * udr-blackhole: have the owner of the route table correct the route.
        * bgp-forced-tunnel: use the private path or Bastion.
    See: https://learn.microsoft.com/azure/virtual-network/diagnose-network-routing-problem
    """
    for client, decision in judged(ask(facts)):
        route = next((one.rule for one in decision.deciders), "a route")
        if decision.verdict is Verdict.BLACKHOLE:
            return failed("udr-blackhole", f"The reply to {client} is dropped by the route {route}.", route=route)
        if decision.verdict is Verdict.ASYMMETRIC:
            fault = "bgp-forced-tunnel" if route.startswith("BGP") else "udr-default-route-asymmetric"
            return failed(
                fault, f"The reply to {client} leaves by another way than the request came: {route}.", route=route
            )
    return passed("replies return to the client")
