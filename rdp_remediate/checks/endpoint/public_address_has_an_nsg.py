"""Is a Standard public address closed for want of any NSG?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop
from rdp_remediate.network.decision import Layer
from rdp_remediate.network.denials import confidence_of, judged
from rdp_remediate.network.question import ask


@check(hop=Hop.ENDPOINT, faults=("public-ip-standard-no-nsg",), requires=("vm_has_an_entry",))
def public_address_has_an_nsg(facts: Facts) -> Outcome:
    """A Standard public address is opened by an NSG.

    Why: Standard addresses and load balancers drop all inbound traffic until an NSG on the NIC or its subnet allows it.
    Evidence: public address SKU, NIC and subnet.
    By hand:
        * public-ip-standard-no-nsg: attach an NSG with one narrow allow rule to the NIC; it changes everything else that reaches
          this NIC, so its owner decides.
    See: https://learn.microsoft.com/azure/virtual-network/ip-services/public-ip-addresses
    """
    decisions = judged(ask(facts))
    for client, decision in decisions:
        if any(one.layer is Layer.PLATFORM and one.rule == "standard-no-nsg" for one in decision.deciders):
            return failed(
                "public-ip-standard-no-nsg",
                f"The public address is Standard and neither the NIC nor its subnet has an NSG, so {client} is dropped.",
                confidence=confidence_of(decision),
            )
    return passed("the platform's default does not decide")
