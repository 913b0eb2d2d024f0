"""Records in one SQLite file, safe for several processes: write-ahead log, one statement for each conditional write."""

import asyncio
import json
import os
import sqlite3
import threading
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

from rdp_remediate.errors import RecordChangedError, RecordExistsError, StoreError
from rdp_remediate.models.base import JsonObject
from rdp_remediate.ports import Record, Records
from rdp_remediate.store.keys import checked_blob, checked_table, escape, unescape

T = TypeVar("T")

_BUSY_TIMEOUT_S = 15.0
_PAGE = 200
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS records (area TEXT NOT NULL, key TEXT NOT NULL, etag TEXT NOT NULL, value TEXT NOT NULL,"
    " PRIMARY KEY (area, key)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS blobs (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
)


class SqliteRecords(Records):
    """`Records` in a file that only its owner can read, or in memory for tests and the demo."""

    def __init__(self, path: Path | None) -> None:
        """Names the file; it is made when it is first used.

        Args:
            path: The file, or None for records in memory that end with this object.
        """
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        self._closed = False

    async def get(self, table: str, key: str) -> Record | None:
        """The row, or None when there is none."""
        area, stored = checked_table(table), escape(key)

        def read(connection: sqlite3.Connection) -> tuple[str, str] | None:
            query = "SELECT value, etag FROM records WHERE area = ? AND key = ?"
            found: tuple[str, str] | None = connection.execute(query, (area, stored)).fetchone()
            return found

        row = await self._run(read)
        return None if row is None else Record(key, _parsed(row[0], table, key), row[1])

    async def insert(self, table: str, key: str, value: JsonObject) -> str:
        """Writes a new row and returns its etag; RecordExistsError when the key is taken."""
        row = (checked_table(table), escape(key), _etag(), json.dumps(value))

        def write(connection: sqlite3.Connection) -> bool:
            statement = "INSERT INTO records (area, key, etag, value) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
            return connection.execute(statement, row).rowcount == 1

        if not await self._run(write):
            raise RecordExistsError(f"{table}/{key} is there already.")
        return row[2]

    async def replace(self, table: str, key: str, value: JsonObject, etag: str | None) -> str:
        """Replaces a row; RecordChangedError when its etag is another (None: whatever is there, or nothing)."""
        area, stored, new, text = checked_table(table), escape(key), _etag(), json.dumps(value)

        def write(connection: sqlite3.Connection) -> bool:
            if etag is None:
                statement = "INSERT OR REPLACE INTO records (area, key, etag, value) VALUES (?, ?, ?, ?)"
                return connection.execute(statement, (area, stored, new, text)).rowcount == 1
            statement = "UPDATE records SET etag = ?, value = ? WHERE area = ? AND key = ? AND etag = ?"
            return connection.execute(statement, (new, text, area, stored, etag)).rowcount == 1

        if not await self._run(write):
            raise RecordChangedError(f"{table}/{key} was changed or deleted since it was read.")
        return new

    async def delete(self, table: str, key: str, etag: str | None = None) -> None:
        """Deletes a row if it is there; RecordChangedError when its etag is another."""
        area, stored = checked_table(table), escape(key)

        def write(connection: sqlite3.Connection) -> bool:
            if etag is None:
                connection.execute("DELETE FROM records WHERE area = ? AND key = ?", (area, stored))
                return True
            statement = "DELETE FROM records WHERE area = ? AND key = ? AND etag = ?"
            if connection.execute(statement, (area, stored, etag)).rowcount == 1:
                return True
            left = connection.execute("SELECT 1 FROM records WHERE area = ? AND key = ?", (area, stored)).fetchone()
            return left is None

        if not await self._run(write):
            raise RecordChangedError(f"{table}/{key} was changed since it was read.")

    async def scan(self, table: str, prefix: str = "") -> AsyncIterator[Record]:
        """Rows in key order whose key starts with `prefix`."""
        area, start = checked_table(table), escape(prefix)
        last = ""

        def page(after: str) -> Callable[[sqlite3.Connection], list[tuple[str, str, str]]]:
            query = (
                "SELECT key, value, etag FROM records WHERE area = ? AND key > ? AND key >= ? AND key < ?"
                " ORDER BY key LIMIT ?"
            )
            # "~" follows every character of an escaped key
            bounds = (area, after, start, f"{start}~", _PAGE)
            return lambda connection: connection.execute(query, bounds).fetchall()

        while rows := await self._run(page(last)):
            for stored, value, etag in rows:
                key = unescape(stored)
                yield Record(key, _parsed(value, table, key), etag)
            last = rows[-1][0]

    async def put_blob(self, name: str, body: bytes) -> None:
        """Stores a blob; the same name is replaced."""
        row = (checked_blob(name), body)
        await self._run(lambda connection: connection.execute("INSERT OR REPLACE INTO blobs VALUES (?, ?)", row))

    async def get_blob(self, name: str) -> bytes | None:
        """A blob, or None when there is none."""
        checked_blob(name)

        def read(connection: sqlite3.Connection) -> tuple[bytes] | None:
            found: tuple[bytes] | None = connection.execute("SELECT body FROM blobs WHERE name = ?", (name,)).fetchone()
            return found

        row = await self._run(read)
        return None if row is None else bytes(row[0])

    async def close(self) -> None:
        """Closes the file; the object cannot be used afterwards."""

        def shut() -> None:
            with self._lock:
                self._closed = True
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None

        await asyncio.to_thread(shut)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs one statement in a thread; sqlite waits for locks of other processes there, not in the event loop."""

        def locked() -> T:
            with self._lock:
                try:
                    return work(self._open())
                except (sqlite3.Error, OSError) as error:
                    where = self._path or "memory"
                    raise StoreError(f"The store {where} failed: {error}. Nothing is changed without it.") from error

        return await asyncio.to_thread(locked)

    def _open(self) -> sqlite3.Connection:
        if self._closed:
            raise sqlite3.ProgrammingError("it was closed")
        if self._connection is None:
            target = ":memory:"
            if self._path is not None:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _owner_only(self._path)
                target = str(self._path)
            connection = sqlite3.connect(target, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                for statement in _SCHEMA:
                    connection.execute(statement)
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection


def _owner_only(path: Path) -> None:
    """Makes the file readable by its owner only, before sqlite writes to it; its journal files inherit the mode."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        if os.name == "posix" and os.fstat(descriptor).st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _etag() -> str:
    return uuid.uuid4().hex


def _parsed(text: str, table: str, key: str) -> JsonObject:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise StoreError(f"{table}/{key} holds no JSON; the store is damaged.") from error
    if not isinstance(value, dict):
        raise StoreError(f"{table}/{key} holds no JSON object; the store is damaged.")
    return value
