"""The connections of a check: RDP through our own probe, web traffic as a plain TCP connection, Bastion as a WebSocket upgrade."""

import asyncio
import base64
import ipaddress
import os
import ssl

from rdp_remediate.models.client_check import Attempt
from rdp_remediate.probe.prober import Prober
from rdp_remediate.probe.result import ProbeResult
from rdp_remediate.probe.target import ProbeTarget

CONNECT_S = 8.0

_OUTCOMES = {
    "dns_error": "not_resolved",
    "tcp_timeout": "timeout",
    "tcp_refused": "refused",
    "tcp_unreachable": "unreachable",
    "tcp_reset": "reset",
    "tcp_local_denied": "local_denied",
    "x224_timeout": "no_answer",
    "x224_malformed": "no_answer",
    "x224_closed": "closed",
    "x224_reset": "reset",
    "tls_timeout": "tls_failed",
    "tls_closed": "tls_failed",
    "tls_reset": "tls_failed",
    "tls_error": "tls_failed",
}


async def try_rdp(prober: Prober, host: str, port: int, thumbprints: tuple[str, ...] = ()) -> Attempt:
    """One RDP connection up to the NTLM challenge; no user name and no password are sent."""
    return _attempt(await prober.probe(ProbeTarget(host, port, expected_thumbprints=thumbprints)))


def _attempt(result: ProbeResult) -> Attempt:
    word = result.outcome.value
    outcome = _OUTCOMES.get(word)
    if outcome is None:
        outcome = "not_rdp" if word.startswith("not_rdp") else "handshake" if result.handshake else "answered"
    contents = result.cert.contents if result.cert else None
    return Attempt.model_validate(
        {
            "host": result.host,
            "port": result.port,
            "address": result.host if _is_address(result.host) else result.peer,
            "outcome": outcome,
            "thumbprint": result.cert.sha1 if result.cert else None,
            "issuer": _line(contents.issuer) if contents else None,
            "subject": _line(contents.subject) if contents else None,
            "detail": _line(result.detail or result.outcome.sentence),
        }
    )


async def try_tcp(host: str, port: int) -> Attempt:
    """A TCP connection, closed at once."""
    found = {"host": host, "port": port}
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(host, port)
        peer = writer.get_extra_info("peername")
        writer.close()
        return Attempt.model_validate({**found, "outcome": "open", "address": peer[0] if peer else None})
    except (OSError, TimeoutError) as failed:
        return Attempt.model_validate({**found, "outcome": _failed(failed), "detail": _line(str(failed))})


async def try_bastion(host: str, port: int = 443, context: ssl.SSLContext | None = None) -> Attempt:
    """Asks a Bastion host for a WebSocket. Any HTTP answer of its own shows that the upgrade request passed; RFC 6455 4.1."""
    found = {"host": host, "port": port}
    key = base64.b64encode(os.urandom(16)).decode()
    request = (
        f"GET /webtunnelv2/ HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    try:
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(host, port, ssl=context or ssl.create_default_context())
            writer.write(request.encode())
            line = (await reader.readline())[:120].decode("latin-1").strip()
            peer = writer.get_extra_info("peername")
            writer.close()
    except (OSError, TimeoutError, ValueError) as failed:
        word = "tls_failed" if isinstance(failed, ssl.SSLError) else _failed(failed)
        return Attempt.model_validate({**found, "outcome": word, "detail": _line(str(failed))})
    outcome = "answered" if line.startswith("HTTP/1.1 ") else "closed" if not line else "not_rdp"
    return Attempt.model_validate({**found, "address": peer[0], "outcome": outcome, "detail": _line(line)})


def _failed(failed: Exception) -> str:
    if isinstance(failed, TimeoutError):
        return "timeout"
    if isinstance(failed, ConnectionRefusedError):
        return "refused"
    if isinstance(failed, ConnectionResetError):
        return "reset"
    if isinstance(failed, PermissionError):
        return "local_denied"
    if type(failed).__name__ == "gaierror":
        return "not_resolved"
    return "unreachable" if isinstance(failed, OSError) and failed.errno in (101, 113, 10051, 10065) else "error"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)[:400]
