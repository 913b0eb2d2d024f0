"""Does the user's network let the browser open a WebSocket to Bastion?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped, unexplained
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Confidence, Hop
from rdp_remediate.network.arrival import EntryKind
from rdp_remediate.network.client_vantage import NO_CHECK, not_given
from rdp_remediate.network.question import ask


@check(hop=Hop.ENDPOINT, faults=("bastion-websocket-blocked",), requires=("bastion_reaches_the_vm",))
def browser_gets_websockets(facts: Facts) -> Outcome:
    """The user's network lets the browser open a WebSocket to Bastion.

    Why: Bastion's session in the browser is a WebSocket on port 443; a proxy that knows only plain web traffic ends it, and the
        page loads with a black screen.
    Evidence: the client check's WebSocket request to the Bastion host (--bastion). Only a connection that was ended on that request
        counts; an error page may be the proxy's or Bastion's own and is left open.
    By hand:
        * bastion-websocket-blocked: page loads and screen stays black: allow WebSockets to *.bastion.azure.com on TCP 443 in the
          client's proxy, or try from another network.
    See: https://learn.microsoft.com/azure/bastion/troubleshoot
    """
    question = ask(facts)
    if question.entry is None or question.entry.kind is not EntryKind.BASTION:
        return skipped("no Bastion session")
    if not_given(facts):
        return skipped(NO_CHECK)
    client = need(facts.client)
    tried = need(client.part("bastion", client.check.bastion))
    where = f"{tried.host}:{tried.port}"
    if tried.outcome == "answered" and " 101" in tried.detail[:13]:
        return passed(f"{where} opened a WebSocket to the user's computer")
    if tried.outcome in ("closed", "reset"):
        return failed(
            "bastion-websocket-blocked",
            f"The connection to {where} was ended ({tried.outcome}) when the user's computer asked for a WebSocket.",
            confidence=Confidence.LIKELY,
        )
    return unexplained(f"The user's computer got {tried.outcome} from {where} ({tried.detail or 'no more was said'}).")
