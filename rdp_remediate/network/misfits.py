"""Allow rules that were meant for this connection and miss it by one field: port, protocol, direction or destination.

DenyAllInBound decides in all these cases, so the corrected rule would win. Source: faults.md 3.4, network-semantics 1.3-1.7.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.network_addresses import Ranges, address_number
from rdp_remediate.facts.network_model import Rule
from rdp_remediate.facts.network_words import Access, Direction, Transport
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.network.arrival import EntryKind
from rdp_remediate.network.decision import Layer, Match, TraceRow, Verdict
from rdp_remediate.network.denials import DENY_ALL, LayerDenial, denials, nsg_of
from rdp_remediate.network.prefixes import contains, is_public
from rdp_remediate.network.question import DEFAULT_PORT, Question, ask, told

_RDP_NAME = re.compile(r"RDP(?![A-Z])|Rdp(?![a-z])|(?<![A-Za-z])rdp(?![a-z])|[Rr]emote[-_ ]?[Dd]esktop|(?i:mstsc)")
_MANY_PORTS = 1000


class Flaw(StrEnum):
    """The one field by which a rule misses the connection."""

    PORT = "port"
    PROTOCOL = "protocol"
    SOURCE_PORT = "source port"
    DIRECTION = "direction"
    PUBLIC_DESTINATION = "public destination"
    GROUP = "application security group"


@dataclass(frozen=True, slots=True)
class Misfit:
    """One written allow rule that misses the connection.

    Attributes:
        denial: The layer that drops the client for want of a rule.
        rule: The rule as the evidence shows it.
    """

    denial: LayerDenial
    rule: Rule
    flaw: Flaw


@lru_cache(maxsize=16)
def misfits(facts: Facts) -> tuple[Misfit, ...]:
    """For each layer and client that DenyAllInBound drops, the rule that was meant to admit it; none: nobody wrote one."""
    question = ask(facts)
    if question.entry is None or question.entry.kind is EntryKind.BASTION:
        return ()
    found = [_misfit(facts, question, denial) for denial in denials(facts) if denial.by_default]
    return (*(one for one in found if one is not None), *_by_source_port(facts))


def misfit_of(facts: Facts, denial: LayerDenial) -> Misfit | None:
    """The rule that was meant for a denied client, or None."""
    return next((one for one in misfits(facts) if one.denial == denial), None)


def _misfit(facts: Facts, question: Question, denial: LayerDenial) -> Misfit | None:
    rules = {rule.name.lower(): rule for rule in _rules(facts, denial) if not rule.is_default}
    for row in _rows(facts, denial):
        rule = rules.get(row.rule.lower())
        if rule is None or rule.access is not Access.ALLOW:
            continue
        flaw = _flaw(facts, question, rule, row)
        if flaw is not None:
            return Misfit(denial, rule, flaw)
    # Rules for other protocols and outbound ones are never asked about an inbound TCP connection.
    for rule in sorted(rules.values(), key=lambda one: one.priority or 0):
        if rule.access is not Access.ALLOW or not _fits_but_for_its_kind(facts, question, rule, denial):
            continue
        if rule.direction is Direction.OUTBOUND and rule.transport in (Transport.TCP, Transport.ANY):
            return Misfit(denial, rule, Flaw.DIRECTION)
        if rule.direction is Direction.INBOUND and rule.transport is Transport.OTHER:
            return Misfit(denial, rule, Flaw.PROTOCOL)
    return None


def _by_source_port(facts: Facts) -> Iterable[Misfit]:
    """Rules that admit a handful of the client's random ports: by chance once in thousands of connections."""
    for client, explanation in told(facts):
        if explanation.decision.verdict is not Verdict.INDETERMINATE:
            continue
        for layer in (Layer.SUBNET, Layer.NIC):
            deciding = [row for row in explanation.trace if row.layer is layer and row.decides]
            last = next((row for row in deciding if row.rule.lower() == DENY_ALL), None)
            doubtful = [row for row in deciding if row is not last]
            if last is None or not doubtful or not all(_only_source_port(row) for row in doubtful):
                continue
            denial = LayerDenial(layer, nsg_of(last), last.rule, last.priority, True, False, client)
            rules = {rule.name.lower(): rule for rule in _rules(facts, denial)}
            rule = rules.get(doubtful[0].rule.lower())
            if rule is not None and _size(rule.source_ports.ranges) <= _MANY_PORTS:
                yield Misfit(denial, rule, Flaw.SOURCE_PORT)


def _only_source_port(row: TraceRow) -> bool:
    rest = (row.protocol, row.source, row.destination, row.destination_port)
    return row.access.lower() == "allow" and row.source_port is not Match.YES and all(m is Match.YES for m in rest)


def _rows(facts: Facts, denial: LayerDenial) -> Iterable[TraceRow]:
    for client, explanation in told(facts):
        if client == denial.client:
            yield from (row for row in explanation.trace if row.layer is denial.layer)


def _rules(facts: Facts, denial: LayerDenial) -> Iterable[Rule]:
    nsg = facts.network.nsgs.get(denial.nsg_id.lower())
    if nsg is not None:
        return nsg.rules
    effective = (one for groups in facts.network.effective_rules.values() for one in groups)
    return next((one.rules for one in effective if one.nsg_id.lower() == denial.nsg_id.lower()), ())


def _flaw(facts: Facts, question: Question, rule: Rule, row: TraceRow) -> Flaw | None:
    # Effective rules don't show who belongs to a group; the NIC does.
    foreign = bool(rule.destination.groups) and not rule.destination.ranges and row.destination is not Match.YES
    fields = {
        Flaw.SOURCE_PORT: row.source_port,
        Flaw.PUBLIC_DESTINATION: Match.NO if foreign and not _is_member(facts, question, rule) else row.destination,
        Flaw.PORT: row.destination_port,
    }
    wrong = [flaw for flaw, match in fields.items() if match is Match.NO]
    if (
        row.protocol is not Match.YES
        or row.source is not Match.YES
        or len(wrong) != 1
        or any(m is Match.UNKNOWN for m in fields.values())
    ):
        return None
    speaks_of_rdp = _speaks_of_rdp(rule)
    narrow = _size(rule.destination_ports.ranges) <= _MANY_PORTS
    if wrong[0] is Flaw.PORT:
        return Flaw.PORT if _meant(facts, question, rule, speaks_of_rdp=speaks_of_rdp) else None
    if wrong[0] is Flaw.SOURCE_PORT:
        return Flaw.SOURCE_PORT
    if foreign:
        return Flaw.GROUP if narrow or speaks_of_rdp else None
    if any(contains(rule.destination.ranges, number) for number in _public_addresses(facts, question)):
        return Flaw.PUBLIC_DESTINATION
    return None


def _meant(facts: Facts, question: Question, rule: Rule, *, speaks_of_rdp: bool) -> bool:
    """Whether a rule for other ports was written for RDP: by its name, or by a port on which RDP is, was or is dialled."""
    ports = {DEFAULT_PORT, question.dialled_port}
    if not isinstance(question.guest_port, Unavailable):
        ports.add(question.guest_port.value)
    if facts.target.dialled_port is not None:
        ports.add(facts.target.dialled_port)
    others = ports - {question.port}
    few = _size(rule.destination_ports.ranges) <= _MANY_PORTS
    return speaks_of_rdp or (few and any(contains(rule.destination_ports.ranges, port) for port in others))


def _fits_but_for_its_kind(facts: Facts, question: Question, rule: Rule, denial: LayerDenial) -> bool:
    """Whether an outbound or non-TCP rule reads like the one that is missing: from the client, to the VM, on the RDP port.

    A rule for every port is a rule for something else, a ping for example, unless its name speaks of RDP.
    """
    client, entry = address_number(denial.client), question.entry
    own = address_number(entry.private_address) if entry is not None else None
    if client is None or entry is None or own is None:
        return False
    from_client = contains(rule.source.ranges, client) or ("internet" in rule.source.tags and is_public(client))
    to_vm = (
        contains(rule.destination.ranges, own)
        or "virtualnetwork" in rule.destination.tags
        or _is_member(facts, question, rule)
    )
    named = _size(rule.destination_ports.ranges) <= _MANY_PORTS or _speaks_of_rdp(rule)
    return from_client and to_vm and named and contains(rule.destination_ports.ranges, question.port)


def _is_member(facts: Facts, question: Question, rule: Rule) -> bool:
    """Whether the dialled IP configuration belongs to a group that a rule names as destination."""
    own = question.entry.ip_configuration_id.lower() if question.entry is not None else ""
    configurations = [one for nic in facts.network.nics.values() for one in nic.ip_configurations]
    return any(one.key == own and set(one.groups) & set(rule.destination.groups) for one in configurations)


def _speaks_of_rdp(rule: Rule) -> bool:
    return bool(_RDP_NAME.search(f"{rule.name} {rule.description}"))


def _public_addresses(facts: Facts, question: Question) -> set[int]:
    """The public addresses by which this VM is dialled, as numbers."""
    found = {ip.address for ip in facts.network.public_ips.values() if ip.address is not None}
    entry = question.entry
    dialled = address_number(entry.address) if entry is not None and entry.public and entry.address else None
    return found if dialled is None else {*found, dialled}


def _size(ranges: Ranges) -> int:
    return sum(last - first + 1 for first, last in ranges)
