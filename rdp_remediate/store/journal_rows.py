"""The journal, the rules of ours that expire, and what a run parks between its steps."""

import json
import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from pydantic import ValidationError

from rdp_remediate.errors import RecordExistsError, StoreError
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.plan import JournalEntry, Outcome
from rdp_remediate.ports import Record
from rdp_remediate.store.rows import ATTEMPTS, Rows, row_key

_JOURNAL = "journal"
_OPERATIONS = "operations"
_RULES = "rules"
_RUN_COMMANDS = "run_commands"

COUNTED_DAYS = 7
_KEPT_DAYS = 30
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?Z")


class JournalRows(Rows):
    """Journal rows by run and number; they are never deleted."""

    _rule_ttl: timedelta

    async def append(self, entry: JournalEntry) -> JournalEntry:
        """Adds a row to the run's journal, numbered from 1, before the call that it describes.

        A row that intends an NSG rule also enters the rule among those that expire: the process may die between the
        write and its answer, and a rule that nobody remembers would stay open.
        """
        number = len(await self.journal(entry.run_id))
        for _ in range(ATTEMPTS):
            number += 1
            numbered = entry.model_copy(update={"number": number})
            try:
                await self._records.insert(_JOURNAL, _entry_key(numbered), _document(numbered))
            except RecordExistsError:
                continue
            if _opens_a_rule(numbered) and numbered.outcome is Outcome.INTENDED:
                await self._note_rule(numbered, opened_at=None)
            return numbered
        raise StoreError(f"No journal row could be added to run {entry.run_id}; nothing may be changed.")

    async def complete(self, entry: JournalEntry) -> None:
        """Rewrites a row of the journal with its outcome.

        Raises:
            StoreError: There is no such row: nothing is done without one.
        """

        def write(value: JsonObject | None) -> JsonObject:
            if value is None:
                raise StoreError(f"Run {entry.run_id} has no journal row {entry.number}.")
            return _document(entry)

        await self._change(_JOURNAL, _entry_key(entry), write)
        if _opens_a_rule(entry) and entry.outcome is Outcome.UNDONE:
            await self.forget_opening(entry)

    async def journal(self, run_id: str) -> list[JournalEntry]:
        """The rows of a run in order."""
        return [_entry(record) async for record in self._records.scan(_JOURNAL, f"{run_id}:")]

    async def opened(self, entry: JournalEntry) -> None:
        """Remembers an NSG rule of ours with its expiry, for the reaper and for `openings`; twice counts once."""
        if _opens_a_rule(entry):
            await self._note_rule(entry, opened_at=entry.ended_at or self._clock.now())

    async def _note_rule(self, entry: JournalEntry, opened_at: datetime | None) -> None:
        expires_at = entry.expires_at or _stated_expiry(entry) or entry.started_at + self._rule_ttl

        def write(value: JsonObject | None) -> JsonObject:
            before = value or {"opened_at": None, "removed_at": None}
            opened = before["opened_at"] or (None if opened_at is None else opened_at.isoformat())
            return {**before, "opened_at": opened, "expires_at": expires_at.isoformat(), "entry": _document(entry)}

        await self._change(_RULES, _rule_key(entry), write)

    async def openings(self, rule_name: str) -> int:
        """How often a rule was opened in the last seven days."""
        since = self._clock.now() - timedelta(days=COUNTED_DAYS)
        count = 0
        async for record in self._records.scan(_RULES, f"{rule_name.lower()}:"):
            opened = record.value.get("opened_at")
            count += opened is not None and datetime.fromisoformat(opened) >= since
        return count

    async def expired(self, now: datetime) -> AsyncIterator[JournalEntry]:
        """The rules of ours whose time is over, each as the journal row of its creation with its expiry.

        A rule whose write was never answered is among them: compare before deleting.
        """
        async for record in self._records.scan(_RULES):
            removed = record.value.get("removed_at")
            if removed is not None:
                if datetime.fromisoformat(removed) < now - timedelta(days=_KEPT_DAYS):
                    await self._records.delete(_RULES, record.key)
                continue
            expires_at = datetime.fromisoformat(record.value["expires_at"])
            if expires_at <= now:
                entry = _entry_of(record.value["entry"], record.key)
                yield entry.model_copy(update={"expires_at": expires_at})

    async def forget_opening(self, entry: JournalEntry) -> None:
        """Takes a rule off the reaper's list; `openings` still counts it."""

        def write(value: JsonObject | None) -> JsonObject | None:
            if value is None or value.get("removed_at") is not None:
                return None
            return {**value, "removed_at": self._clock.now().isoformat()}

        await self._change(_RULES, _rule_key(entry), write)

    async def note_run_command(self, vm_id: str, name: str, until: datetime) -> None:
        """Remembers a managed Run Command before it is created, and from when on it may be deleted."""
        row = {"vm_id": vm_id, "name": name, "until": until.isoformat()}
        await self._records.replace(_RUN_COMMANDS, _run_command_key(vm_id, name), row, None)

    async def forget_run_command(self, vm_id: str, name: str) -> None:
        """Forgets one that is gone."""
        await self._records.delete(_RUN_COMMANDS, _run_command_key(vm_id, name))

    async def left_run_commands(self, now: datetime) -> AsyncIterator[tuple[str, str]]:
        """VM id and name of those whose time is over."""
        async for record in self._records.scan(_RUN_COMMANDS):
            if datetime.fromisoformat(record.value["until"]) <= now:
                yield record.value["vm_id"], record.value["name"]

    async def put_bundle(self, run_id: str, pass_number: int, bundle: Bundle) -> str:
        """Keeps a bundle and returns its reference."""
        reference = f"bundles/{run_id}/{pass_number}.json"
        await self._records.put_blob(reference, bundle.model_dump_json(by_alias=True).encode())
        return reference

    async def get_bundle(self, reference: str) -> Bundle:
        """A kept bundle; StoreError when it is gone."""
        try:
            return Bundle.model_validate_json(await self._blob(reference))
        except ValidationError as error:
            raise StoreError(f"{reference} is no bundle that this version can read.") from error

    async def put_answer(self, run_id: str, pass_number: int, answer: JsonObject) -> str:
        """Keeps a guest answer and returns its reference."""
        reference = f"answers/{run_id}/{pass_number}.json"
        await self._records.put_blob(reference, json.dumps(answer).encode())
        return reference

    async def get_answer(self, reference: str) -> JsonObject:
        """A kept guest answer; StoreError when it is gone."""
        try:
            answer = json.loads(await self._blob(reference))
        except ValueError as error:
            raise StoreError(f"{reference} is no JSON; the store is damaged.") from error
        if not isinstance(answer, dict):
            raise StoreError(f"{reference} is no JSON object; the store is damaged.")
        return answer

    async def put_picture(self, run_id: str, picture: bytes) -> str:
        """Keeps the boot picture that a run saw last and returns its reference."""
        reference = _picture_name(run_id)
        await self._records.put_blob(reference, picture)
        return reference

    async def picture(self, run_id: str) -> bytes | None:
        """The boot picture that a run saw last, or None when it saw none."""
        return await self._records.get_blob(_picture_name(run_id))

    async def _blob(self, reference: str) -> bytes:
        body = await self._records.get_blob(reference)
        if body is None:
            raise StoreError(f"{reference} is not in the store any more.")
        return body

    async def put_operation(self, operation_id: str, state: JsonObject) -> None:
        """Writes the poll state of a parked operation; the only place that holds its URL."""
        await self._records.replace(_OPERATIONS, operation_id, state, None)

    async def get_operation(self, operation_id: str) -> JsonObject | None:
        """The poll state of a parked operation."""
        record = await self._records.get(_OPERATIONS, operation_id)
        return None if record is None else record.value

    async def delete_operation(self, operation_id: str) -> None:
        """Forgets an operation that has ended."""
        await self._records.delete(_OPERATIONS, operation_id)


def _document(entry: JournalEntry) -> JsonObject:
    return entry.model_dump(mode="json", by_alias=True)


def _entry(record: Record) -> JournalEntry:
    return _entry_of(record.value, record.key)


def _entry_of(value: JsonObject, key: str) -> JournalEntry:
    try:
        return JournalEntry.model_validate(value)
    except ValidationError as error:
        raise StoreError(f"The journal row {key} cannot be read: {error.error_count()} fields are wrong.") from error


def _entry_key(entry: JournalEntry) -> str:
    return f"{entry.run_id}:{entry.number:06d}"


def _run_command_key(vm_id: str, name: str) -> str:
    return f"{name}:{row_key(vm_id)}"


def _picture_name(run_id: str) -> str:
    return f"boot-pictures/{run_id}"


def _rule_key(entry: JournalEntry) -> str:
    return f"{str(entry.step.target.get('name', '')).lower()}:{_entry_key(entry)}"


def _opens_a_rule(entry: JournalEntry) -> bool:
    return entry.step.kind == "security_rule" and entry.step.desired is not None


def _stated_expiry(entry: JournalEntry) -> datetime | None:
    """The expiry that the rule's own description states."""
    desired = entry.step.desired
    properties = desired.get("properties", desired) if isinstance(desired, dict) else {}
    times: Sequence[str] = _TIME.findall(str(properties.get("description", "")))
    return datetime.fromisoformat(times[-1]) if times else None
