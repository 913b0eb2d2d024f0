"""Does the user's own computer let RDP out?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Confidence, Hop
from rdp_remediate.network.client_vantage import NO_CHECK, client_vantage, not_given


@check(hop=Hop.CLIENT, faults=("client-local-security-software",), requires=("vm_is_running",))
def client_computer_lets_rdp_out(facts: Facts) -> Outcome:
    """The user's computer itself lets RDP out.

    Why: a firewall rule or security software on the user's computer can stop every RDP connection before it reaches a network.
    Evidence: the client check's own connection, and its firewall rules and security products as far as they can be read.
    By hand:
        * client-local-security-software: have the owner of the computer's policy allow mstsc.exe out to TCP <port>; on a computer
          that nobody manages look for the rule in `wf.msc`, Outbound Rules. Whether another computer beside it gets in is the
          test. Do not switch the firewall off for good.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/detailed-troubleshoot-rdp
    """
    if not_given(facts):
        return skipped(NO_CHECK)
    client = need(facts.client)
    state = client_vantage(facts, client)
    tried = need(state.tried)
    if tried.outcome == "local_denied":
        return failed(
            "client-local-security-software",
            f"The user's computer itself refused to open the connection to {tried.host}:{tried.port}.",
            confidence=Confidence.LIKELY,
            port=tried.port,
        )
    if tried.connected:
        return passed("the user's computer opened the connection")
    local = need(client.part("local_firewall", client.check.local_firewall))
    if not local.outbound_blocks:
        return passed("no rule of the user's computer that was read blocks this port")
    rules = "; ".join(local.outbound_blocks)
    if state.answers is None or not state.same_entry:
        return unknown(
            f"The user's computer blocks the port outwards ({rules}), but it is not shown that RDP answers: {state.missing}.",
            because="RDP is not proven",
        )
    return failed(
        "client-local-security-software",
        f"RDP answers, but a firewall of the user's own computer blocks the port outwards: {rules}.",
        confidence=Confidence.LIKELY,
        port=tried.port,
        rules=rules,
    )
