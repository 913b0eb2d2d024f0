"""The storage emulator that other tests lean on behaves as storage does where they depend on it."""

import base64
import uuid

import pytest
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError
from azure.data.tables import TableServiceClient, UpdateMode
from azure.storage.queue import QueueClient

from tests.azurite import Azurite


def test_a_message_that_is_not_deleted_comes_back_with_a_higher_dequeue_count(azurite: Azurite) -> None:
    with QueueClient.from_connection_string(azurite.connection_string, f"q{uuid.uuid4().hex}") as queue:
        queue.create_queue()
        queue.send_message(base64.b64encode(b"{}").decode())
        first = queue.receive_message(visibility_timeout=600)
        assert first is not None
        assert queue.receive_message() is None
        queue.update_message(first, visibility_timeout=0)
        second = queue.receive_message(visibility_timeout=600)
        assert second is not None
        assert (first.dequeue_count, second.dequeue_count) == (1, 2)


def test_a_table_write_with_a_stale_etag_is_refused(azurite: Azurite) -> None:
    from azure.core import MatchConditions

    with TableServiceClient.from_connection_string(azurite.connection_string) as service:
        table = service.create_table(f"t{uuid.uuid4().hex}")
        entity = {"PartitionKey": "p", "RowKey": "r", "seq": 1}
        etag = table.create_entity(entity)["etag"]
        with pytest.raises(ResourceExistsError):
            table.create_entity(entity)
        table.update_entity(entity, UpdateMode.REPLACE, etag=etag, match_condition=MatchConditions.IfNotModified)
        with pytest.raises(ResourceModifiedError):
            table.update_entity(entity, UpdateMode.REPLACE, etag=etag, match_condition=MatchConditions.IfNotModified)
