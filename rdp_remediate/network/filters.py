"""Joins what each filter may do with a packet into one verdict.

Where data is missing a filter has several possible courses. Each is followed to its end; the verdict is firm when all
ends are the same, else INDETERMINATE, and the deciders of every course are named.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from rdp_remediate.facts.network_words import Access
from rdp_remediate.network.decision import Decider, Layer, Verdict
from rdp_remediate.network.tables import CompiledRule, Outcome, RuleTable

UNREADABLE: tuple[Outcome, ...] = ((Access.ALLOW, None), (Access.DENY, None))
NO_NSG = Decider(Layer.PLATFORM, "no-nsg")
STANDARD_NO_NSG = Decider(Layer.PLATFORM, "standard-no-nsg")
NOTHING: tuple[Outcome, ...] = ((None, None),)


@dataclass(frozen=True, slots=True, eq=False)
class Filtered:
    """What the filters do: a verdict and everything that may have decided it."""

    verdict: Verdict
    deciders: tuple[Decider, ...]
    problems: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()


@dataclass(slots=True)
class _Ends:
    """Collects the ends of all courses; deciders keep their order and stand once."""

    deciders: dict[Verdict, dict[Decider, None]] = field(default_factory=dict)
    guessed: dict[Decider, None] = field(default_factory=dict)
    problems: dict[str, None] = field(default_factory=dict)

    def add(self, verdict: Verdict, deciders: Iterable[Decider]) -> None:
        self.deciders.setdefault(verdict, {}).update(dict.fromkeys(deciders))


def decider(layer: Layer, rule: CompiledRule) -> Decider:
    """The decider of a rule."""
    return Decider(layer, rule.rule.name, rule.rule.priority, rule.rule.arm_id)


def join_admin(standing: Iterable[Iterable[tuple[Outcome, ...]]]) -> tuple[Outcome, ...]:
    """The courses of the admin layer: a higher manager decides first, managers of equal standing fork."""
    out: dict[Outcome, None] = {}
    for tables in standing:
        found = list(tables)
        deciding = [tuple(o for o in outcomes if o[0] is not None) for outcomes in found]
        for outcomes in deciding:
            out.update(dict.fromkeys(outcomes))
        if any((None, None) not in outcomes for outcomes in found):
            return tuple(out)
    out[None, None] = None
    return tuple(out)


def combine(
    admin: tuple[Outcome, ...],
    subnet: tuple[Outcome, ...] | None,
    nic: tuple[Outcome, ...] | None,
    *,
    closed: bool | None,
    has_nsg: bool,
    guessing: bool = False,
) -> Filtered:
    """The verdict of admin rules, platform default and both NSG layers.

    Args:
        admin: Courses of the admin layer.
        subnet: Courses of the subnet's NSG; None when there is none.
        nic: Courses of the NIC's NSG; None when there is none.
        closed: Whether this entry is closed without an NSG (Standard); None when the SKU is not known.
        has_nsg: Whether it is certain that some NSG, read or not, is there.
        guessing: Whether VirtualNetwork may or may not hold the source, for want of routes; if a route adds it, the
            same route takes the reply another way, so such a course never ends in a connection.
    """
    ends = _Ends()
    for access, rule in admin:
        own = () if rule is None else (decider(Layer.ADMIN, rule),)
        _problems(ends, rule)
        if access is Access.DENY:
            ends.add(Verdict.DENY, own)
        elif access is Access.ALWAYS_ALLOW:
            if not has_nsg and closed is not False:
                ends.add(Verdict.INDETERMINATE, (*own, STANDARD_NO_NSG))
            else:
                ends.add(Verdict.ALLOW, own)
        elif subnet is None and nic is None:
            if closed is not True:
                ends.add(Verdict.ALLOW, (*own, NO_NSG))
            if closed is not False:
                ends.add(Verdict.DENY, (STANDARD_NO_NSG,))
        else:
            _nsgs(ends, own, subnet, nic, guessing=guessing)
    assumptions: tuple[str, ...] = ()
    if ends.guessed:
        if set(ends.deciders) <= {Verdict.DENY}:
            assumptions = ("no route that was not read covers the client; if one does, its reply gets lost",)
        else:
            ends.add(Verdict.INDETERMINATE, ends.guessed)
    deciders = tuple(dict.fromkeys(one for listed in ends.deciders.values() for one in listed))
    verdict = next(iter(ends.deciders)) if len(ends.deciders) == 1 else Verdict.INDETERMINATE
    return Filtered(verdict, deciders, tuple(ends.problems), assumptions)


def _problems(ends: _Ends, rule: CompiledRule | None) -> None:
    if rule is not None and rule.rule.problems:
        ends.problems.update(dict.fromkeys(f"{rule.rule.name}: {problem}" for problem in rule.rule.problems))


def _nsgs(
    ends: _Ends,
    own: tuple[Decider, ...],
    subnet: tuple[Outcome, ...] | None,
    nic: tuple[Outcome, ...] | None,
    *,
    guessing: bool,
) -> None:
    for subnet_access, subnet_rule in subnet if subnet is not None else NOTHING:
        _problems(ends, subnet_rule)
        first = () if subnet_rule is None else (decider(Layer.SUBNET, subnet_rule),)
        guessed = guessing and subnet_rule is not None and subnet_rule.guess
        if subnet_access is Access.DENY:
            ends.add(Verdict.DENY, first)
            continue
        for nic_access, nic_rule in nic if nic is not None else NOTHING:
            _problems(ends, nic_rule)
            second = () if nic_rule is None else (decider(Layer.NIC, nic_rule),)
            if nic_access is Access.DENY:
                ends.add(Verdict.DENY, second)
            elif guessed or (guessing and nic_rule is not None and nic_rule.guess):
                ends.guessed.update(dict.fromkeys((*own, *first, *second)))
            else:
                ends.add(Verdict.ALLOW, (*own, *first, *second))


def reconcile(plain: Filtered, effective: Filtered | None) -> Filtered:
    """One answer of two views: the effective rules where they are firm; ALLOW only where both allow or one was not read."""
    if effective is None:
        return plain
    if effective.verdict is Verdict.INDETERMINATE:
        if plain.verdict is not Verdict.ALLOW:
            return plain
        both = tuple(dict.fromkeys((*plain.deciders, *effective.deciders)))
        said = "the NSG resources say ALLOW, the effective rules leave it open"
        return Filtered(Verdict.INDETERMINATE, both, (*effective.problems, said), plain.assumptions)
    if plain.verdict in (effective.verdict, Verdict.INDETERMINATE):
        return effective
    said = f"the NSG resources say {plain.verdict.value}, the effective rules say {effective.verdict.value}"
    if effective.verdict is Verdict.ALLOW:
        both = tuple(dict.fromkeys((*effective.deciders, *plain.deciders)))
        return Filtered(Verdict.INDETERMINATE, both, (*plain.problems, said), effective.assumptions)
    return Filtered(effective.verdict, effective.deciders, (*effective.problems, said), effective.assumptions)


def slow_outcomes(rules: Iterable[CompiledRule], matches: Iterable[str], table: RuleTable) -> tuple[Outcome, ...]:
    """The courses of a table when each rule's match is given, without bit vectors: for `explain`."""
    out: list[Outcome] = []
    pairs = sorted(
        zip(rules, matches, strict=True),
        key=lambda pair: -1 if pair[0].rule.priority is None else pair[0].rule.priority,
    )
    position = 0
    while position < len(pairs):
        priority = pairs[position][0].rule.priority
        group = []
        while position < len(pairs) and pairs[position][0].rule.priority == priority:
            group.append(pairs[position])
            position += 1
        hits = [(rule, match) for rule, match in group if match != "no"]
        for rule, _ in hits:
            accesses = table.unknown_access if rule.rule.access is Access.UNKNOWN else (rule.rule.access,)
            out.extend((access, rule) for access in accesses)
        if any(match == "yes" for _, match in hits):
            return tuple(out)
    return (*out, (None, None))
