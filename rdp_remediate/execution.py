"""Execution: compare and set, with a journal row before every call. Never decides what to do; the plan does.

A call whose answer was lost is read and compared, never repeated. Every write is shielded: a cancelled caller does not
cut it in half.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rdp_remediate.child_steps import CHILDREN, undo_child, write_child
from rdp_remediate.facts.platform import power_word, read_vm
from rdp_remediate.journal import finish
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Mode
from rdp_remediate.models.fact import Fact, Unavailable
from rdp_remediate.models.plan import RESTARTS, WAIT, JournalEntry, Outcome, Plan, Step
from rdp_remediate.models.run import Run
from rdp_remediate.network.marker import read_marker
from rdp_remediate.ports import (
    Completed,
    GuestRequest,
    OutcomeUnknown,
    Progress,
    Rejected,
    Services,
    Started,
    WriteOutcome,
)

SETTLED = (Outcome.APPLIED, Outcome.ALREADY_TRUE)
WAIT_TRIES = 10
"""How often a run looks again, `settle_s` apart, at something that ends by itself."""
KILLED = "the kill switch is on"
CLOSES = ("narrow_nsg_rule",)
EARLY = (*CLOSES, "outbound_rule")
"""Network steps that open no way in: they come before everything inside Windows."""
REPAIR_SECONDS = 60


@dataclass(frozen=True)
class Ready:
    """What of a plan may run now, and what holds the rest back."""

    platform: tuple[Step, ...] = ()
    guest: tuple[Step, ...] = ()
    network: tuple[Step, ...] = ()
    waiting: tuple[Step, ...] = ()
    looks_again: bool = False

    @property
    def any(self) -> bool:
        """Something may run, or the run waits for what ends by itself."""
        return bool(self.platform or self.guest or self.network or self.looks_again)


def ready(run: Run, journal: Sequence[JournalEntry]) -> Ready:
    """Sorts a plan's steps: an approved or unattended step may run once; the network waits for all inner steps.

    The door stays shut while an inner step waits, failed or is unknown. While something ends by itself nothing runs; when
    the run has looked often enough, the power of the VM stays untouched all the same.
    """
    planned = (run.plan or Plan()).steps
    if run.mode not in (Mode.APPROVE, Mode.AUTO):
        return Ready()
    unsettled_by_itself = any(step.kind == WAIT and step.expected != step.desired for step in planned)
    if unsettled_by_itself and run.waits < WAIT_TRIES:
        return Ready(looks_again=True)
    steps = [s for s in planned if s.kind != WAIT and not (unsettled_by_itself and s.layer == "platform")]
    last = {entry.step.step_id: entry for entry in journal}
    open_steps = [s for s in steps if s.step_id not in last or _again(last[s.step_id], run)]
    may = [s for s in open_steps if s.step_id in run.approved or (run.mode is Mode.AUTO and s.approval is None)]
    # A group runs whole or not at all: half a fix is none.
    held = {s.group for s in open_steps if s not in may}
    may = [s for s in may if s.group not in held]
    waiting = tuple(s for s in open_steps if s not in may)
    platform = tuple(s for s in may if s.layer == "platform")
    if platform:
        return Ready(platform=platform, waiting=waiting)
    early = tuple(s for s in may if s.kind in EARLY)
    if early:
        return Ready(network=early, waiting=waiting)
    guest = tuple(s for s in may if s.layer == "guest")
    # A restart or a tidying-up that nobody approved leaves nothing half open inside, so it does not keep the door shut.
    inner = [s for s in steps if s.layer != "network" and s.kind not in (*RESTARTS, "reapply_vm", "delete_extension")]
    settled = {step_id for step_id, entry in last.items() if entry.outcome in SETTLED}
    unsettled = [s for s in inner if s not in guest and s.step_id not in settled]
    network = tuple(s for s in may if s.layer == "network")
    if guest or unsettled:
        # Asked again once the guest steps have ended: a stale or failed one keeps the door shut.
        return Ready(guest=guest, waiting=(*waiting, *network))
    return Ready(guest=guest, network=network, waiting=waiting)


def _again(entry: JournalEntry, run: Run) -> bool:
    """A fresh plan that still holds a stale or lost step is new evidence that it did not take effect."""
    return entry.outcome is Outcome.STALE or (
        entry.outcome is Outcome.OUTCOME_UNKNOWN and entry.pass_number < run.pass_number
    )


async def intend(run: Run, services: Services, steps: Sequence[Step]) -> list[JournalEntry]:
    """Writes the journal rows of steps that pass the brakes; a step that does not pass gets a row that says why."""
    entries: list[JournalEntry] = []
    held: dict[str, str] = {}
    for step in steps:
        braked = held.get(step.group) or await _brake(run, services, step)
        if braked:
            held[step.group] = braked
        now = services.clock.now()
        entry = await services.ledger.append(
            JournalEntry(
                run_id=run.run_id,
                vm_id=run.target.vm_id,
                number=0,
                pass_number=run.pass_number,
                step=step,
                outcome=Outcome.NOT_STARTED if braked else Outcome.INTENDED,
                before=step.expected,
                detail=braked,
                started_at=now,
                ended_at=now if braked else None,
                approved_by=run.approved.get(step.step_id),
                expires_at=_expiry(step),
            )
        )
        if not braked:
            await services.ledger.count_write()
            entries.append(entry)
    for entry in entries:
        if entry.step.group in held:
            await finish(services, entry, Outcome.NOT_STARTED, detail=held[entry.step.group])
    return [entry for entry in entries if entry.step.group not in held]


def _expiry(step: Step) -> datetime | None:
    """When an NSG rule of ours ends, as its description says."""
    if step.kind != "security_rule" or not isinstance(step.desired, dict):
        return None
    properties = step.desired.get("properties")
    marker = read_marker(str(properties.get("description") or "")) if isinstance(properties, dict) else None
    return marker.expires_at if marker else None


async def killed(services: Services) -> bool:
    """Whether the kill switch is on, in the settings or in the store."""
    return services.settings.kill_switch or await services.ledger.killed()


async def _brake(run: Run, services: Services, step: Step) -> str | None:
    ledger = services.ledger
    if await killed(services):
        return KILLED
    if await ledger.writes_left() <= 0:
        return "this installation has used up its writes for this hour"
    until = await ledger.cooldown(run.target.vm_id, step.fix)
    if until is not None and until > services.clock.now():
        return f"{step.fix} rests on this VM until {until:%Y-%m-%d %H:%M}Z"
    return None


def restarted(journal: Sequence[JournalEntry]) -> bool:
    """Whether this run has sent a restart of the VM, or may have."""
    sent = (Outcome.APPLIED, Outcome.OUTCOME_UNKNOWN, Outcome.INTENDED)
    return any(entry.step.kind in RESTARTS and entry.outcome in sent for entry in journal)


async def power_changed(run: Run, services: Services, step: Step) -> str | None:
    """Why the VM is not as the plan of a restart saw it, or None: it is."""
    present = await services.reads.resource(run.target.vm_id)
    if isinstance(present, Unavailable):
        return f"the VM could not be read before the restart: {present.detail}"
    try:
        machine = read_vm(present.value)
    except (KeyError, TypeError):
        return "the VM could not be read before the restart"
    now = power_word(machine)
    return None if now == step.expected else f"the VM was {step.expected} when this was planned and is {now} now"


async def extension_changed(services: Services, step: Step) -> str | None:
    """Why an extension is not the failed one that the plan saw, or None: it is."""
    name = str(step.target["extension"])
    present = await services.reads.resource(f"{step.target['vm_id']}/extensions/{name}")
    if isinstance(present, Unavailable):
        return f"the extension {name} could not be read before it was to be removed: {present.detail}"
    properties = present.value.get("properties")
    state = str(properties.get("provisioningState", "")) if isinstance(properties, dict) else ""
    return None if state.lower() == "failed" else f"the extension {name} is {state or 'in an unknown state'} now"


async def start_repair(
    run: Run, services: Services, entries: Sequence[JournalEntry], address: str | None, location: str | None
) -> WriteOutcome:
    """Sends all guest steps of a pass in ONE Run Command."""
    for entry in entries:
        services.progress(Progress("guest", entry.step.title))
    request = GuestRequest(
        run_id=run.run_id,
        script="repair",
        attempt=run.attempt("repair"),
        location=location,
        managed_because=run.managed_because,
        user=run.target.user,
        self_address=address,
        deadline_s=REPAIR_SECONDS,
        allow_domain_controller=run.policy.tags.get("rdp-remediate-domain-controller") == "allow",
        steps=[_guest_step(entry.step) for entry in entries],
    )
    return await asyncio.shield(services.guest.start(run.target.vm_id, request))


def _guest_step(step: Step) -> JsonObject:
    return {
        "id": step.step_id,
        "group": step.group,
        "kind": step.kind,
        "target": step.target,
        "expected": step.expected,
        "desired": step.desired,
        "sessions": step.sessions,
    }


async def finish_repair(services: Services, entries: Sequence[JournalEntry], answer: Fact[JsonObject]) -> None:
    """Completes the rows of a repair from what the guest says it did; without an answer they stay unknown."""
    rows: dict[str, JsonObject] = {}
    if not isinstance(answer, Unavailable):
        repair = answer.value.get("repair")
        steps = repair.get("steps") if isinstance(repair, dict) else None
        rows = {str(row.get("id")): row for row in steps or [] if isinstance(row, dict)}
    why = answer.detail if isinstance(answer, Unavailable) else "the guest's answer does not mention this step"
    for entry in entries:
        row = rows.get(entry.step.step_id)
        if row is None:
            await finish(services, entry, Outcome.OUTCOME_UNKNOWN, detail=why)
            continue
        word = row.get("outcome")
        outcome = Outcome(str(word)) if word in Outcome.__members__.values() else Outcome.OUTCOME_UNKNOWN
        await finish(services, entry, outcome, after=row.get("after"), detail=row.get("detail"))


async def run_network(services: Services, entries: Sequence[JournalEntry]) -> None:
    """Runs network steps one after another; a failed one undoes what its group has already done, in reverse."""
    done: dict[str, list[JournalEntry]] = {}
    broken: set[str] = set()
    for entry in entries:
        group = entry.step.group
        if group in broken:
            await finish(services, entry, Outcome.NOT_STARTED, detail="an earlier step of this fix did not succeed")
            continue
        if await killed(services):
            # Undoing would be a change as well; what stands is ours, and it expires.
            await finish(services, entry, Outcome.NOT_STARTED, detail=KILLED)
            continue
        services.progress(Progress("network", entry.step.title))
        outcome = await _network_step(services, entry)
        if outcome in SETTLED:
            if outcome is Outcome.APPLIED:
                done.setdefault(group, []).append(entry)
            continue
        broken.add(group)
        for earlier in reversed(done.pop(group, [])):
            # A rule that was narrowed stays narrow: half of it closed is no half-opened door.
            if earlier.step.kind in CHILDREN and earlier.step.kind not in CLOSES:
                await undo_child(services, earlier)


async def _network_step(services: Services, entry: JournalEntry) -> Outcome:
    step = entry.step
    if step.kind in CHILDREN:
        return await write_child(services, entry)
    asked = services.writes.initiate_jit(str(step.target["policy_id"]), step.desired)
    return await _settle(services, entry, await asyncio.shield(asked))


async def _settle(services: Services, entry: JournalEntry, written: WriteOutcome) -> Outcome:
    """Completes a row of an acting POST that needs no reading back."""
    after: Any
    detail: str | None
    match written:
        case Completed(value=value):
            outcome, after, detail = Outcome.APPLIED, value, None
        case Started():
            outcome, after, detail = Outcome.APPLIED, None, "accepted; it takes effect within a minute"
        case Rejected(code=code, detail=text):
            outcome, after, detail = Outcome.FAILED, None, f"{code}: {text}"
        case OutcomeUnknown(detail=text):
            outcome, after, detail = Outcome.OUTCOME_UNKNOWN, None, text
    await finish(services, entry, outcome, after=after, detail=detail)
    return outcome


async def settle(services: Services, endpoints: Sequence[tuple[str, int]]) -> None:
    """After a network change waits until the opened endpoint answers, for at most `settle_s`: rules take seconds to reach hosts."""
    deadline = services.clock.now() + timedelta(seconds=services.settings.settle_s)
    while endpoints and services.clock.now() < deadline:
        results = [await services.prober.probe(address, port) for address, port in endpoints]
        if any(result.get("verdict") in ("ok", "degraded") for result in results):
            return
        await services.clock.sleep(5.0)
