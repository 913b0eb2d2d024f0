import asyncio

import pytest

from rdp_remediate.probe.connection import Connection


async def test_bytes_before_a_reset_are_read_before_it_is_told() -> None:
    connection = Connection()
    connection.data_received(b"SSH-2.0")
    connection.data_received(b"-x\r\n")
    connection.connection_lost(ConnectionResetError(104, "Connection reset by peer"))
    assert await connection.receive() == b"SSH-2.0-x\r\n"
    with pytest.raises(ConnectionResetError):
        await connection.receive()


async def test_a_close_reads_as_empty_after_the_bytes() -> None:
    connection = Connection()
    waiting = asyncio.create_task(connection.receive())
    await asyncio.sleep(0)
    connection.data_received(b"a")
    assert await waiting == b"a"
    assert connection.eof_received() is True
    assert await connection.receive() == b""


async def test_a_cancelled_wait_loses_no_bytes() -> None:
    connection = Connection()
    waiting = asyncio.create_task(connection.receive())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    connection.data_received(b"late")
    assert await connection.receive() == b"late"


def test_a_connection_that_was_never_made_can_be_aborted() -> None:
    connection = Connection()
    connection.send(b"nothing to send it over")
    connection.abort()
    assert connection.address("sockname") is None
