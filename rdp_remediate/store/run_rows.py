"""Runs, their claims, and the lock of each VM.

A run's row has one writer: the process whose claim stands in it. Others may only add a person's approval or a joined
event, which a save keeps. Each open run has a row in `open` under its VM; it holds the run's first state, so that
whoever finds the row can finish a creation that was cut short.

A hint joins any open run of its VM. What a person or a failed-RDP alert asks joins only a run of that kind: the run of a
hint may neither look into Windows nor write, and would swallow the question. The VM's lock keeps such two apart in time.
"""

from collections.abc import AsyncIterator
from datetime import datetime

from pydantic import ValidationError

from rdp_remediate.errors import RecordChangedError, RecordExistsError, StoreError, UsageError
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.incident import Incident, Kind
from rdp_remediate.models.run import Phase, Run
from rdp_remediate.ports import Record
from rdp_remediate.store.rows import ATTEMPTS, Rows, row_key

_RUNS = "runs"
_OPEN = "open"
_LOCKS = "locks"
_MOST_JOINED = 200


def _asks_a_person(run: Run) -> bool:
    return run.phase is Phase.WAIT and run.wait is not None and run.wait.kind == "approval"


def _document(run: Run) -> JsonObject:
    return run.model_dump(mode="json", by_alias=True)


def _run(value: JsonObject, run_id: str) -> Run:
    try:
        return Run.model_validate(value)
    except ValidationError as error:
        raise StoreError(f"The stored run {run_id} cannot be read: {error.error_count()} fields are wrong.") from error


def _open_key(run: Run) -> str:
    """Where an open run stands: under its VM and kind, or by itself while it only has a clue."""
    if not run.target.vm_id:
        return f"clue:{run.run_id}"
    return f"{row_key(run.target.vm_id)}:{'hint' if run.incident.kind is Kind.HINT else 'asked'}"


def is_claimed(run: Run, now: datetime) -> bool:
    """Whether some process is at work on the run."""
    return run.claimed_until is not None and run.claimed_until > now


class RunRows(Rows):
    """Runs by id; one open run for each VM."""

    async def load(self, run_id: str) -> Run | None:
        """The run, or None."""
        record = await self._records.get(_RUNS, run_id)
        return None if record is None else _run(record.value, run_id)

    async def create(self, run: Run) -> Run:
        """Stores a new run, or returns the one that is there under its id; an open run of the VM is joined."""
        existing = await self.load(run.run_id)
        if existing is not None:
            return existing
        if run.incident.kind is Kind.HINT and run.target.vm_id:
            asked = await self._records.get(_OPEN, f"{row_key(run.target.vm_id)}:asked")
            if asked is not None:
                held = await self._created_by(asked)
                joined = held if held.phase is Phase.DONE else await self._joined(held.run_id, run.incident)
                if joined.phase is not Phase.DONE:
                    return joined
        key, mine = _open_key(run), {"run": _document(run)}
        for _ in range(ATTEMPTS):
            record = await self._records.get(_OPEN, key)
            try:
                if record is None:
                    await self._records.insert(_OPEN, key, mine)
                    return await self._created(run)
                held = await self._created_by(record)
                if held.run_id == run.run_id:
                    return held
                if held.phase is Phase.DONE:
                    await self._records.replace(_OPEN, key, mine, record.etag)
                    return await self._created(run)
            except (RecordExistsError, RecordChangedError):
                continue
            joined = await self._joined(held.run_id, run.incident)
            if joined.phase is not Phase.DONE:
                return joined
        raise StoreError(f"No run could be opened for {run.target.vm_id}: others wrote at each of {ATTEMPTS} attempts.")

    async def _created(self, run: Run) -> Run:
        """The run's row; somebody who found the open row may have written it already, and even gone on with it."""
        try:
            await self._records.insert(_RUNS, run.run_id, _document(run))
        except RecordExistsError:
            existing = await self.load(run.run_id)
            return run if existing is None else existing
        return run

    async def _created_by(self, record: Record) -> Run:
        """The run of an open row; one whose creation was cut short is created now."""
        first = _run(record.value.get("run", {}), record.key)
        existing = await self.load(first.run_id)
        return existing if existing is not None else await self._created(first)

    async def _joined(self, run_id: str, incident: Incident) -> Run:
        event_id = incident.event_id

        def join(value: JsonObject | None) -> JsonObject | None:
            run = _run(value or {}, run_id)
            known = event_id in run.joined or event_id == run.incident.event_id
            if run.phase is Phase.DONE or known or len(run.joined) >= _MOST_JOINED:
                return None
            update: JsonObject = {"joined": [*run.joined, event_id]}
            if incident.kind is not Kind.HINT and _asks_a_person(run):
                update["due_at"] = self._clock.now()
            return _document(run.model_copy(update=update))

        return _run(await self._change(_RUNS, run_id, join) or {}, run_id)

    async def claim(self, run_id: str, until: datetime) -> Run | None:
        """Takes a run for this process until a time; None while somebody else's claim lives or the run is done."""
        for _ in range(ATTEMPTS):
            record = await self._records.get(_RUNS, run_id)
            if record is None:
                return None
            run = _run(record.value, run_id)
            if run.phase is Phase.DONE or is_claimed(run, self._clock.now()):
                return None
            claimed = run.model_copy(update={"claimed_until": until})
            try:
                await self._records.replace(_RUNS, run_id, _document(claimed), record.etag)
            except RecordChangedError:
                continue
            return claimed
        raise StoreError(f"Run {run_id} could not be claimed: others wrote at each of {ATTEMPTS} attempts.")

    async def save(self, run: Run) -> Run:
        """Writes a claimed run with seq+1 and frees the claim.

        Approvals and joined events that arrived meanwhile are kept.

        Raises:
            RecordChangedError: The run is not claimed, or another process took it when this claim had expired.
        """

        def write(value: JsonObject | None) -> JsonObject:
            stored = None if value is None else _run(value, run.run_id)
            mine = stored is not None and stored.seq == run.seq and stored.claimed_until == run.claimed_until
            if stored is None or not mine or run.claimed_until is None:
                raise RecordChangedError(f"Run {run.run_id} was taken over by another process; its state is kept.")
            new_events = [event for event in stored.joined if event not in run.joined]
            update: JsonObject = {
                "seq": run.seq + 1,
                "claimed_until": None,
                "joined": [*run.joined, *new_events],
                "approved": {**run.approved, **stored.approved},
            }
            approved = stored.approved.keys() - run.approved.keys() and run.phase is Phase.WAIT
            if approved or (new_events and _asks_a_person(run)):
                update["due_at"] = self._clock.now()
            return _document(run.model_copy(update=update))

        saved = _run(await self._change(_RUNS, run.run_id, write) or {}, run.run_id)
        if saved.phase is Phase.DONE:
            await self._close(saved)
        return saved

    async def _close(self, run: Run) -> None:
        """Removes the open row of a finished run; one that stays is recognised as finished by the next incident."""
        key = _open_key(run)
        record = await self._records.get(_OPEN, key)
        if record is not None and record.value.get("run", {}).get("run_id") == run.run_id:
            try:
                await self._records.delete(_OPEN, key, record.etag)
            except RecordChangedError:
                return  # the next run has taken the row over

    async def approve(self, run_id: str, step_id: str, person: str) -> Run:
        """Records a person's yes to a step that waits for it, and makes the run due.

        Raises:
            UsageError: There is no such run, it is done, or the step does not wait.
        """

        def agree(value: JsonObject | None) -> JsonObject:
            if value is None:
                raise UsageError(f"There is no run {run_id}.")
            run = _run(value, run_id)
            if run.phase is Phase.DONE:
                raise UsageError(f"Run {run_id} is done; nothing waits in it.")
            waiting = run.wait.step_ids if run.wait is not None and run.wait.kind == "approval" else []
            if step_id in run.approved:
                return value
            if step_id not in waiting:
                named = ", ".join(waiting) or "none"
                raise UsageError(f"Step {step_id} of run {run_id} does not wait for a person; waiting: {named}.")
            approved = {**run.approved, step_id: person}
            return _document(run.model_copy(update={"approved": approved, "due_at": self._clock.now()}))

        return _run(await self._change(_RUNS, run_id, agree) or {}, run_id)

    async def due(self, now: datetime) -> AsyncIterator[Run]:
        """Open runs that nobody is at work on and whose time has come; runs that were never begun are among them."""
        async for record in self._records.scan(_OPEN):
            run = await self._created_by(record)
            if run.phase is Phase.DONE:
                await self._close(run)
            elif not is_claimed(run, now) and (run.due_at is None or run.due_at <= now):
                yield run

    async def runs(self) -> AsyncIterator[Run]:
        """Every run that is kept, newest first."""
        kept = [_run(record.value, record.key) async for record in self._records.scan(_RUNS)]
        for run in sorted(kept, key=lambda run: run.created_at, reverse=True):
            yield run

    async def lock_vm(self, vm_id: str, run_id: str) -> bool:
        """Takes the VM's lock for a run; True also when the run holds it already."""
        key, mine = row_key(vm_id), {"run_id": run_id}
        for _ in range(ATTEMPTS):
            record = await self._records.get(_LOCKS, key)
            try:
                if record is None:
                    await self._records.insert(_LOCKS, key, mine)
                    return True
                holder_id = str(record.value.get("run_id"))
                if holder_id == run_id:
                    return True
                holder = await self.load(holder_id)
                if holder is not None and holder.phase is not Phase.DONE:
                    return False
                # its process ended between its last save and the release
                await self._records.replace(_LOCKS, key, mine, record.etag)
            except (RecordExistsError, RecordChangedError):
                continue
            return True
        return False

    async def unlock_vm(self, vm_id: str, run_id: str) -> None:
        """Releases the VM's lock if this run holds it."""
        key = row_key(vm_id)
        record = await self._records.get(_LOCKS, key)
        if record is not None and record.value.get("run_id") == run_id:
            try:
                await self._records.delete(_LOCKS, key, record.etag)
            except RecordChangedError:
                return  # somebody else holds it now
