"""Reads whole subscriptions in bulk and judges every VM: who of the configured sources gets in, and who else.

The result is an overview. Resource Graph lags minutes behind: nothing here decides about a write or verifies one.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rdp_remediate.models.bundle import UnavailableFact
from rdp_remediate.models.fact import Reason, Unavailable
from rdp_remediate.models.inventory import InventoryKind
from rdp_remediate.models.report import PathDecider
from rdp_remediate.models.scan import Exposed, Scan, ScanCounts, ScanEntry, Undetermined, Unreachable
from rdp_remediate.network.decision import Decider
from rdp_remediate.network.entries import Entry
from rdp_remediate.network.exposure import Admitted
from rdp_remediate.ports import Inventory
from rdp_remediate.scanning.estate import Estate
from rdp_remediate.scanning.judgement import Judged, judge_all

LIMITS = (
    "Read through Azure Resource Graph, which lags minutes behind and shows only what this sign-in may read: an overview, "
    "never the basis of a change or the proof of one; `rdp-remediate diagnose VM` reads the VM itself.",
    "Security admin rules of Azure Virtual Network Manager are not read: they may close what is shown as open, or open "
    "what is shown as closed.",
    "DNAT rules of firewalls and appliances, routes that gateways announce, service tags, just-in-time requests, Windows "
    "itself and VM scale sets in uniform mode are not read.",
)
"""What a scan never sees."""


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """How far a scan is; `total` None while it is not known."""

    stage: str
    done: int
    total: int | None


@dataclass(frozen=True, slots=True)
class ScanQuestion:
    """What is asked.

    Attributes:
        subscriptions: Subscription ids.
        sources_of: The configured sources of a VM, by its ARM id.
        port: The VM-side port on which RDP is expected.
    """

    subscriptions: Sequence[str]
    sources_of: Callable[[str], Sequence[str]]
    port: int = 3389


@dataclass(slots=True)
class _Found:
    """The result while it grows."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ScanCounts.model_fields, 0))
    unreachable: list[Unreachable] = field(default_factory=list)
    open: list[Exposed] = field(default_factory=list)
    others: list[Exposed] = field(default_factory=list)
    undetermined: list[Undetermined] = field(default_factory=list)

    def add(self, judged: Judged) -> None:
        vm_id, counts = judged.vm.arm_id, self.counts
        self.unreachable += [
            Unreachable(
                vm_id=vm_id,
                sources=list(one.sources),
                addresses=one.addresses,
                whole=one.whole,
                verdict=one.verdict.value,
                deciders=_deciders(one.deciders),
                entry=None if one.entry is None else _entry(one.entry),
            )
            for one in judged.lost
        ]
        self.open += [_exposed(vm_id, one) for one in judged.open]
        self.others += [_exposed(vm_id, one) for one in judged.others]
        if judged.unclear:
            self.undetermined.append(Undetermined(vm_id=vm_id, question="reachable", reasons=list(judged.unclear)))
        if judged.unclear_exposure:
            reasons = list(judged.unclear_exposure)
            self.undetermined.append(Undetermined(vm_id=vm_id, question="exposed", reasons=reasons))
        counts["virtual_machines"] += 1
        counts["unreachable"] += bool(judged.lost)
        counts["open_to_internet"] += bool(judged.open)
        counts["undetermined"] += bool(judged.unclear or judged.unclear_exposure)
        counts["through_bastion"] += judged.through_bastion
        counts["without_sources"] += not judged.has_sources
        known = judged.has_sources and not (judged.lost or judged.unclear or judged.through_bastion)
        counts["reachable"] += known


async def scan(
    inventory: Inventory, question: ScanQuestion, progress: Callable[[ScanProgress], None] = lambda _: None
) -> Scan:
    """Reads and judges. Never raises for Azure's answers: what could not be read stands in the result.

    Args:
        inventory: The bulk reads.
        question: What is asked.
        progress: Gets live progress; also called from the thread that judges.
    """
    began = time.perf_counter()
    estate = Estate()
    requests: dict[str, int] = {}
    done: dict[InventoryKind, int] = {}
    totals: dict[InventoryKind, int | None] = {}

    async def read(kind: InventoryKind) -> None:
        async for page in inventory.pages(kind, question.subscriptions):
            if isinstance(page, Unavailable):
                estate.unread[kind] = page
                requests[kind.value] = requests.get(kind.value, 0) + (page.reason is not Reason.TRUNCATED)
                continue
            requests[kind.value] = requests.get(kind.value, 0) + 1
            # Other pages are under way meanwhile; one thread at a time takes pages in.
            async with taking_in:
                await asyncio.to_thread(estate.add, kind, page.value)
            done[kind] = done.get(kind, 0) + len(page.value.resources)
            totals[kind] = page.value.total
            known = None if len(totals) < len(InventoryKind) else sum(one or 0 for one in totals.values())
            progress(ScanProgress("reading", sum(done.values()), known))

    taking_in = asyncio.Lock()
    async with asyncio.TaskGroup() as group:
        for kind in InventoryKind:
            group.create_task(read(kind))
    read_s = time.perf_counter() - began
    read_at = datetime.now(UTC)
    found = await asyncio.to_thread(_judge, estate, question, progress)
    return Scan(
        read_at=read_at,
        subscriptions=list(question.subscriptions),
        port=question.port,
        counts=ScanCounts(**{**found.counts, "not_windows": estate.not_windows}),
        unreachable=found.unreachable,
        open_to_internet=found.open,
        other_sources=found.others,
        undetermined=found.undetermined,
        unavailable=_unavailable(estate, question.subscriptions),
        limits=list(LIMITS),
        requests={kind.value: requests.get(kind.value, 0) for kind in InventoryKind},
        timings_s={"read": round(read_s, 3), "judge": round(time.perf_counter() - began - read_s, 3)},
    )


def _judge(estate: Estate, question: ScanQuestion, progress: Callable[[ScanProgress], None]) -> _Found:
    found, total = _Found(), len(estate.vms)
    for around in estate.neighbourhoods():
        for judged in judge_all(around, question.port, question.sources_of):
            found.add(judged)
            count = found.counts["virtual_machines"]
            if count % 100 == 0 or count == total:
                progress(ScanProgress("judging", count, total))
    for listed in (found.unreachable, found.open, found.others, found.undetermined):
        listed.sort(key=lambda one: one.vm_id.lower())
    return found


def _unavailable(estate: Estate, subscriptions: Sequence[str]) -> list[UnavailableFact]:
    listed = [
        UnavailableFact(fact=f"inventory.{kind.value}", reason=why.reason.value, detail=why.detail)
        for kind, why in estate.unread.items()
    ]
    if InventoryKind.SUBSCRIPTIONS in estate.unread:
        return listed
    # Resource Graph leaves out what the caller may not read without a word, whole subscriptions too.
    return listed + [
        UnavailableFact(
            fact="inventory.subscriptions",
            resource_id=f"/subscriptions/{one}",
            reason=Reason.NOT_FOUND.value,
            detail="Resource Graph shows no such subscription to this sign-in: it does not exist, or the role Reader "
            "is missing there.",
        )
        for one in subscriptions
        if one.lower() not in estate.visible
    ]


def _entry(one: Entry) -> ScanEntry:
    return ScanEntry(kind=one.kind.value, address=one.address, port=one.port)


def _deciders(found: Sequence[Decider]) -> list[PathDecider]:
    return [
        PathDecider(layer=one.layer.value, rule=one.rule, priority=one.priority, resource_id=one.resource_id or None)
        for one in found
    ]


def _exposed(vm_id: str, one: Admitted) -> Exposed:
    return Exposed(
        vm_id=vm_id,
        entry=_entry(one.entry),
        sources=list(one.sources),
        addresses=one.addresses,
        deciders=_deciders(one.deciders),
    )
