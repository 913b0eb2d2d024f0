"""Records in Azure Tables and Blob storage: one table, one container; a value too large for a row goes to a blob."""

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

from azure.core import MatchConditions
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from rdp_remediate.errors import RecordChangedError, RecordExistsError, StoreError
from rdp_remediate.models.base import JsonObject
from rdp_remediate.ports import Record, Records
from rdp_remediate.store.keys import checked_blob, checked_table, escape, unescape

_LOG = logging.getLogger(__name__)

TABLE = "rdpremediate"
CONTAINER = "rdp-remediate"

#: A string property holds 64 KiB of UTF-16, an entity 1 MiB; the JSON is ASCII, so a character is two bytes.
#: https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model
_CHUNK = 32_000
_LARGEST_ROW = 10 * _CHUNK

#: Bodies above 1 MiB block the event loop while they are sent (aiohttp warns), so they go in blocks.
_BLOCKS: dict[str, Any] = {"max_single_put_size": 512 * 1024, "max_block_size": 512 * 1024}


class TablesRecords(Records):
    """`Records` in a storage account; the deployed app's store."""

    def __init__(self, tables: TableServiceClient, blobs: BlobServiceClient) -> None:
        """Takes the two service clients and closes them in the end."""
        self._tables = tables
        self._blobs = blobs
        self._table: TableClient = tables.get_table_client(TABLE)
        self._container: ContainerClient = blobs.get_container_client(CONTAINER)
        self._ready = False
        self._preparing = asyncio.Lock()

    @classmethod
    def from_endpoints(cls, table_uri: str, blob_uri: str, credential: AsyncTokenCredential) -> "TablesRecords":
        """The store of a storage account without shared keys."""
        blobs = BlobServiceClient(blob_uri, credential, **_BLOCKS)
        return cls(TableServiceClient(table_uri, credential=credential), blobs)

    @classmethod
    def from_connection_string(cls, connection: str) -> "TablesRecords":
        """The store behind a connection string; for tests against Azurite, since it holds a key."""
        blobs = BlobServiceClient.from_connection_string(connection, **_BLOCKS)
        return cls(TableServiceClient.from_connection_string(connection), blobs)

    async def get(self, table: str, key: str) -> Record | None:
        """The row, or None when there is none."""
        partition, row = checked_table(table), escape(key)
        await self._prepare()
        for _ in range(3):
            try:
                entity = await self._table.get_entity(partition, row)
            except ResourceNotFoundError:
                return None
            except AzureError as error:
                raise _failure(f"{table}/{key} could not be read", error) from error
            record = await self._record(entity)
            if record is not None:
                return record
        raise StoreError(f"{table}/{key} names a blob that is not there; the store is damaged.")

    async def insert(self, table: str, key: str, value: JsonObject) -> str:
        """Writes a new row and returns its etag; RecordExistsError when the key is taken."""
        entity = await self._entity(table, key, value)
        try:
            return _etag(await self._table.create_entity(entity))
        except ResourceExistsError as error:
            await self._drop(entity)
            raise RecordExistsError(f"{table}/{key} is there already.") from error
        except AzureError as error:
            raise _failure(f"{table}/{key} could not be written", error) from error

    async def replace(self, table: str, key: str, value: JsonObject, etag: str | None) -> str:
        """Replaces a row; RecordChangedError when its etag is another (None: whatever is there, or nothing)."""
        entity = await self._entity(table, key, value)
        before = await self._spilled(table, key)
        try:
            if etag is None:
                metadata = await self._table.upsert_entity(entity, mode=UpdateMode.REPLACE)
            else:
                metadata = await self._table.update_entity(
                    entity, mode=UpdateMode.REPLACE, etag=etag, match_condition=MatchConditions.IfNotModified
                )
        except (ResourceModifiedError, ResourceNotFoundError) as error:
            await self._drop(entity)
            raise RecordChangedError(f"{table}/{key} was changed or deleted since it was read.") from error
        except AzureError as error:
            raise _failure(f"{table}/{key} could not be written", error) from error
        await self._drop(before)
        return _etag(metadata)

    async def delete(self, table: str, key: str, etag: str | None = None) -> None:
        """Deletes a row if it is there; RecordChangedError when its etag is another."""
        partition, row = checked_table(table), escape(key)
        await self._prepare()
        before = await self._spilled(table, key)
        try:
            if etag is None:
                await self._table.delete_entity(partition, row)
            else:
                await self._table.delete_entity(
                    partition, row, etag=etag, match_condition=MatchConditions.IfNotModified
                )
        except ResourceModifiedError as error:
            raise RecordChangedError(f"{table}/{key} was changed since it was read.") from error
        except AzureError as error:
            raise _failure(f"{table}/{key} could not be deleted", error) from error
        await self._drop(before)

    async def scan(self, table: str, prefix: str = "") -> AsyncIterator[Record]:
        """Rows in key order whose key starts with `prefix`."""
        partition, start = checked_table(table), escape(prefix)
        await self._prepare()
        query, parameters = "PartitionKey eq @area", {"area": partition}
        if start:
            # "~" follows every character of an escaped key
            query += " and RowKey ge @start and RowKey lt @end"
            parameters |= {"start": start, "end": f"{start}~"}
        try:
            async for entity in self._table.query_entities(query, parameters=parameters):
                record = await self._record(entity)
                if record is None:  # it was replaced while the page was read
                    record = await self.get(table, unescape(str(entity["RowKey"])))
                if record is not None:
                    yield record
        except AzureError as error:
            raise _failure(f"{table} could not be read", error) from error

    async def put_blob(self, name: str, body: bytes) -> None:
        """Stores a blob; the same name is replaced."""
        checked_blob(name)
        await self._prepare()
        try:
            await self._container.upload_blob(name, body, overwrite=True)
        except AzureError as error:
            raise _failure(f"blob {name} could not be written", error) from error

    async def get_blob(self, name: str) -> bytes | None:
        """A blob, or None when there is none."""
        checked_blob(name)
        await self._prepare()
        try:
            stream = await self._container.download_blob(name)
            return await stream.readall()
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            raise _failure(f"blob {name} could not be read", error) from error

    async def close(self) -> None:
        """Closes the clients."""
        await self._table.close()
        await self._container.close()
        await self._tables.close()
        await self._blobs.close()

    async def _prepare(self) -> None:
        """Makes table and container where they are missing, once."""
        async with self._preparing:
            if self._ready:
                return
            try:
                await self._tables.create_table_if_not_exists(TABLE)
                if not await self._container.exists():
                    await self._container.create_container()
            except ResourceExistsError:
                pass  # somebody else was faster: it is there
            except AzureError as error:
                raise _failure("the store could not be opened", error) from error
            self._ready = True

    async def _entity(self, table: str, key: str, value: JsonObject) -> dict[str, Any]:
        """The row of a value; a large one is written to a blob of its own first."""
        entity: dict[str, Any] = {"PartitionKey": checked_table(table), "RowKey": escape(key)}
        text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
        if len(text) > _LARGEST_ROW:
            name = f"rows/{table}/{uuid.uuid4().hex}.json"
            await self.put_blob(name, text.encode("ascii"))
            return {**entity, "blob": name}
        await self._prepare()
        chunks = [text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)]
        return {**entity, **{f"v{number}": chunk for number, chunk in enumerate(chunks)}}

    async def _record(self, entity: Mapping[str, Any]) -> Record | None:
        """The record of a row; None when its blob is gone because the row was replaced meanwhile."""
        table, key = str(entity["PartitionKey"]), unescape(str(entity["RowKey"]))
        name = entity.get("blob")
        if isinstance(name, str):
            body = await self.get_blob(name)
            if body is None:
                return None
            text = body.decode("ascii", errors="replace")
        else:
            numbered = sorted((int(k[1:]), str(v)) for k, v in entity.items() if k[:1] == "v" and k[1:].isdigit())
            text = "".join(chunk for _, chunk in numbered)
        try:
            value = json.loads(text)
        except ValueError as error:
            raise StoreError(f"{table}/{key} holds no JSON; the store is damaged.") from error
        if not isinstance(value, dict):
            raise StoreError(f"{table}/{key} holds no JSON object; the store is damaged.")
        metadata: Mapping[str, Any] = getattr(entity, "metadata", {})
        return Record(key, value, _etag(metadata))

    async def _spilled(self, table: str, key: str) -> Mapping[str, Any]:
        """The row's blob reference, to drop the blob once the row is replaced."""
        try:
            return await self._table.get_entity(checked_table(table), escape(key), select=["blob"])
        except ResourceNotFoundError:
            return {}
        except AzureError as error:
            raise _failure(f"{table}/{key} could not be read", error) from error

    async def _drop(self, entity: Mapping[str, Any]) -> None:
        """Deletes a blob that no row names any more; one that stays is only waste."""
        name = entity.get("blob")
        if isinstance(name, str):
            try:
                await self._container.delete_blob(name)
            except AzureError as error:
                _LOG.warning("Blob %s, which no row names any more, stays: %s", name, type(error).__name__)


def _etag(metadata: Mapping[str, Any]) -> str:
    return str(metadata["etag"])


def _failure(what: str, error: AzureError) -> StoreError:
    """The error for people; the SDK's own text may hold account names and URLs."""
    status = f" {error.status_code}" if isinstance(error, HttpResponseError) and error.status_code else ""
    code = getattr(error, "error_code", None)
    code = f" {getattr(code, 'value', code)}" if code else ""
    return StoreError(
        f"The store failed: {what} ({type(error).__name__}{status}{code}). Nothing is changed without it."
    )
