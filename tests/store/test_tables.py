"""Azure Tables and Blob records over Azurite: the contract, and what a storage account adds."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient

from rdp_remediate.errors import StoreError
from rdp_remediate.store.ledger import Ledger
from rdp_remediate.store.tables import CONTAINER, TABLE, TablesRecords
from tests.azurite import Azurite
from tests.store.builders import VM, hours, make_entry, make_rule_step, make_run
from tests.store.contract import RecordsContract
from tests.store.memory import FakeClock


@pytest.fixture
async def records(azurite: Azurite) -> AsyncIterator[TablesRecords]:
    """An empty store."""
    async with (
        TableServiceClient.from_connection_string(azurite.connection_string) as tables,
        BlobServiceClient.from_connection_string(azurite.connection_string) as blobs,
    ):
        await tables.delete_table(TABLE)
        if await blobs.get_container_client(CONTAINER).exists():
            await blobs.delete_container(CONTAINER)
    opened = TablesRecords.from_connection_string(azurite.connection_string)
    yield opened
    await opened.close()


class TestTables(RecordsContract):
    pass


async def test_blobs_of_large_rows_go_with_their_rows(azurite: Azurite, records: TablesRecords) -> None:
    large = {"text": "x" * 400_000}
    await records.insert("runs", "a", large)
    await records.replace("runs", "a", large, None)
    await records.insert("runs", "b", large)
    await records.delete("runs", "b")
    async with BlobServiceClient.from_connection_string(azurite.connection_string) as blobs:
        kept = [blob.name async for blob in blobs.get_container_client(CONTAINER).list_blobs()]
    assert len(kept) == 1
    await records.replace("runs", "a", {"small": 1}, None)
    async with BlobServiceClient.from_connection_string(azurite.connection_string) as blobs:
        assert [blob.name async for blob in blobs.get_container_client(CONTAINER).list_blobs()] == []


async def test_unreachable_account_is_a_clear_error_without_its_key() -> None:
    connection = (
        "DefaultEndpointsProtocol=http;AccountName=nobody;AccountKey=Y2FuYXJ5;"
        "BlobEndpoint=http://127.0.0.1:1/nobody;TableEndpoint=http://127.0.0.1:1/nobody;"
    )
    records = TablesRecords(
        TableServiceClient.from_connection_string(connection, retry_total=0),
        BlobServiceClient.from_connection_string(connection, retry_total=0),
    )
    try:
        with pytest.raises(StoreError, match="could not be opened") as caught:
            await records.get("runs", "r")
        with pytest.raises(StoreError):
            await records.put_blob("b", b"")
    finally:
        await records.close()
    assert "Y2FuYXJ5" not in str(caught.value)
    assert "Nothing is changed" in str(caught.value)


async def test_ledger_works_over_a_storage_account(records: TablesRecords) -> None:
    clock = FakeClock()
    ledger = Ledger(records, clock)
    events = [f"event-{number}" for number in range(4)]
    runs = await asyncio.gather(*(ledger.create(make_run(event)) for event in events))
    assert len({run.run_id for run in runs}) == 1
    takes = await asyncio.gather(*(ledger.claim(runs[0].run_id, clock.now() + hours(1)) for _ in range(3)))
    (mine,) = [take for take in takes if take is not None]
    assert await ledger.lock_vm(VM, mine.run_id)
    entry = await ledger.append(make_entry(make_rule_step(), run=mine.run_id))
    await ledger.opened(entry)
    assert await ledger.openings(str(entry.step.target["name"])) == 1
    saved = await ledger.save(mine)
    assert sorted([saved.incident.event_id, *saved.joined]) == events
    assert [run.seq async for run in ledger.due(clock.now())] == [1]
    assert await ledger.journal(mine.run_id) == [entry]
