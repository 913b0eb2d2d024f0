"""What shows that RDP answers, and to whom: end to end, composed from parts, or not at all.

An answer from another machine, or of unknown identity, proves nothing. A filtered probe whose own source the path engine
denies proves nothing either (DESIGN section 4).
"""

from dataclasses import dataclass
from typing import Literal

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.network_addresses import address_number, address_text
from rdp_remediate.facts.probes import ProbeFact
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.report import ProbeView, Proof
from rdp_remediate.network import guest_firewall
from rdp_remediate.network.decision import Decision, Flow, Verdict
from rdp_remediate.network.path import decide, network
from rdp_remediate.network.probe_identity import Met, identify, remarks
from rdp_remediate.network.question import Question, ask, guest_admission

Proves = Literal["end_to_end", "answered", "nothing", "engine_disagrees", "expected_filtered"]


@dataclass(frozen=True)
class Reachability:
    """The strongest proof at hand, one sentence about it, and every probe with what it proves."""

    proof: Proof
    detail: str
    probes: tuple[ProbeView, ...]


def reachability(facts: Facts) -> Reachability:
    """Weighs the probes and the parts that speak for a working RDP."""
    question = ask(facts)
    views = tuple(_view(facts, question, probe) for probe in facts.probes)
    elsewhere = _dialled_elsewhere(facts, question)
    if elsewhere is not None:
        return Reachability(Proof.NONE, elsewhere, views)
    for view in views:
        if view.proves == "end_to_end":
            return Reachability(
                Proof.END_TO_END,
                f"X.224 and TLS handshake with {view.address}:{view.port}; {view.detail}",
                views,
            )
    composed = _contradicted(question, views) or _composed(facts, question)
    if composed.startswith("+"):
        return Reachability(Proof.COMPOSED, composed[1:], views)
    said = "; ".join(view.detail for view in views) or "no endpoint could be probed"
    return Reachability(Proof.NONE, f"{said}; {composed[1:]}", views)


def _dialled_elsewhere(facts: Facts, question: Question) -> str | None:
    """That the client dials an address that was not judged, so that nothing shown here is about its connection; else None."""
    claimed = (facts.target.dialled_address or "").strip().strip("[]")
    number = network(facts.network).directory.dialled(claimed) if claimed else None
    entry = question.entry
    if number is None or entry is None or entry.address in (None, address_text(number)):
        return None
    return f"the client dials {address_text(number)}; what was judged is {entry.address}"


def _view(facts: Facts, question: Question, probe: ProbeFact) -> ProbeView:
    decision = (
        decide(facts.network, Flow(probe.source_address, probe.address, probe.port, vm_id=facts.target.vm_id))
        if probe.source_address
        else None
    )
    proves, detail = _proves(facts, question, probe, decision)
    return ProbeView(
        vantage=probe.vantage,
        source_address=probe.source_address,
        address=probe.address,
        port=probe.port,
        outcome=probe.outcome,
        verdict=probe.verdict,
        path_verdict=decision.verdict.value if decision else None,
        proves=proves,
        detail=detail,
        result={"thumbprint": probe.thumbprint, "computer_name": probe.computer_name},
        findings=list(remarks(facts, probe)),
    )


def _proves(facts: Facts, question: Question, probe: ProbeFact, decision: Decision | None) -> tuple[Proves, str]:
    expected_closed = decision is None or decision.verdict is not Verdict.ALLOW
    if not probe.answered:
        if expected_closed and probe.verdict in ("filtered", "no_answer", "refused", "unreachable"):
            said = (
                f"the path engine says {decision.verdict.value} for it" if decision else "its own address is not known"
            )
            return "expected_filtered", f"our probe got {probe.outcome}, but {said}, so this proves nothing"
        return "nothing", f"our probe got {probe.outcome} from {probe.address}:{probe.port}"
    if decision is not None and decision.verdict in (Verdict.DENY, Verdict.NO_PATH, Verdict.BLACKHOLE):
        return "engine_disagrees", f"our probe connected although the path engine says {decision.verdict.value} for it"
    identity = identify(facts, probe)
    if identity.met is Met.INTERCEPTED:
        return (
            "answered",
            f"{probe.address}:{probe.port} answered through something that terminates TLS: {identity.how}",
        )
    if identity.met is Met.OTHER:
        return "answered", f"another machine answered on {probe.address}:{probe.port}: {identity.how}"
    if identity.met is Met.UNKNOWN:
        why = f" ({identity.how})" if identity.how else ""
        return "answered", f"{probe.address}:{probe.port} answered X.224; whether it is this VM is not proven{why}"
    if not probe.handshake:
        return "answered", f"{probe.address}:{probe.port} answered X.224 but no TLS handshake was made"
    if decision is None:
        return "answered", "the VM answered; our own address is not known, so it is not shown that the client gets in"
    if not question.same_entry(probe.address, probe.port) or not question.allowed:
        return "answered", "the VM answered us; the path engine does not allow the client the same way"
    ours = {(one.layer, one.rule, one.resource_id) for one in decision.deciders}
    theirs = [{(one.layer, one.rule, one.resource_id) for one in client.deciders} for _, client in question.decisions]
    if decision.verdict is not Verdict.ALLOW or any(rules != ours for rules in theirs):
        return "answered", "the VM answered us, but it is not shown that the same rules let the client in"
    return "end_to_end", f"the answer is the VM's own ({identity.how})"


def _contradicted(question: Question, views: tuple[ProbeView, ...]) -> str | None:
    """'-' and the probe that the path engine allows by the client's entry and that got no answer, or None.

    The parts cannot speak for a whole that was tried and did not answer.
    """
    for view in views:
        admitted = view.proves == "nothing" and view.path_verdict == Verdict.ALLOW.value
        if admitted and question.same_entry(view.address, view.port):
            return "-although the path engine allows this probe, so the parts alone prove nothing"
    return None


def _composed(facts: Facts, question: Question) -> str:
    """'+' and the composed proof, or '-' and what is missing for it."""
    if not question.allowed:
        return "-the path engine does not allow the client"
    own = facts.guest.self_probe
    if isinstance(own, Unavailable):
        return f"-the guest's own port was not probed ({own.detail})"
    if own.value.x224 != "answered":
        return f"-the guest's own port {own.value.port} did not answer X.224 (tcp {own.value.tcp})"
    if not _own_address(facts, own.value.address) or own.value.port != question.port:
        return "-the guest probed another address or port than the one that the client reaches"
    admission = guest_admission(facts)
    if isinstance(admission, Unavailable):
        return f"-the guest firewall could not be read ({admission.detail})"
    if admission.value.admission is not guest_firewall.Admission.ALLOW:
        return f"-the guest firewall does not admit the client ({admission.value.because.value})"
    return (
        f"+the path engine allows {', '.join(question.clients)}, the guest's own port {own.value.port} answers X.224 and its "
        "firewall admits the client; not probed from outside"
    )


def _own_address(facts: Facts, text: str) -> bool:
    address = address_number(text)
    nics = [nic for nic in facts.network.nics.values() if nic.vm == facts.target.vm_id.lower()]
    return address is not None and any(c.private_address == address for nic in nics for c in nic.ip_configurations)
