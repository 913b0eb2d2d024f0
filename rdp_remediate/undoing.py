"""Undo inside Windows: the same steps with expected and desired exchanged, in reverse order, in one Run Command."""

from collections.abc import Sequence

from rdp_remediate.journal import finish
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.plan import JournalEntry, Outcome
from rdp_remediate.ports import GuestRequest, OutcomeUnknown, Progress, Rejected, Services, Started

UNDO_SECONDS = 60
LONGEST_S = 600.0


async def undo_guest(services: Services, entries: Sequence[JournalEntry]) -> None:
    """Puts back what the steps of a run set, where it is still what they set; what changed since is left alone.

    Args:
        services: The ports.
        entries: Applied guest steps in the order in which they ran; what cannot be undone says so in its row.
    """
    undoable = [entry for entry in reversed(entries) if entry.step.undoable]
    for entry in entries:
        if not entry.step.undoable:
            await finish(services, entry, Outcome.APPLIED, after=entry.after, detail="this step cannot be taken back")
    if not undoable:
        return
    run_id = f"{undoable[0].run_id}-undo"
    steps = [
        {
            "id": entry.step.step_id,
            "group": f"undo-{entry.step.step_id}",
            "kind": entry.step.kind,
            "target": entry.step.target,
            "expected": entry.step.desired,
            "desired": entry.step.expected,
            "sessions": None,
        }
        for entry in undoable
    ]
    services.progress(Progress("guest", f"undoing {len(steps)} steps inside Windows"))
    request = GuestRequest(run_id=run_id, script="repair", deadline_s=UNDO_SECONDS, steps=steps)
    state = await services.guest.start(undoable[0].vm_id, request)
    began = services.clock.now()
    while isinstance(state, Started):
        if (services.clock.now() - began).total_seconds() > LONGEST_S:
            state = OutcomeUnknown(f"Run Command did not end within {LONGEST_S:g} s")
            break
        await services.clock.sleep(state.retry_after_s)
        polled = await services.guest.poll(state.operation)
        if isinstance(polled, Started):
            state = polled
            continue
        if isinstance(polled, Unavailable):
            state = OutcomeUnknown(polled.detail)
            break
        await _finish(services, undoable, polled.value.get("repair"))
        return
    detail = state.detail if isinstance(state, Rejected | OutcomeUnknown) else "Run Command ended before it was started"
    outcome = Outcome.APPLIED if isinstance(state, Rejected) else Outcome.OUTCOME_UNKNOWN
    for entry in undoable:
        await finish(services, entry, outcome, after=entry.after, detail=f"not undone: {detail}")


async def _finish(services: Services, entries: Sequence[JournalEntry], repair: object) -> None:
    rows = repair.get("steps") if isinstance(repair, dict) else None
    by_id = {str(row.get("id")): row for row in rows or [] if isinstance(row, dict)}
    for entry in entries:
        row = by_id.get(entry.step.step_id)
        word = row.get("outcome") if row else None
        if row is not None and word in ("applied", "already_true"):
            await finish(services, entry, Outcome.UNDONE, after=row.get("after"))
        elif row is not None and word in Outcome.__members__.values():
            await finish(services, entry, Outcome(str(word)), after=row.get("after"), detail=row.get("detail"))
        else:
            await finish(
                services, entry, Outcome.OUTCOME_UNKNOWN, detail="the guest's answer does not mention this step"
            )
