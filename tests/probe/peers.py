"""Peers on loopback that look like RDP, or not at all; written from the documents, not from the probe's own code."""

import asyncio
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

LOOPBACK = "127.0.0.1"
CONFIRM_TLS = bytes.fromhex("030000130ed00000123400021f080001000000")
CONFIRM_NLA = bytes.fromhex("030000130ed00000123400021f080002000000")
CONFIRM_NLA_EX = bytes.fromhex("030000130ed00000123400021f080008000000")
CONFIRM_STANDARD = bytes.fromhex("030000130ed000001234000201080000000000")
CONFIRM_XP = bytes.fromhex("0300000b06d00000123400")
DISCONNECT = bytes.fromhex("0300000902f0802180")


def refusal(code: int) -> bytes:
    """An RDP_NEG_FAILURE with a code."""
    return bytes.fromhex("030000130ed00000123400030008 00") + struct.pack("<I", code)


@dataclass
class Peer:
    """A listening peer."""

    port: int


@asynccontextmanager
async def serving(handler: Handler, address: str = LOOPBACK) -> AsyncIterator[Peer]:
    """Serves a handler; ends its connections with it."""
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # The probe aborts its connections.
        except asyncio.CancelledError:
            pass  # Ours, below; passed on, asyncio's streams would log it as a failure.
        finally:
            tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(accept, address, 0)
    try:
        yield Peer(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """Reads one TPKT packet."""
    header = await reader.readexactly(4)
    return header + await reader.readexactly(int.from_bytes(header[2:], "big") - 4)


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection with RST."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def answering(*parts: bytes, after: str = "wait", pause_s: float = 0.0, ask_first: bool = True) -> Handler:
    """A peer that sends given bytes after the request, then waits, closes or resets."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if ask_first:
            await read_request(reader)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)
        if after == "reset":
            reset(writer)
        elif after == "close":
            writer.close()
            await asyncio.sleep(1)
        else:
            await asyncio.sleep(10)

    return handle


def drip(data: bytes) -> tuple[bytes, ...]:
    """The bytes one by one."""
    return tuple(bytes([byte]) for byte in data)


# --- Network Level Authentication, as a Windows Server answers it -----------------------------------------------------


def _tlv(tag: int, content: bytes) -> bytes:
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    return bytes([tag, 0x82]) + struct.pack(">H", len(content)) + content


def ts_request(token: bytes | None = None, error_code: int | None = None, version: int = 6) -> bytes:
    """A TSRequest (MS-CSSP 2.2.1)."""
    fields = _tlv(0xA0, b"\x02\x01" + bytes([version]))
    if token is not None:
        fields += _tlv(0xA1, _tlv(0x30, _tlv(0x30, _tlv(0xA0, _tlv(0x04, token)))))
    if error_code is not None:
        fields += _tlv(0xA4, b"\x02\x05\x00" + struct.pack(">I", error_code))
    return _tlv(0x30, fields)


def challenge(
    computer: str = "VM-PROD-01",
    domain: str = "CONTOSO",
    *,
    dns_suffix: str = "contoso.example",
    clock_ahead_s: float = 0.0,
    version: tuple[int, int, int] = (10, 0, 20348),
) -> bytes:
    """An NTLM CHALLENGE (MS-NLMP 2.2.1.2)."""
    filetime = int((time.time() + clock_ahead_s + 11644473600) * 10_000_000)
    pairs: Sequence[tuple[int, bytes]] = (
        (2, domain.encode("utf-16-le")),
        (1, computer.encode("utf-16-le")),
        (4, dns_suffix.encode("utf-16-le")),
        (3, f"{computer}.{dns_suffix}".encode("utf-16-le")),
        (5, dns_suffix.encode("utf-16-le")),
        (7, struct.pack("<Q", filetime)),
        (0, b""),
    )
    info = b"".join(struct.pack("<HH", kind, len(value)) + value for kind, value in pairs)
    target = domain.encode("utf-16-le")
    head = b"NTLMSSP\x00" + struct.pack("<I", 2) + struct.pack("<HHI", len(target), len(target), 56)
    head += struct.pack("<I", 0xE2898215) + bytes(range(8)) + bytes(8)
    head += struct.pack("<HHI", len(info), len(info), 56 + len(target))
    head += struct.pack("<BBHxxxB", *version, 15)
    return head + target + info


@dataclass
class WindowsShaped:
    """A peer with a Windows Server's answers: X.224, TLS, then one CredSSP answer in given pieces.

    Attributes:
        context: The TLS context with its certificate.
        confirm: The X.224 answer.
        pieces: Makes what is sent inside TLS after the client's TSRequest.
        after: What follows: wait, close or reset.
        delay_s: How long it thinks about the TSRequest.
        requests: Connection requests that came.
        tokens: TSRequests that came.
    """

    context: ssl.SSLContext
    confirm: bytes = CONFIRM_NLA_EX
    pieces: Callable[[], Sequence[bytes]] = lambda: (ts_request(challenge()),)
    after: str = "wait"
    delay_s: float = 0.0
    requests: list[bytes] = field(default_factory=list)
    tokens: list[bytes] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await read_request(reader))
        writer.write(self.confirm)
        await writer.drain()
        await writer.start_tls(self.context, ssl_handshake_timeout=5)
        self.tokens.append(await reader.read(4096))
        await asyncio.sleep(self.delay_s)
        for piece in self.pieces():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if self.after == "close":
            writer.close()
        elif self.after == "reset":
            reset(writer)
        await asyncio.sleep(10)
