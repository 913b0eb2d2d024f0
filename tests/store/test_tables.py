"""Azure Tables and Blob records over Azurite: the contract, and what a storage account adds."""

from collections.abc import AsyncIterator

import pytest
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient

from rdp_remediate.errors import StoreError
from rdp_remediate.store.tables import CONTAINER, TABLE, TablesRecords
from tests.azurite import Azurite
from tests.store.contract import RecordsContract


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
