"""Which NSG layers deny the client, and how: what the checks of the edge and network hops name."""

import re
from dataclasses import dataclass
from typing import Any

from rdp_remediate.facts.arm_names import named
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError
from rdp_remediate.facts.network_addresses import EVERY_PORT
from rdp_remediate.models.fact import Reason, Unavailable
from rdp_remediate.models.report import Confidence
from rdp_remediate.network.decision import Decision, Explanation, Layer, Match, TraceRow, Verdict
from rdp_remediate.network.question import Question, ask, told

JIT_RULE = re.compile(r"^SecurityCenter-JITRule[-_]", re.IGNORECASE)
"""Names that Defender gives to its rules; allow and deny differ by access, not by spelling (network-semantics.md 5)."""

DENY_ALL = "denyallinbound"


@dataclass(frozen=True)
class LayerDenial:
    """One NSG layer that denies one client.

    Attributes:
        layer: subnet or nic.
        nsg_id: ARM id of the NSG.
        rule: Name of the deciding rule.
        priority: Its priority.
        by_default: DenyAllInBound decides: nobody wrote a deny.
        jit: Defender's just-in-time rule decides.
        client: The client that is denied.
    """

    layer: Layer
    nsg_id: str
    rule: str
    priority: int | None
    by_default: bool
    jit: bool
    client: str


def denials(facts: Facts) -> tuple[LayerDenial, ...]:
    """Every NSG layer that denies a client of the question, also the one behind a layer that already denies.

    Raises:
        UnseenError: Nobody wrote a deny, and it could not be seen whether RDP is offered on another port that is open.
    """
    found: list[LayerDenial] = []
    for client, explanation in told(facts):
        for layer in (Layer.SUBNET, Layer.NIC):
            row = _deciding(explanation, layer)
            if row is None or row.access.lower() != "deny":
                continue
            default, jit = row.rule.lower() == DENY_ALL, bool(JIT_RULE.match(row.rule))
            found.append(LayerDenial(layer, nsg_of(row), row.rule, row.priority, default, jit, client))
    unsure = ask(facts).unsure_port
    if unsure is not None and found and all(denial.by_default for denial in found):
        raise UnseenError(unsure)
    return tuple(found)


def _deciding(explanation: Explanation, layer: Layer) -> TraceRow | None:
    """The rule that decides a layer; where a view leaves several possible, the one that the whole decision names."""
    rows = [row for row in explanation.trace if row.layer is layer and row.decides]
    named = {one.rule.lower() for one in explanation.decision.deciders if one.layer is layer}
    firm = explanation.decision.verdict is Verdict.DENY
    return next((row for row in rows if firm and row.rule.lower() in named), rows[0] if rows else None)


def nsg_layers(facts: Facts) -> set[Layer]:
    """The NSG layers on the path of the question."""
    return {
        row.layer
        for _, explanation in told(facts)
        for row in explanation.trace
        if row.layer in (Layer.SUBNET, Layer.NIC)
    }


def other_clients_allowed(facts: Facts, denial: LayerDenial) -> str | None:
    """A written allow rule of that layer for the same port that names other addresses than the client's, or None.

    A rule for a service tag does not count: it was not written for clients on the Internet (trap 32).

    Raises:
        UnseenError: There is such a rule, and its NSG could not be read.
    """
    for client, explanation in told(facts):
        if client != denial.client:
            continue
        for row in explanation.trace:
            if row.layer is not denial.layer or row.access.lower() != "allow" or row.source is not Match.NO:
                continue
            fits = (row.protocol, row.source_port, row.destination, row.destination_port)
            if all(match is Match.YES for match in fits):
                if denial.nsg_id.lower() not in facts.network.nsgs:
                    # Effective rules show a tag as the addresses behind it; only the NSG tells which of them was written.
                    raise UnseenError(facts.network.why("resource", denial.nsg_id.lower()))
                if _names_addresses(facts, denial.nsg_id, row.rule):
                    return row.rule
    return None


def judged(question: Question) -> tuple[tuple[str, Decision], ...]:
    """The decisions of a question that came to an end.

    Raises:
        UnseenError: There is no client to judge, or a decision stays open for want of evidence.
    """
    if not question.decisions:
        why = "neither the client's address nor any source is known"
        raise UnseenError(Unavailable(Reason.NOT_COLLECTED, why, "target.client_address"))
    for client, decision in question.decisions:
        if decision.verdict is Verdict.INDETERMINATE:
            gaps = "; ".join(decision.data_gaps) or "rules that cannot be judged lead to different ends"
            raise UnseenError(Unavailable(Reason.NOT_COLLECTED, f"the path of {client} stays open: {gaps}", "path"))
    return question.decisions


def confidence_of(decision: Decision) -> Confidence:
    """A denial stands as likely while the admin rules before it are unread (DESIGN section 4)."""
    return Confidence.LIKELY if decision.admin_unread else Confidence.CONFIRMED


def connection(question: Question, denial: LayerDenial) -> dict[str, Any]:
    """What the commands of By hand name: the NSG, the client, the VM's address and the port."""
    return {
        "client": denial.client,
        "port": question.port,
        "private_address": question.entry.private_address if question.entry is not None else "",
        **named(nsg=denial.nsg_id),
    }


def nsg_of(row: TraceRow) -> str:
    """The ARM id of the NSG that a rule of a trace belongs to."""
    return nsg_of_id(row.resource_id)


def nsg_of_id(resource_id: str) -> str:
    """The ARM id of the NSG that a rule's id lies in."""
    marker = "/networksecuritygroups/"
    lower = resource_id.lower()
    if marker not in lower:
        return resource_id
    end = lower.find("/", lower.index(marker) + len(marker))
    return resource_id if end < 0 else resource_id[:end]


def _names_addresses(facts: Facts, nsg_id: str, rule_name: str) -> bool:
    nsg = facts.network.nsgs.get(nsg_id.lower())
    rule = next((r for r in nsg.rules if r.name.lower() == rule_name.lower()), None) if nsg else None
    if rule is None or rule.is_default or rule.source.tags or not rule.source.ranges:
        return False
    # A rule for every port was written for a network, not for RDP.
    return rule.destination_ports.ranges != EVERY_PORT
