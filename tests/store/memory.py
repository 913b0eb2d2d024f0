"""Records in memory that give way to other tasks at every step, and that can die before or after any of them."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from rdp_remediate.errors import RecordChangedError, RecordExistsError
from rdp_remediate.models.base import JsonObject
from rdp_remediate.ports import Clock, Record, Records
from rdp_remediate.store.keys import checked_blob, checked_table, escape, unescape


class CrashError(Exception):
    """The process died here."""


class MemoryRecords(Records):
    """The contract of `Records`, with a schedule.

    Attributes:
        crash_at: The number of the step at which the process dies; None: never.
        steps: How many steps were taken.
    """

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a schedule, not a secret
        self._rows: dict[tuple[str, str], tuple[str, JsonObject]] = {}
        self._blobs: dict[str, bytes] = {}
        self._version = 0
        self.crash_at: int | None = None
        self.steps = 0

    async def get(self, table: str, key: str) -> Record | None:
        await self._step()
        row = self._rows.get((checked_table(table), escape(key)))
        return None if row is None else Record(key, row[1], row[0])

    async def insert(self, table: str, key: str, value: JsonObject) -> str:
        await self._step()
        if (checked_table(table), escape(key)) in self._rows:
            raise RecordExistsError(f"{table}/{key}")
        return await self._write(table, key, value)

    async def replace(self, table: str, key: str, value: JsonObject, etag: str | None) -> str:
        await self._step()
        row = self._rows.get((checked_table(table), escape(key)))
        if etag is not None and (row is None or row[0] != etag):
            raise RecordChangedError(f"{table}/{key}")
        return await self._write(table, key, value)

    async def delete(self, table: str, key: str, etag: str | None = None) -> None:
        await self._step()
        row = self._rows.get((checked_table(table), escape(key)))
        if row is not None and etag is not None and row[0] != etag:
            raise RecordChangedError(f"{table}/{key}")
        self._rows.pop((table, escape(key)), None)
        await self._step()

    async def scan(self, table: str, prefix: str = "") -> AsyncIterator[Record]:
        for area, stored in sorted(self._rows):
            if area == checked_table(table) and stored.startswith(escape(prefix)):
                record = await self.get(table, unescape(stored))
                if record is not None:
                    yield record

    async def put_blob(self, name: str, body: bytes) -> None:
        await self._step()
        self._blobs[checked_blob(name)] = body

    async def get_blob(self, name: str) -> bytes | None:
        await self._step()
        return self._blobs.get(checked_blob(name))

    async def close(self) -> None:
        return

    async def _write(self, table: str, key: str, value: JsonObject) -> str:
        self._version += 1
        etag = str(self._version)
        self._rows[table, escape(key)] = (etag, value)
        await self._step()
        return etag

    async def _step(self) -> None:
        self.steps += 1
        if self.crash_at is not None and self.steps >= self.crash_at:
            raise CrashError(f"step {self.steps}")
        for _ in range(self._random.randint(0, 3)):
            await asyncio.sleep(0)


class FakeClock(Clock):
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
