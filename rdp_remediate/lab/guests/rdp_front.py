"""The live RDP port of a simulated VM on loopback: it connects, refuses or stays silent, and speaks RDP's first rounds.

Postures of one TCP socket that keeps its port all its life:

- accept: it listens; every connection gets the X.224 negotiation, TLS with the certificate that the guest binds, and
  an NTLM challenge when CredSSP was chosen. Nothing is relayed and nobody can log on.
- refuse: it is bound and does not listen, so the kernel answers a SYN with RST.
- silent: it listens with a backlog of zero and connections of its own fill the queue, so the kernel drops every
  further SYN (Linux, tcp_conn_request: a full accept queue). A client times out as it does behind a network security
  group. It needs no root, unlike a packet filter; a firewall rule or a tun device would.

The posture follows `admit` for 127.0.0.1. A client from another loopback address that `admit` treats otherwise is reset
(refuse) or left without a byte (silent) after its connect, which is as near as one socket comes.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
import struct
from collections.abc import Callable
from datetime import UTC, datetime

from rdp_remediate.errors import UsageError
from rdp_remediate.lab.guest_runtime import Admission, CertificateFiles, RdpListener
from rdp_remediate.lab.guests import negotiation
from rdp_remediate.lab.guests.negotiation import MalformedRequestError, Security

_LOG = logging.getLogger(__name__)
_BACKLOG = 128
_MOST_FILLERS = 16
# On loopback the kernel completes a handshake within connect(); what is still pending after this was dropped.
_FILLER_WAIT_S = 0.05


class RdpFront:
    """One live TCP endpoint on loopback that plays a VM's RDP port.

    Args:
        admit: What a connect from this loopback address sees.
        listener: The guest's listener now; None closes a connection that was accepted before the listener went away.
        certificate: The genuine certificate for a thumbprint of guest state.
        version: The Windows version that the NTLM challenge states.
        patience_s: How long a connection may last in all before it is closed.
    """

    def __init__(
        self,
        *,
        admit: Callable[[str], Admission],
        listener: Callable[[], RdpListener | None],
        certificate: Callable[[str], CertificateFiles],
        version: tuple[int, int, int] = (10, 0, 20348),
        patience_s: float = 15.0,
    ) -> None:
        self._admit = admit
        self._listener = listener
        self._certificate = certificate
        self._version = version
        self._patience_s = patience_s
        self._socket: socket.socket | None = None
        self._address = ("127.0.0.1", 0)
        self._posture = Admission.REFUSE
        self._fillers: list[socket.socket] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._changing = asyncio.Lock()

    @property
    def posture(self) -> Admission:
        """What a new connect from 127.0.0.1 sees now."""
        return self._posture

    async def start(self, host: str = "127.0.0.1") -> int:
        """Binds a free port, takes its first posture and returns the port.

        Raises:
            UsageError: the host is no loopback address, or this system cannot stay silent.
        """
        if not host.startswith("127."):
            raise UsageError(f"A lab front binds loopback only, not {host}. Use an address of 127.0.0.0/8.")
        self._address = (host, 0)
        with contextlib.closing(self._bound_socket()) as chooser:
            self._address = chooser.getsockname()
            # Linux keeps a port through shutdown() only when bind() named it (SOCK_BINDPORT_LOCK).
            self._socket = self._bound_socket()
        await self.refresh()
        return self._address[1]

    async def refresh(self) -> None:
        """Asks `admit` and changes posture when needed; called after every state change.

        Raises:
            UsageError: silence is asked for and this system completes connects all the same.
        """
        async with self._changing:
            wanted = self._admit("127.0.0.1")
            if self._socket is None or wanted == self._posture:
                return
            self._stand_down()
            if wanted is Admission.ACCEPT:
                self._socket.listen(_BACKLOG)
                asyncio.get_running_loop().add_reader(self._socket, self._accept_waiting)
            elif wanted is Admission.SILENT:
                self._socket.listen(0)
                self._posture = Admission.SILENT
                await self._fill_queue()
            self._posture = wanted

    async def close(self) -> None:
        """Closes the endpoint and every connection that it accepted."""
        async with self._changing:
            if self._socket is None:
                return
            self._stand_down()
            self._socket.close()
            self._socket = None
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _bound_socket(self) -> socket.socket:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setblocking(False)
        # So that the port can be had again while old connections to it are in TIME_WAIT.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(self._address)
        return bound

    def _stand_down(self) -> None:
        """Stops listening; the port stays ours. Connections that nobody accepted yet are reset."""
        assert self._socket is not None  # noqa: S101 - the callers looked
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        if self._posture is Admission.REFUSE:
            return
        asyncio.get_running_loop().remove_reader(self._socket)
        try:
            # Linux takes a listening socket back to "bound" (inet_shutdown, tcp_disconnect with the port kept).
            self._socket.shutdown(socket.SHUT_RD)
        except OSError:
            self._socket.close()
            self._socket = self._bound_socket()
        self._posture = Admission.REFUSE

    async def _fill_queue(self) -> None:
        for _ in range(_MOST_FILLERS):
            filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            filler.setblocking(False)
            try:
                async with asyncio.timeout(_FILLER_WAIT_S):
                    await asyncio.get_running_loop().sock_connect(filler, self._address)
            except TimeoutError:
                filler.close()
                return
            self._fillers.append(filler)
        self._stand_down()
        raise UsageError(
            f"This system completes connects to 127.0.0.1:{self._address[1]} although its accept queue is full, "
            "so the lab cannot play a silent port. Run the lab on Linux."
        )

    def _accept_waiting(self) -> None:
        while self._socket is not None:
            try:
                accepted, peer = self._socket.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = asyncio.get_running_loop().create_task(self._attend(accepted, peer[0]))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _attend(self, accepted: socket.socket, client: str) -> None:
        with contextlib.closing(accepted):
            if self._admit(client) is Admission.REFUSE:
                # A linger of zero turns close into RST.
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            try:
                async with asyncio.timeout(self._patience_s):
                    if self._admit(client) is Admission.SILENT:
                        await asyncio.sleep(self._patience_s)
                    else:
                        await self._converse(accepted)
            except (MalformedRequestError, asyncio.IncompleteReadError, OSError) as error:
                # TimeoutError and ssl.SSLError are OSErrors. Windows logs such ends and closes; so does the lab.
                _LOG.debug("RDP front %s:%s, client %s: %s", *self._address, client, error)

    async def _converse(self, accepted: socket.socket) -> None:
        listener = self._listener()
        if listener is None:
            return
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        opened: list[asyncio.StreamWriter] = []
        # With a callback the protocol makes the writer itself, and its start_tls takes the server's side.
        protocol = asyncio.StreamReaderProtocol(reader, lambda _reader, made: opened.append(made))
        await loop.connect_accepted_socket(lambda: protocol, accepted)
        writer = opened[0]
        try:
            response, security = negotiation.confirm(await _read_tpkt(reader), listener)
            writer.write(response)
            await writer.drain()
            if security and listener.thumbprint is not None:
                await writer.start_tls(self._tls_context(listener.thumbprint))
                if security & Security.HYBRID:
                    request = await _read_ts_request(reader)
                    writer.write(
                        negotiation.challenge(request, listener.computer_name, self._version, datetime.now(UTC))
                    )
                    await writer.drain()
            # What follows would be a logon or MCS: it is read and not answered, until the client leaves.
            while await reader.read(4096):
                pass
        finally:
            writer.transport.abort()

    def _tls_context(self, thumbprint: str) -> ssl.SSLContext:
        if thumbprint not in self._contexts:
            files = self._certificate(thumbprint)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(files.certificate, files.key)
            self._contexts[thumbprint] = context
        return self._contexts[thumbprint]


async def _read_tpkt(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(negotiation.TPKT_HEADER_BYTES)
    length = int.from_bytes(head[2:4], "big")
    if head[0] != 3 or not negotiation.TPKT_HEADER_BYTES < length <= negotiation.MAX_REQUEST_BYTES:
        raise MalformedRequestError("no TPKT header")
    return head + await reader.readexactly(length - len(head))


async def _read_ts_request(reader: asyncio.StreamReader) -> bytes:
    head = b""
    while (length := negotiation.ts_request_length(head)) is None:
        head += await reader.readexactly(1)
    return head + await reader.readexactly(length - len(head))
