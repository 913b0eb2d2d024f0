"""SQLite records: the contract, and what a file adds: modes, several processes, damage."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rdp_remediate.errors import StoreError
from rdp_remediate.store.sqlite import SqliteRecords
from tests.store.contract import RecordsContract


class TestSqliteFile(RecordsContract):
    @pytest.fixture
    async def records(self, tmp_path: Path) -> AsyncIterator[SqliteRecords]:
        opened = SqliteRecords(tmp_path / "state" / "store.sqlite")
        yield opened
        await opened.close()


class TestSqliteInMemory(RecordsContract):
    @pytest.fixture
    async def records(self) -> AsyncIterator[SqliteRecords]:
        opened = SqliteRecords(None)
        yield opened
        await opened.close()


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
async def test_only_the_owner_can_read_the_store(tmp_path: Path) -> None:
    path = tmp_path / "new" / "store.sqlite"
    path.parent.mkdir()
    path.touch(mode=0o644)
    records = SqliteRecords(path)
    await records.insert("runs", "r", {})
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    await records.close()
    assert modes["store.sqlite"] == 0o600
    assert set(modes.values()) == {0o600}, modes


async def test_rows_outlive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    first = SqliteRecords(path)
    await first.insert("runs", "r", {"n": 1})
    await first.put_blob("b", b"x")
    await first.close()
    second = SqliteRecords(path)
    found = await second.get("runs", "r")
    assert found is not None
    assert found.value == {"n": 1}
    assert await second.get_blob("b") == b"x"
    await second.close()


COUNTER = """
import asyncio, sys
from pathlib import Path
from rdp_remediate.errors import RecordChangedError
from rdp_remediate.store.sqlite import SqliteRecords

async def main():
    records = SqliteRecords(Path(sys.argv[1]))
    for _ in range(25):
        while True:
            row = await records.get("counters", "n")
            try:
                await records.replace("counters", "n", {"n": row.value["n"] + 1}, row.etag)
            except RecordChangedError:
                continue
            break
    await records.close()

asyncio.run(main())
"""


async def test_processes_at_once_lose_no_update(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    records = SqliteRecords(path)
    await records.insert("counters", "n", {"n": 0})
    workers = [subprocess.Popen([sys.executable, "-c", COUNTER, str(path)]) for _ in range(3)]
    codes = await asyncio.gather(*(asyncio.to_thread(worker.wait, 60) for worker in workers))
    found = await records.get("counters", "n")
    await records.close()
    assert codes == [0, 0, 0]
    assert found is not None
    assert found.value == {"n": 75}


async def test_what_is_no_store_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    path.write_bytes(b"this is no database" * 100)
    records = SqliteRecords(path)
    with pytest.raises(StoreError, match=r"store\.sqlite failed: file is not a database"):
        await records.get("runs", "r")
    await records.close()


async def test_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    records = SqliteRecords(tmp_path / "file" / "store.sqlite")
    with pytest.raises(StoreError, match="Nothing is changed without it"):
        await records.insert("runs", "r", {})
    await records.close()


async def test_damaged_row_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    records = SqliteRecords(path)
    await records.insert("runs", "r", {})
    connection = sqlite3.connect(path)
    connection.execute("UPDATE records SET value = '{'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="runs/r holds no JSON"):
        await records.get("runs", "r")
    await records.close()


async def test_closed_store_is_not_opened_again(tmp_path: Path) -> None:
    records = SqliteRecords(tmp_path / "store.sqlite")
    await records.close()
    with pytest.raises(StoreError, match="closed"):
        await records.get("runs", "r")
    assert not (tmp_path / "store.sqlite").exists()
