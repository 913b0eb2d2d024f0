"""What the triggers do: take a payload in, advance one run by one message, send what is due again, remove what has expired.

`function_app` binds these to triggers and adds nothing. Claim first, then advance, then one write, then the message: a
crash anywhere loses nothing and doubles nothing, and the one-minute timer resumes whatever fell between.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal
from uuid import uuid4

from rdp_remediate.errors import UsageError
from rdp_remediate.intake.alert import read_alert
from rdp_remediate.intake.event_grid import read_event_grid
from rdp_remediate.intake.ignored import Ignored
from rdp_remediate.intake.manual import read_manual
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Mode, Policy, Target
from rdp_remediate.models.incident import Incident, Kind, run_id
from rdp_remediate.models.plan import Outcome
from rdp_remediate.models.run import Done, Phase, Run, RunMessage, Wait
from rdp_remediate.ports import Clock, Ledger, Services
from rdp_remediate.settings import Settings
from rdp_remediate.store.ledger import MessageAction, message_action

ADVANCE_S = 240
"""How long one message works on a run; the function's own time-out is ten minutes."""

CLAIM_S = ADVANCE_S + 120

ONE_PHASE = timedelta(milliseconds=1)
"""`advance` hands a run back after the phase during which this passes, so that each phase is saved before the next."""

OpenServices = Callable[[], Awaitable[Services]]
Door = Literal["alert", "event_grid", "manual"]


@dataclass(frozen=True)
class Received:
    """What a payload led to: runs to work on, and what was left alone with its reason."""

    messages: list[RunMessage] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)


async def receive(
    door: Door,
    body: bytes | str,
    settings: Settings,
    ledger: Ledger,
    clock: Clock,
    *,
    request_id: str | None = None,
    requested_by: str | None = None,
) -> Received:
    """Reads a payload and stores a run for every incident in it; calls no ARM.

    Raises:
        PayloadError: The payload is malformed, too large or hostile; nothing was stored.
        StoreError: The store cannot be reached; the trigger's own retry brings the payload again.
    """
    own = frozenset(settings.own_principal_ids)
    outcomes: Sequence[Incident | Ignored]
    if door == "alert":
        outcomes = read_alert(body, rdp_alert_rules=frozenset(settings.rdp_alert_rules), own_principal_ids=own)
    elif door == "event_grid":
        outcomes = read_event_grid(body, own_principal_ids=own)
    else:
        outcomes = read_manual(
            body, request_id=request_id or uuid4().hex, received_at=clock.now(), requested_by=requested_by
        )
    received = Received(ignored=[one for one in outcomes if isinstance(one, Ignored)])
    for incident in outcomes:
        if isinstance(incident, Ignored):
            continue
        run = await ledger.create(new_run(incident, settings, clock))
        received.runs.append(run)
        received.messages.append(RunMessage(run_id=run.run_id, seq=run.seq))
    return received


def new_run(incident: Incident, settings: Settings, clock: Clock, vm_id: str | None = None) -> Run:
    """The run that an incident starts; without a VM id it first resolves its clue."""
    target_id = vm_id or incident.vm_id or ""
    clue = incident.clue.value if incident.clue else ""
    now = clock.now()
    return Run(
        run_id=run_id(target_id or clue, incident.event_id),
        target=Target(
            vm_id=target_id,
            client_address=incident.client_address,
            user=incident.user,
            principal_id=incident.principal_id,
            dialled_address=incident.dialled_address,
            dialled_port=incident.dialled_port,
        ),
        incident=incident,
        policy=Policy(sources=list(settings.sources_for(target_id)) if target_id else []),
        mode=Mode(settings.max_mode),
        ceiling=Mode(settings.max_mode),
        untagged=Mode(settings.untagged),
        tier=1 if incident.kind is Kind.HINT else 2,
        created_at=now,
        due_at=now,
    )


async def advance_one(
    message: RunMessage, open_services: OpenServices, *, advance_s: float = ADVANCE_S
) -> list[RunMessage]:
    """Works on one run for at most four minutes.

    Args:
        message: Which run, and which version of it the sender saw.
        open_services: Gives the ports.
        advance_s: How long to work on it at the most.

    Returns:
        The messages to send: the run itself when it can go on at once, or the runs that a clue led to.
    """
    from rdp_remediate.pipeline import advance  # noqa: PLC0415 - intake must not pay for it

    services = await open_services()
    ledger, clock = services.ledger, services.clock
    stored = await ledger.load(message.run_id)
    action = message_action(message, stored, clock.now())
    if stored is None or action in (MessageAction.DROP, MessageAction.LEAVE):
        return []
    if action is MessageAction.RESEND:
        return [RunMessage(run_id=stored.run_id, seq=stored.seq)]
    run = await ledger.claim(message.run_id, clock.now() + timedelta(seconds=CLAIM_S))
    if run is None:
        return []
    if not run.target.vm_id:
        return await _spread(run, services)
    if stored.seq == run.seq and stored.claimed_until is not None:
        run = await _recover(run, services)
    end = clock.now() + timedelta(seconds=advance_s)
    while run is not None:
        # Saved after every phase: what a lost process had begun is then read from the row, not begun again.
        saved = await ledger.save(await advance(run, services, clock.now() + ONE_PHASE))
        if saved.phase is Phase.DONE or (saved.due_at is not None and saved.due_at > end):
            return []
        if clock.now() >= end:
            return [RunMessage(run_id=saved.run_id, seq=saved.seq)] if _due(saved, clock) else []
        run = await ledger.claim(saved.run_id, clock.now() + timedelta(seconds=CLAIM_S))
        if saved.due_at is not None:
            await clock.sleep((saved.due_at - clock.now()).total_seconds())
    return []


async def _recover(run: Run, services: Services) -> Run:
    """Takes up what a lost process left: its parked operation is waited for, its open journal rows are closed.

    What such a row intended may have happened or not: it is never repeated, the next pass looks.
    """
    from rdp_remediate.journal import finish  # noqa: PLC0415 - intake must not pay for it
    from rdp_remediate.parking import next_pass  # noqa: PLC0415

    parked = await _parked(run, services)
    acted = False
    for entry in await services.ledger.journal(run.run_id):
        if entry.outcome is Outcome.INTENDED and (
            parked is None or entry.step.layer != _CLOSES.get(str(parked.purpose))
        ):
            detail = "the process ended before the answer came"
            await finish(services, entry, Outcome.OUTCOME_UNKNOWN, detail=detail)
        acted = acted or (entry.pass_number == run.pass_number and entry.outcome not in _DID_NOTHING)
    if parked is not None:
        # Whatever phase was saved last: the lost process had gone on to here.
        return run.model_copy(update={"phase": Phase.WAIT, "wait": parked, "resume": Phase.ACT, "due_at": None})
    # What this pass had seen is older than what was done in it.
    return next_pass(run) if acted else run


_DID_NOTHING = (Outcome.NOT_STARTED, Outcome.STALE, Outcome.REFUSED)

_CLOSES = {
    "repair": "guest",
    # Before deallocate_vm: a start that was sent after it is the newer operation of the two.
    "start_vm": "platform",
    "restart_vm": "platform",
    "redeploy_vm": "platform",
    "reapply_vm": "platform",
    "deallocate_vm": "platform",
    "vm_access": "platform",
    "delete_extension": "platform",
}
"""The layer whose journal rows the end of an operation closes."""


async def _parked(run: Run, services: Services) -> Wait | None:
    """The operation of this pass that changes something and has not ended, by the ids that the pipeline parks under."""
    for purpose in _CLOSES:
        operation_id = f"{run.run_id}-{purpose}-{run.pass_number}"
        if await services.ledger.get_operation(operation_id) is not None:
            return Wait.model_validate({"kind": "operation", "operation_id": operation_id, "purpose": purpose})
    return None


def _due(run: Run, clock: Clock) -> bool:
    return run.due_at is None or run.due_at <= clock.now()


async def _spread(run: Run, services: Services) -> list[RunMessage]:
    """Turns a run that only has a clue into one run for each VM behind it."""
    from rdp_remediate.resolution import resolve  # noqa: PLC0415 - intake must not pay for it

    if run.incident.clue is None:
        raise UsageError(f"run {run.run_id} names neither a VM nor a clue")
    found = await resolve(run.incident.clue, services.reads, services.subscriptions)
    messages = []
    for vm_id in found.vm_ids:
        started = await services.ledger.create(new_run(run.incident, services.settings, services.clock, vm_id))
        messages.append(RunMessage(run_id=started.run_id, seq=started.seq))
    reason = f"led to {', '.join(found.vm_ids)}" if found.vm_ids else found.problem or "no VM stands behind it"
    kind: Literal["judged", "not_applicable"] = "judged" if found.vm_ids else "not_applicable"
    ended = run.model_copy(update={"phase": Phase.DONE, "due_at": None, "done": Done(kind=kind, reason=reason)})
    await services.ledger.save(ended)
    return messages


async def sweep(ledger: Ledger, clock: Clock) -> list[RunMessage]:
    """The runs that are due and that nobody works on: their messages are sent again."""
    return [RunMessage(run_id=run.run_id, seq=run.seq) async for run in ledger.due(clock.now())]


_EXPIRED = {Outcome.UNDONE: "removed", Outcome.STALE: "left in place: somebody changed it, so it is no longer ours"}


async def expire(services: Services) -> list[str]:
    """Removes the NSG rules whose time is over and that are still exactly ours, and managed Run Commands that were left.

    Returns:
        What became of each.
    """
    from rdp_remediate.child_steps import undo_child  # noqa: PLC0415 - intake must not pay for it
    from rdp_remediate.parked import delete_left_run_commands  # noqa: PLC0415

    said = []
    async for entry in services.ledger.expired(services.clock.now()):
        name = str(entry.step.target.get("name"))
        if services.settings.kill_switch or await services.ledger.killed():
            said.append(f"rule {name}: left in place, the kill switch is on")
            continue
        outcome = await undo_child(services, entry)
        if outcome in (Outcome.UNDONE, Outcome.STALE):
            # A rule that somebody changed is theirs now; it is named once and never looked at again.
            await services.ledger.forget_opening(entry)
        said.append(f"rule {name}: {_EXPIRED.get(outcome, 'still there, it is tried again')}")
    return [*said, *[f"Run Command {one}" for one in await delete_left_run_commands(services)]]


async def approve(ledger: Ledger, run_id_: str, step_id: str, person: str) -> RunMessage:
    """Notes a person's approval of a waiting step; the message wakes the run.

    Raises:
        UsageError: There is no such run, it does not wait, or the step is not among those that wait.
    """
    run = await ledger.approve(run_id_, step_id, person)
    return RunMessage(run_id=run.run_id, seq=run.seq)


async def status(open_services: OpenServices, run_id_: str) -> JsonObject | None:
    """How a run stands, with its report once there is one; None for an unknown run."""
    from rdp_remediate.pipeline import report_of  # noqa: PLC0415 - intake must not pay for it

    services = await open_services()
    run = await services.ledger.load(run_id_)
    if run is None:
        return None
    shown: dict[str, Any] = {
        "schema": "rdp-remediate/status/1",
        "run_id": run.run_id,
        "vm_id": run.target.vm_id,
        "phase": run.phase.value,
        "pass": run.pass_number,
        "waits_for": run.wait.kind if run.wait else None,
        "done": run.done.model_dump(mode="json") if run.done else None,
        "report": None,
    }
    if run.bundles and (run.phase is Phase.DONE or (run.wait is not None and run.wait.kind == "approval")):
        report = await report_of(run, services)
        shown["report"] = report.model_dump(mode="json", by_alias=True)
    return shown


@dataclass(frozen=True)
class BootPicture:
    """A picture of a VM's console and its media type."""

    picture: bytes
    media_type: str


async def boot_picture(ledger: Ledger, run_id_: str) -> BootPicture | None:
    """The boot picture that a run saw last; None when there is no such run or it kept none.

    Raises:
        StoreError: The store did not answer.
    """
    from rdp_remediate.facts.boot import picture_type  # noqa: PLC0415 - intake must not pay for it

    # A run id comes from outside and becomes a part of a blob's name: only that of a run is taken.
    if await ledger.load(run_id_) is None:
        return None
    picture = await ledger.picture(run_id_)
    kind = None if picture is None else picture_type(picture)
    return None if picture is None or kind is None else BootPicture(picture, kind)
