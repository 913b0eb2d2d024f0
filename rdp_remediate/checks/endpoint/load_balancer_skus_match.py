"""Do load balancer, public address and VM speak the same SKU?"""

from collections.abc import Iterator

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.arm_names import name_of, named
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError
from rdp_remediate.facts.network_model import LoadBalancer, PublicIp
from rdp_remediate.facts.network_words import Sku
from rdp_remediate.models.report import Confidence, Effect, Hop
from rdp_remediate.network.arrival import EntryKind
from rdp_remediate.network.path import network
from rdp_remediate.network.question import ask


@check(hop=Hop.ENDPOINT, faults=("lb-public-ip-sku-mismatch",))
def load_balancer_skus_match(facts: Facts) -> Outcome:
    """The load balancer and the public addresses of its frontends and members have one SKU.

    Why: Basic and Standard cannot be mixed on one path; Azure refuses such a deployment or leaves no inbound path. Basic is
    retired since September 2025.
    Evidence: SKU of load balancers and of the public addresses of their frontends and of the VM's IP configurations.
    By hand:
        * lb-public-ip-sku-mismatch: bring everything to Standard, with its owner: it changes addresses and closes what no NSG
          allows. In Bicep `sku: { name: 'Standard' }` on the load balancer and on each public address, with
          `publicIPAllocationMethod: 'Static'`; there is no change in place: `az network public-ip create -g <public_ip_group>
          -n NEW --sku Standard --allocation-method Static`, then `az network lb frontend-ip update -g <load_balancer_group>
          --lb-name <load_balancer> -n FRONTEND --public-ip-address NEW`; Microsoft's script
          Start-AzBasicLoadBalancerUpgrade moves a Basic load balancer with its rules.
    See: https://learn.microsoft.com/azure/load-balancer/upgrade-basic-standard-with-powershell
    """
    question = ask(facts)
    for balancer, ip in _pairs(facts):
        if Sku.UNKNOWN in (balancer.sku, ip.sku) or balancer.sku is ip.sku:
            continue
        through = question.entry is not None and question.entry.kind is EntryKind.LB
        return failed(
            "lb-public-ip-sku-mismatch",
            f"The load balancer {name_of(balancer.arm_id)} is {balancer.sku} and the public address {name_of(ip.arm_id)} is "
            f"{ip.sku}; Azure does not mix them.",
            Effect.BLOCKS if through else Effect.DEGRADES,
            Confidence.LIKELY if through else Confidence.CONFIRMED,
            **named(load_balancer=balancer.arm_id, public_ip=ip.arm_id),
        )
    if question.unread_entry is not None:
        raise UnseenError(question.unread_entry)
    return passed("no load balancer with a public address of another SKU")


def _pairs(facts: Facts) -> Iterator[tuple[LoadBalancer, PublicIp]]:
    members = [one for _, one in network(facts.network).directory.targets(facts.target.vm_id.lower())]
    for balancer in facts.network.load_balancers.values():
        keys = [frontend.public_ip for frontend in balancer.frontends]
        held = {*(rule.key for rule in balancer.nat_rules), *(pool.key for pool in balancer.pools)}
        keys += [one.public_ip for one in members if held & {*one.nat_rules, *one.pools}]
        yield from ((balancer, facts.network.public_ips[key]) for key in keys if key in facts.network.public_ips)
