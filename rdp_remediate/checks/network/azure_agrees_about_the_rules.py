"""Does Azure itself say the same about the client as our path engine?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, passed, skipped, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.fact import Reason, Unavailable
from rdp_remediate.models.report import Hop
from rdp_remediate.network.cross_check import azure_disagrees, compared, flow_to_ask


@check(hop=Hop.NETWORK, faults=(), requires=("vm_is_running",))
def azure_agrees_about_the_rules(facts: Facts) -> Outcome:
    """Azure's IP flow verify gives the same answer as our reading of the rules.

    Why: two readings of the same rules that differ mean that one of them is wrong; then no network rule is written.
    Evidence: Network Watcher's IP flow verify for the client, the VM's private address and the RDP port. It sees NSGs and admin
        rules, no routes, no firewall appliance and nothing inside Windows, so its Allow is no proof that RDP is reachable.
        Connection troubleshoot is not asked: it needs an agent extension on the source, which is never installed.
    By hand: ask again with `az network watcher test-ip-flow --vm <vm_id> --direction Inbound --protocol TCP --local ADDRESS:PORT
        --remote CLIENT:*` and look at the rules by hand.
    See: https://learn.microsoft.com/azure/network-watcher/ip-flow-verify-overview
    """
    need(facts.vm)
    asked = flow_to_ask(facts)
    if asked is None:
        return skipped("IP flow verify cannot be asked about this entry")
    fact = facts.network_watcher.ip_flow(asked.nic_id)
    if isinstance(fact, Unavailable):
        if fact.reason in (Reason.NOT_CONFIGURED, Reason.NOT_COLLECTED):
            return skipped(f"IP flow verify was not answered: {fact.detail}")
        need(fact)
    found = compared(facts)
    said = azure_disagrees(facts)
    if said is not None:
        return unknown(f"{said} No network rule is written.", because="engine_disagrees")
    if found is None or found[1] is None:
        return skipped("the rules alone do not decide, so there is nothing to compare")
    azure = found[0]
    word = "Allow" if azure.allows else "Deny"
    hop = facts.network_watcher.reply_hop(asked.nic_id)
    back = (
        ""
        if isinstance(hop, Unavailable)
        else f"; replies go to {' '.join(filter(None, (hop.value.kind, hop.value.address)))}"
    )
    return passed(f"IP flow verify says {word} by {azure.rule or 'no named rule'}, as our engine does{back}")
