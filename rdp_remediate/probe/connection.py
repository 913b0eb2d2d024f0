"""A TCP connection whose received bytes stay readable after the peer closed or reset it.

asyncio's StreamReader drops them when a reset follows, and those bytes are what tells a web server from silence.
"""

import asyncio
from typing import cast


class Connection(asyncio.Protocol):
    """The receiving end of one connection; `receive` is awaited by one task at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._ended = False
        self._error: OSError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Keeps the bytes until `receive` asks for them."""
        self._received += data
        self._wake()

    def eof_received(self) -> bool:
        """Notes that the peer has no more to send; the connection is aborted by its owner."""
        self._ended = True
        self._wake()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Notes the end and its cause."""
        self._ended = True
        if isinstance(exc, OSError):
            self._error = exc
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def receive(self) -> bytes:
        """Waits for bytes and gives all that came; empty when the peer closed.

        Raises:
            OSError: The connection was reset, and all bytes that came before are read.
        """
        while not self._received and not self._ended:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        data = bytes(self._received)
        self._received.clear()
        if not data and self._error is not None:
            raise self._error
        return data

    def send(self, data: bytes) -> None:
        """Sends bytes; an error shows at the next `receive`."""
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def address(self, end: str) -> str | None:
        """Gives the numeric address of an end, `sockname` or `peername`; None when the connection is already gone."""
        address = self._transport.get_extra_info(end) if self._transport is not None else None
        return address[0] if address else None

    def abort(self) -> None:
        """Closes at once, without waiting for the peer's close."""
        if self._transport is not None:
            self._transport.abort()
