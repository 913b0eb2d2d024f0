"""Does the network that the user sits in let RDP out?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped, unexplained
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Confidence, Hop
from rdp_remediate.network.client_vantage import NO_CHECK, client_vantage, not_given
from rdp_remediate.network.question import ask


@check(hop=Hop.EDGE, faults=("edge-outbound-rdp-blocked",), requires=("vm_is_running",))
def network_of_the_user_lets_rdp_out(facts: Facts) -> Outcome:
    """The network that the user sits in lets RDP out.

    Why: offices and hotels often let only web traffic out. Then RDP answers everybody else, and nothing in Azure is wrong.
    Evidence: the client check's connection to the VM, to a control address and to a second RDP host, against our own probe or the
        guest's, with the path engine's decision for the user.
    By hand:
        * edge-outbound-rdp-blocked: ask the user's network team to let TCP <port> out to <address>, or connect through Azure Bastion
          (port 443) or a VPN. From a phone's hotspot it should work; that is the test. Never widen the NSG for this.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/detailed-troubleshoot-rdp
    """
    if not_given(facts):
        return skipped(NO_CHECK)
    client = need(facts.client)
    state = client_vantage(facts, client)
    tried = need(state.tried)
    if tried.connected:
        return passed("the user's connection got out")
    local = client.check.local_firewall
    if tried.outcome == "local_denied" or (local is not None and local.outbound_blocks and state.same_entry):
        return skipped("client_computer_lets_rdp_out")
    said = f"The user's computer got {tried.outcome} from {tried.address or tried.host}:{tried.port}"
    if not state.same_entry:
        return unexplained(
            f"{said}, which is not the entry that was judged here ({state.entry}:{ask(facts).dialled_port})."
        )
    if not ask(facts).allowed:
        return unexplained(
            f"{said}; Azure's own rules do not clearly let the user in, so this says nothing about the user's network."
        )
    if state.answers is None:
        return unexplained(f"{said}; it is not shown either that RDP answers anybody else: {state.missing}.")
    web = client.check.control_https
    if web is not None and not web.connected:
        return unexplained(
            f"{said}; it does not reach {web.host}:{web.port} either, so it may have no Internet at all."
        )
    if state.rdp_out == "open":
        return unexplained(
            f"{said}, though RDP gets out of the user's network to another host and {state.answers}; ask the user's network team "
            "for a rule about this address."
        )
    if state.rdp_out == "blocked" and web is not None:
        seen = f"its web traffic gets out, the RDP port to other hosts does not, and {state.answers}"
    else:
        # Without another host as comparison the network and the computer are not told apart; the network is the usual one.
        seen = f"{state.answers}. Run the client check with --control and --second-rdp to tell the network from the computer"
    return failed(
        "edge-outbound-rdp-blocked",
        f"{said}: {seen}.",
        confidence=Confidence.LIKELY,
        address=state.entry or "",
        port=tried.port,
    )
