"""What the network does with RDP to one VM of an estate: who of the configured sources gets in, and who else."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from rdp_remediate.facts.network_addresses import ANY_IPV4, ANY_IPV6, Ranges, prefix_range
from rdp_remediate.facts.network_model import NetworkFacts, Vm
from rdp_remediate.network.arrival import NO_PUBLIC_ENTRY, Blocked, EntryKind
from rdp_remediate.network.decision import Decider, Decision, Layer, Verdict
from rdp_remediate.network.entries import Entry, entries, judge_of
from rdp_remediate.network.exposure import Admitted, admits_outside
from rdp_remediate.network.path import Judge, network
from rdp_remediate.network.prefixes import PUBLIC, intersect, subtract, union
from rdp_remediate.scanning.estate import Neighbourhood

_NOWHERE = (Decider(Layer.PATH, NO_PUBLIC_ENTRY),)
_WIDE_IPV4, _WIDE_IPV6 = 1 << 24, 1 << 120
"""A 256th of each address family: who admits more of the Internet than that is called open to it."""
_SHOWN = 64


@dataclass(frozen=True, slots=True)
class Lost:
    """Sources that don't get in, and what stops them at the first door."""

    sources: tuple[str, ...]
    addresses: int
    whole: bool
    verdict: Verdict
    deciders: tuple[Decider, ...]
    entry: Entry | None


@dataclass(slots=True)
class Judged:
    """One VM.

    Attributes:
        lost: Configured sources that can't get in.
        through_bastion: It has no public door and an Azure Bastion host gets to it.
        unclear: Why it is not known whether the sources get in.
        open: Doors that admit more than a 256th of the Internet outside the sources.
        others: Doors that admit other Internet addresses outside the sources.
        unclear_exposure: Why it is not known who else gets in.
    """

    vm: Vm
    has_sources: bool
    lost: list[Lost] = field(default_factory=list)
    through_bastion: bool = False
    unclear: tuple[str, ...] = ()
    open: list[Admitted] = field(default_factory=list)
    others: list[Admitted] = field(default_factory=list)
    unclear_exposure: tuple[str, ...] = ()


def judge_all(around: Neighbourhood, port: int, sources_of: Callable[[str], Sequence[str]]) -> Iterator[Judged]:
    """Judges every VM of a neighbourhood; their NSGs are compiled once."""
    for vm in around.vms:
        yield _judge(around, vm, port, tuple(sources_of(vm.arm_id)))


def _judge(around: Neighbourhood, vm: Vm, port: int, sources: tuple[str, ...]) -> Judged:
    own = around.own[vm.key]
    directory = network(own).directory
    doors = [door for door in entries(own, vm.key, port) if door.backend_port == port]
    unseen = [*directory.unread(directory.targets(vm.key), vm.key), *around.unseen]
    if vm.key in around.unseen_of:
        unseen.append(around.unseen_of[vm.key])
    judged = Judged(vm, bool(sources))
    reach = _Reach(around.facts, doors)
    for text in sources:
        reach.ask(text)
    if sources and not reach.through_bastion:
        hidden = [*unseen]
        if not reach.public:
            hidden += around.appliances
            hidden += reach.bastion_unclear
            hidden += _unread_vnets(around, own)
            hidden += ["a default route leads to an appliance or gateway, which may bring clients in"] * reach.appliance
        if hidden and (reach.lost or reach.unclear):
            judged.unclear = tuple(dict.fromkeys((*hidden, *reach.unclear)))
        else:
            judged.lost = reach.found()
            judged.unclear = () if judged.lost else tuple(dict.fromkeys(reach.unclear))
    judged.through_bastion = bool(sources) and reach.through_bastion
    # Bastion asks who its user is: its sessions are nobody else's.
    _expose(around.facts, judged, [door for door in doors if door.kind is not EntryKind.BASTION], port, sources)
    if unseen and not judged.open:
        judged.unclear_exposure = tuple(dict.fromkeys((*judged.unclear_exposure, *unseen)))
    return judged


def _unread_vnets(around: Neighbourhood, own: NetworkFacts) -> list[str]:
    """VNets of the VM that were not read: whether a Bastion host reaches it is not known."""
    subnets = {one.subnet for nic in own.nics.values() for one in nic.ip_configurations}
    vnets = {subnet.rsplit("/subnets/", 1)[0] for subnet in subnets}
    return [f"{vnet} could not be read" for vnet in sorted(vnets) if vnet not in around.facts.vnets]


@dataclass(slots=True)
class _Loss:
    """Sources that get lost for one reason."""

    verdict: Verdict
    deciders: tuple[Decider, ...]
    entry: Entry | None
    sources: list[str] = field(default_factory=list)
    addresses: int = 0
    whole: bool = True


class _Reach:
    """Who of some sources gets to a VM through any of its doors."""

    def __init__(self, facts: NetworkFacts, doors: Sequence[Entry]) -> None:
        judges = [(door, judge_of(facts, door)) for door in doors]
        self.public = any(door.public for door in doors)
        self.appliance = any(isinstance(judge, Judge) and bool(judge.scope.wide) for _, judge in judges)
        bastion = [
            judge.over(judge.arrival.sources or ())
            for door, judge in judges
            if door.kind is EntryKind.BASTION and isinstance(judge, Judge)
        ]
        self.through_bastion = not self.public and any(one.verdict is Verdict.ALLOW for one in bastion)
        self.bastion_unclear = [
            reason
            for one in bastion
            if one.verdict is Verdict.INDETERMINATE
            for reason in one.data_gaps or _undecided(one)
        ]
        self._judges = [(door, judge) for door, judge in judges if door.kind is not EntryKind.BASTION]
        self.lost: dict[tuple[object, ...], _Loss] = {}
        self.unclear: list[str] = []

    def found(self) -> list[Lost]:
        """What gets lost, in the order of the sources."""
        return [
            Lost(tuple(one.sources), one.addresses, one.whole, one.verdict, one.deciders, one.entry)
            for one in self.lost.values()
        ]

    def ask(self, text: str) -> None:
        """Follows one configured source."""
        span = prefix_range(text)
        if span is None:
            self.unclear.append(f"the configured source {text} is no prefix")
            return
        wanted: Ranges = (span,)
        allowed: list[Ranges] = []
        possible: list[Ranges] = []
        losses: list[tuple[Entry, Verdict, tuple[Decider, ...], Ranges]] = []
        reasons: list[str] = []
        for door, judge in self._judges:
            part = intersect(wanted, _family(door))
            if isinstance(judge, Blocked):
                if judge.verdict is Verdict.INDETERMINATE:
                    possible.append(part)
                    reasons += judge.gaps or (f"{door.resource_id} could not be followed",)
                else:
                    losses.append((door, judge.verdict, judge.deciders, part))
                continue
            for first, last, decision in judge.pieces(_gets_to(judge, part)):
                if decision.verdict is Verdict.ALLOW:
                    allowed.append(((first, last),))
                elif decision.verdict is Verdict.INDETERMINATE:
                    possible.append(((first, last),))
                    reasons += decision.data_gaps or _undecided(decision)
                else:
                    losses.append((door, decision.verdict, decision.deciders, ((first, last),)))
        missing = subtract(wanted, union(*allowed))
        blocked = subtract(missing, union(*possible))
        if blocked:
            self._lose(text, wanted, blocked, losses)
        elif missing:
            self.unclear += reasons

    def _lose(
        self,
        text: str,
        wanted: Ranges,
        blocked: Ranges,
        losses: Sequence[tuple[Entry, Verdict, tuple[Decider, ...], Ranges]],
    ) -> None:
        entry, verdict, deciders = next(
            ((door, verdict, by) for door, verdict, by, ranges in losses if intersect(ranges, blocked)),
            (None, Verdict.NO_PATH, _NOWHERE),
        )
        loss = self.lost.setdefault((entry, verdict, deciders), _Loss(verdict, deciders, entry))
        loss.sources.append(text)
        loss.addresses += sum(last - first + 1 for first, last in blocked)
        loss.whole = loss.whole and blocked == wanted


def _family(door: Entry) -> Ranges:
    return (ANY_IPV6,) if ":" in (door.address or door.private_address) else (ANY_IPV4,)


def _gets_to(judge: Judge, part: Ranges) -> Ranges:
    """The addresses that can dial this door at all with their own address.

    Which public address a private client leaves from is not known, so it is only followed to private doors.
    """
    outside = intersect(part, PUBLIC)
    if judge.arrival.public:
        return outside
    routed = subtract(judge.scope.virtual_network.yes, judge.scope.wide)
    return union(subtract(part, PUBLIC), intersect(outside, routed))


def _undecided(decision: Decision) -> tuple[str, ...]:
    names = ", ".join(dict.fromkeys(one.rule for one in decision.deciders)) or "the deciding rule"
    return (f"{names} can't be decided from what a scan reads",)


def _expose(facts: NetworkFacts, judged: Judged, doors: Sequence[Entry], port: int, sources: tuple[str, ...]) -> None:
    exposure = admits_outside(facts, doors, port, sources)
    unclear = list(exposure.unclear)
    by_door: dict[Entry, list[Admitted]] = {}
    for one in exposure.internet:
        if one.verdict is Verdict.ALLOW:
            by_door.setdefault(one.entry, []).append(one)
        else:
            judge = judge_of(facts, one.entry)
            gaps = () if isinstance(judge, Blocked) else (*judge.arrival.gaps, *judge.guarded.gaps)
            unclear += gaps or _undecided(Decision(one.verdict, one.deciders))
    for door, admitted in by_door.items():
        addresses = sum(one.addresses for one in admitted)
        whole = Admitted(
            door,
            Verdict.ALLOW,
            tuple(text for one in admitted for text in one.sources)[:_SHOWN],
            addresses,
            tuple(dict.fromkeys(by for one in admitted for by in one.deciders)),
        )
        wide = addresses > (_WIDE_IPV6 if ":" in (door.address or "") else _WIDE_IPV4)
        (judged.open if wide else judged.others).append(whole)
    judged.unclear_exposure = () if judged.open else tuple(dict.fromkeys(unclear))
