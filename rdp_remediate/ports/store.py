"""The ports to what is kept: rows and blobs, and what they mean."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.plan import JournalEntry
from rdp_remediate.models.run import Run


@dataclass(frozen=True, slots=True)
class Record:
    """One stored document and the version that a conditional write must name."""

    key: str
    value: JsonObject
    etag: str


class Records(Protocol):
    """Rows by table and key with conditional writes, and blobs. Raises StoreError and its children only."""

    async def get(self, table: str, key: str) -> Record | None:
        """The row, or None when there is none."""
        ...

    async def insert(self, table: str, key: str, value: JsonObject) -> str:
        """Writes a new row and returns its etag; RecordExistsError when the key is taken."""
        ...

    async def replace(self, table: str, key: str, value: JsonObject, etag: str | None) -> str:
        """Replaces a row; RecordChangedError when its etag is another (None: whatever is there, or nothing)."""
        ...

    async def delete(self, table: str, key: str, etag: str | None = None) -> None:
        """Deletes a row if it is there; RecordChangedError when its etag is another."""
        ...

    def scan(self, table: str, prefix: str = "") -> AsyncIterator[Record]:
        """Rows in key order whose key starts with `prefix`."""
        ...

    async def put_blob(self, name: str, body: bytes) -> None:
        """Stores a blob; the same name is replaced."""
        ...

    async def get_blob(self, name: str) -> bytes | None:
        """A blob, or None when there is none."""
        ...

    async def close(self) -> None:
        """Releases what is open."""
        ...


class RunCommandNotes(Protocol):
    """Managed Run Commands of ours by name, so that one that a lost process left behind is deleted later."""

    async def note_run_command(self, vm_id: str, name: str, until: datetime) -> None:
        """Remembers a managed Run Command before it is created, and from when on it may be deleted."""
        ...

    async def forget_run_command(self, vm_id: str, name: str) -> None:
        """Forgets one that is gone."""
        ...

    def left_run_commands(self, now: datetime) -> AsyncIterator[tuple[str, str]]:
        """VM id and name of those whose time is over."""
        ...


class Ledger(RunCommandNotes, Protocol):
    """What runs, journal, brakes and parked operations mean, written once over `Records`. Raises StoreError and its children."""

    async def load(self, run_id: str) -> Run | None:
        """The run, or None."""
        ...

    async def create(self, run: Run) -> Run:
        """Stores a new run, or returns the one that is there under its id; an open run of the VM is joined and returned."""
        ...

    async def claim(self, run_id: str, until: datetime) -> Run | None:
        """Takes a run for this process until a time; None while somebody else's claim lives or the run is done."""
        ...

    async def save(self, run: Run) -> Run:
        """Writes a claimed run with seq+1 and frees the claim; RecordChangedError when another process wrote it since."""
        ...

    async def approve(self, run_id: str, step_id: str, person: str) -> Run:
        """Records a person's yes to a step that waits for it and makes the run due; UsageError when it does not wait."""
        ...

    async def lock_vm(self, vm_id: str, run_id: str) -> bool:
        """Takes the VM's lock for a run; True also when the run holds it already."""
        ...

    async def unlock_vm(self, vm_id: str, run_id: str) -> None:
        """Releases the VM's lock if this run holds it."""
        ...

    async def put_bundle(self, run_id: str, pass_number: int, bundle: Bundle) -> str:
        """Keeps a bundle and returns its reference."""
        ...

    async def get_bundle(self, reference: str) -> Bundle:
        """A kept bundle; StoreError when it is gone."""
        ...

    async def put_answer(self, run_id: str, pass_number: int, answer: JsonObject) -> str:
        """Keeps a guest answer and returns its reference."""
        ...

    async def get_answer(self, reference: str) -> JsonObject:
        """A kept guest answer; StoreError when it is gone."""
        ...

    async def put_picture(self, run_id: str, picture: bytes) -> str:
        """Keeps the boot picture that a run saw last and returns its reference."""
        ...

    async def picture(self, run_id: str) -> bytes | None:
        """The boot picture that a run saw last, or None when it saw none."""
        ...

    async def put_operation(self, operation_id: str, state: JsonObject) -> None:
        """Writes the poll state of a parked operation; the only place that holds its URL."""
        ...

    async def get_operation(self, operation_id: str) -> JsonObject | None:
        """The poll state of a parked operation."""
        ...

    async def delete_operation(self, operation_id: str) -> None:
        """Forgets an operation that has ended."""
        ...

    async def append(self, entry: JournalEntry) -> JournalEntry:
        """Adds a row to the run's journal, numbered from 1, before the call that it describes."""
        ...

    async def complete(self, entry: JournalEntry) -> None:
        """Rewrites a row of the journal with its outcome."""
        ...

    async def journal(self, run_id: str) -> list[JournalEntry]:
        """The rows of a run in order."""
        ...

    async def killed(self) -> bool:
        """Whether the kill switch is thrown; an unreadable switch counts as thrown."""
        ...

    async def cooldown(self, vm_id: str, fix: str) -> datetime | None:
        """Until when this fix rests on this VM; None: it may run."""
        ...

    async def rest(self, vm_id: str, fix: str, until: datetime) -> None:
        """Lets a fix rest on a VM."""
        ...

    async def writes_left(self) -> int:
        """How many writes this installation may still make in the current hour."""
        ...

    async def count_write(self) -> None:
        """Counts one write."""
        ...

    async def openings(self, rule_name: str) -> int:
        """How often a rule was opened in the last seven days."""
        ...

    async def opened(self, entry: JournalEntry) -> None:
        """Remembers an NSG rule of ours with its expiry, for the reaper and for `openings`."""
        ...

    async def forget_opening(self, entry: JournalEntry) -> None:
        """Takes a rule off the reaper's list; `openings` still counts it."""
        ...

    def expired(self, now: datetime) -> AsyncIterator[JournalEntry]:
        """The rules of ours whose time is over."""
        ...

    async def decisions(self, vm_id: str) -> JsonObject | None:
        """The last known path decisions of a VM, for hints to compare with."""
        ...

    async def remember_decisions(self, vm_id: str, decisions: JsonObject) -> None:
        """Keeps the path decisions of a VM."""
        ...

    def due(self, now: datetime) -> AsyncIterator[Run]:
        """Runs that are not done, past their due time and not claimed."""
        ...

    def runs(self) -> AsyncIterator[Run]:
        """Every run that is kept, newest first."""
        ...
