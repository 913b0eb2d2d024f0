"""What separates the user's computer and network from the VM: one check of the computer against all that was seen here.

Reachable from elsewhere but not for the user is the client or the edge. Reachable from nowhere is judged by the other
hops. The check is a claim, so nothing that follows from it is ever more than likely.
"""

from dataclasses import dataclass
from typing import Literal

from rdp_remediate.facts.client_check import ClientFacts
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.network_addresses import address_number, address_text
from rdp_remediate.models.client_check import Attempt
from rdp_remediate.models.fact import Fact, Reason, Unavailable
from rdp_remediate.models.report import ProbeView, Proof
from rdp_remediate.network.decision import Verdict
from rdp_remediate.network.path import network
from rdp_remediate.network.proof import reachability
from rdp_remediate.network.question import ask

NO_CHECK = "nobody ran the client check"

RdpOut = Literal["open", "blocked", "unknown"]


def not_given(facts: Facts) -> bool:
    """Nobody ran the check; then the question does not arise. A broken check is another thing: it is unavailable."""
    return isinstance(facts.client, Unavailable) and facts.client.reason is Reason.NOT_COLLECTED


@dataclass(frozen=True)
class ClientVantage:
    """What the check shows of the connection that the user makes.

    Attributes:
        client: The check.
        entry: The address that Azure shows for the entry that the user means; None: it has none of its own.
        tried: The user's own connection.
        same_entry: It went to that address and to the port that is judged.
        answers: One sentence on what shows that RDP answers and that the way to it is open; None: nothing shows it.
        missing: What is missing for that.
    """

    client: ClientFacts
    entry: str | None
    tried: Fact[Attempt]
    same_entry: bool
    answers: str | None
    missing: str

    @property
    def rdp_out(self) -> RdpOut:
        """Whether the RDP port gets out of the user's network to anywhere else; a control host may simply not listen."""
        check = self.client.check
        others = [one for one in (check.second_rdp, check.control_rdp) if one is not None]
        if any(one.connected for one in others):
            return "open"
        silent = [one for one in others if one.outcome in ("timeout", "unreachable")]
        return "blocked" if silent and len(silent) == len(others) else "unknown"


def client_vantage(facts: Facts, client: ClientFacts) -> ClientVantage:
    """Sets the user's connection beside what this product saw itself."""
    question = ask(facts)
    tried = client.part("target", client.check.target)
    entry = question.entry.address if question.entry else None
    same = (
        not isinstance(tried, Unavailable)
        and tried.value.address is not None
        and question.same_entry(_plain(tried.value.address), tried.value.port)
    )
    proof = reachability(facts)
    changed = _changed_since(facts, client)
    if changed is not None:
        return ClientVantage(client, entry, tried, same, None, changed)
    answers = proof.detail if proof.proof is not Proof.NONE else _answered(facts)
    return ClientVantage(client, entry, tried, same, answers, proof.detail)


_VERDICTS = {
    "timeout": "filtered",
    "refused": "refused",
    "unreachable": "unreachable",
    "reset": "no_answer",
    "closed": "no_answer",
    "no_answer": "no_answer",
    "not_rdp": "not_rdp",
}


def client_view(facts: Facts) -> ProbeView | None:
    """The user's own connection beside the probes, or None where no check tells of it. A claim: it proves nothing by itself."""
    if isinstance(facts.client, Unavailable):
        return None
    state = client_vantage(facts, facts.client.value)
    if isinstance(state.tried, Unavailable):
        return None
    tried, changed = state.tried.value, _changed_since(facts, facts.client.value)
    allowed = state.same_entry and ask(facts).allowed
    proves: Literal["answered", "nothing", "expected_filtered"] = "expected_filtered"
    detail = changed or "the rules that were read do not clearly let the user in"
    if not state.same_entry:
        detail = "it tried another address or port than the one that is judged"
    elif changed is None and tried.answered:
        proves, detail = "answered", "RDP answered the user's computer, as its check says"
    elif changed is None and allowed and tried.outcome in _VERDICTS:
        proves, detail = "nothing", f"the user's computer got {tried.outcome}"
    return ProbeView(
        vantage="client",
        source_address=facts.target.client_address,
        address=tried.address or tried.host,
        port=tried.port,
        outcome=tried.outcome,
        verdict="ok" if tried.answered else _VERDICTS.get(tried.outcome, "error"),
        path_verdict=Verdict.ALLOW.value if allowed else None,
        proves=proves,
        detail=detail,
    )


def _changed_since(facts: Facts, client: ClientFacts) -> str | None:
    """That the network or the VM was changed after the check, so that what answers now may not have answered then."""
    if isinstance(facts.changes, Unavailable):
        return None
    kinds = ("microsoft.network/", "microsoft.compute/virtualmachines/")
    later = [one for one in facts.changes.value if one.at > client.at and one.operation.lower().startswith(kinds)]
    if not later:
        return None
    last = later[-1]
    name = last.resource_id.rsplit("/", 1)[-1]
    return f"{last.operation} changed {name} after the client check; run it again"


def own_addresses(facts: Facts) -> set[str]:
    """Every address of the VM that ARM shows on its entries and NICs."""
    found = {
        address_text(configuration.private_address)
        for nic in facts.network.nics.values()
        if nic.vm == facts.target.vm_id.lower()
        for configuration in nic.ip_configurations
        if configuration.private_address is not None
    }
    question = ask(facts)
    return found | ({question.entry.address} if question.entry and question.entry.address else set())


def names_the_vm(facts: Facts, host: str) -> bool:
    """The name is the DNS name of a public address that ARM shows, so Azure says what it leads to."""
    return address_number(host) is None and network(facts.network).directory.dialled(host) is not None


def is_address(host: str) -> bool:
    """Whether the user dials an address and no name."""
    return address_number(host) is not None or ":" in host


def _answered(facts: Facts) -> str | None:
    """That the VM itself answered RDP to a probe of ours, and that the path engine lets the asker in."""
    if not ask(facts).allowed:
        return None
    view = next((one for one in reachability(facts).probes if one.proves == "answered" and one.verdict == "ok"), None)
    return None if view is None else view.detail


def _plain(address: str) -> str:
    number = address_number(address)
    return address if number is None else address_text(number)
