"""One attempt: DNS, TCP, X.224, TLS and CredSSP on one connection, each under an absolute deadline.

Every stage answers None to go on to the next one, or the outcome that ends the attempt.
"""

import asyncio
import ipaddress
import os
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from rdp_remediate.probe import banner, credssp, ntlm, x224
from rdp_remediate.probe.certificate import read_certificate
from rdp_remediate.probe.connection import Connection
from rdp_remediate.probe.malformed import MalformedError
from rdp_remediate.probe.os_errors import classify_connect_error, error_name
from rdp_remediate.probe.outcome import Outcome, Stage
from rdp_remediate.probe.resolve import resolve
from rdp_remediate.probe.result import ProbeResult, StageTimes
from rdp_remediate.probe.times import ProbeTimes
from rdp_remediate.probe.tls import TlsClient

ADDRESSES_MAX = 4
_NEGOTIATION_OUTCOMES = {
    x224.NegotiationFailure.SSL_NOT_ALLOWED_BY_SERVER: Outcome.STANDARD_RDP,
    x224.NegotiationFailure.SSL_CERT_NOT_ON_SERVER: Outcome.NEG_FAILURE_CERT,
    x224.NegotiationFailure.ENTRA_AUTH_REQUIRED_BY_SERVER: Outcome.ENTRA_ONLY,
}


@dataclass(slots=True)
class _Clock:
    """Durations of the stages as they pass."""

    started: float = field(default_factory=time.perf_counter)
    times: StageTimes = field(default_factory=StageTimes)

    @asynccontextmanager
    async def stage(self, stage: Stage, limit_s: float, deadline: float) -> AsyncIterator[None]:
        began = time.perf_counter()
        try:
            async with asyncio.timeout_at(min(asyncio.get_running_loop().time() + limit_s, deadline)):
                yield
        finally:
            passed = {stage.value: round((time.perf_counter() - began) * 1000, 2)}
            self.times = replace(self.times, **passed)

    def end(self) -> StageTimes:
        return replace(self.times, total=round((time.perf_counter() - self.started) * 1000, 2))


@dataclass(frozen=True, slots=True)
class _ConnectFailure:
    address: str
    outcome: Outcome
    detail: str
    error: OSError | None = None


class Attempt:
    """One connection to one endpoint; made, run once, thrown away."""

    def __init__(
        self,
        host: str,
        port: int,
        times: ProbeTimes,
        *,
        connect_to: tuple[str, int] | None = None,
        cookie: str | None = None,
        offered: x224.SecurityProtocol = x224.OFFERED,
    ) -> None:
        """Prepares an attempt.

        Args:
            host: Name or address.
            port: TCP port.
            times: Deadlines.
            connect_to: Address and port to connect to in place of host and port.
            cookie: `mstshash` cookie of the connection request.
            offered: Protocols that the server may choose from.
        """
        self._times = times
        self._real = connect_to or (host, port)
        self._cookie = cookie
        self._offered = offered
        self._deadline = 0.0
        self._clock = _Clock()
        self._connection = Connection()
        self._addresses: list[str] = []
        self._received = bytearray()
        self._tls = TlsClient()
        self._found = ProbeResult(host, port, Outcome.DNS_ERROR, datetime.now(UTC))

    async def run(self) -> ProbeResult:
        """Runs the stages until one ends the attempt; the result has no findings and no identity yet."""
        self._deadline = asyncio.get_running_loop().time() + self._times.total_s
        try:
            outcome = await self._ended()
        finally:
            self._connection.abort()
        return replace(self._found, outcome=outcome, ms=self._clock.end())

    async def _ended(self) -> Outcome:
        for stage in (self._resolve, self._connect, self._negotiate, self._secure):
            outcome = await stage()
            if outcome is not None:
                return outcome
        return await self._authenticate()

    def _end(self, outcome: Outcome, detail: str, error: OSError | None = None) -> Outcome:
        self._found = replace(self._found, detail=detail, os_error=None if error is None else error_name(error))
        return outcome

    async def _resolve(self) -> Outcome | None:
        host, port = self._real
        try:
            self._addresses = [str(ipaddress.ip_address(host))]
        except ValueError:
            pass
        else:
            return None
        try:
            async with self._clock.stage(Stage.DNS, self._times.dns_s, self._deadline):
                found = await resolve(host, port)
        except TimeoutError:
            return self._end(Outcome.DNS_ERROR, f"The name {host} was not resolved in time.")
        except (OSError, UnicodeError) as error:
            return self._end(Outcome.DNS_ERROR, f"The name {host} was not resolved: {_reason(error)}.")
        self._addresses = found[:ADDRESSES_MAX]
        return None

    async def _connect(self) -> Outcome | None:
        # One address at a time: asyncio hides the errors when it is given several and all fail.
        failures: list[_ConnectFailure] = []
        for address in self._addresses:
            if failures and asyncio.get_running_loop().time() >= self._deadline:
                # What was not tried did not stay silent.
                failures[-1] = replace(
                    failures[-1], detail=f"{failures[-1].detail} {address} was not tried: the time was up."
                )
                break
            failure = await self._connect_to_address(address)
            if failure is None:
                return None
            failures.append(failure)
        # An address family that this computer or network lacks must not hide what the other one said.
        telling = next((one for one in failures if one.outcome is not Outcome.TCP_UNREACHABLE), failures[0])
        self._found = replace(self._found, peer=telling.address)
        return self._end(telling.outcome, " ".join(one.detail for one in failures), telling.error)

    async def _connect_to_address(self, address: str) -> _ConnectFailure | None:
        port = self._real[1]
        self._connection = connection = Connection()
        loop = asyncio.get_running_loop()
        try:
            async with self._clock.stage(Stage.TCP, self._times.connect_s, self._deadline):
                await loop.create_connection(lambda: connection, address, port)
        except OSError as error:
            if isinstance(error, TimeoutError):  # Ours or the kernel's.
                detail = f"{address} port {port} did not answer the connection request."
                return _ConnectFailure(address, Outcome.TCP_TIMEOUT, detail)
            detail = f"{address} port {port} could not be connected to: {_reason(error)}."
            return _ConnectFailure(address, classify_connect_error(error), detail, error)
        self._found = replace(self._found, peer=address, source=connection.address("sockname"))
        return None

    async def _negotiate(self) -> Outcome | None:
        self._connection.send(x224.connection_request(self._offered, self._cookie))
        try:
            async with self._clock.stage(Stage.X224, self._times.x224_s, self._deadline):
                while (length := x224.tpkt_length(self._received)) is None or len(self._received) < length:
                    data = await self._connection.receive()
                    if not data:
                        return self._closed_in_negotiation()
                    self._received += data
        except TimeoutError:
            return self._end(Outcome.X224_TIMEOUT, f"The connection is up, but {self._count()} of an answer came.")
        except OSError as error:
            return self._end(Outcome.X224_RESET, f"The connection ended before RDP answered: {_reason(error)}.", error)
        except MalformedError as error:
            self._found = replace(self._found, banner_hex=bytes(self._received[: banner.BANNER_BYTES_MAX]).hex())
            return self._end(banner.name_listener(bytes(self._received)), f"The answer is not RDP: {error}.")
        packet = bytes(self._received[:length])
        del self._received[:length]
        try:
            answer = x224.parse_answer(packet)
        except MalformedError as error:
            self._found = replace(self._found, banner_hex=packet[: banner.BANNER_BYTES_MAX].hex())
            return self._end(Outcome.X224_MALFORMED, f"The negotiation answer is wrong: {error}.")
        return self._judge_answer(answer)

    def _count(self) -> str:
        return f"{len(self._received)} bytes" if self._received else "nothing"

    def _closed_in_negotiation(self) -> Outcome:
        if self._received:
            self._found = replace(self._found, banner_hex=bytes(self._received[: banner.BANNER_BYTES_MAX]).hex())
            return self._end(Outcome.X224_MALFORMED, f"The negotiation answer ended after {len(self._received)} bytes.")
        return self._end(Outcome.X224_CLOSED, "The connection was closed before RDP answered.")

    def _judge_answer(self, answer: x224.Answer) -> Outcome | None:
        if isinstance(answer, x224.Disconnect):
            self._found = replace(self._found, x224_answered=True)
            return self._end(Outcome.X224_REFUSED, "RDP disconnected in place of an answer.")
        if isinstance(answer, x224.NegotiationRefusal):
            self._found = replace(self._found, x224_answered=True, neg_failure=answer.name)
            outcome = Outcome.NEG_FAILURE_OTHER
            if answer.code in list(x224.NegotiationFailure):
                outcome = _NEGOTIATION_OUTCOMES.get(x224.NegotiationFailure(answer.code), outcome)
            return self._end(outcome, f"RDP answered the negotiation with {answer.name}.")
        name = x224.protocol_name(answer.selected)
        if answer.selected & ~int(self._offered) or answer.selected.bit_count() > 1:
            return self._end(Outcome.X224_MALFORMED, f"The server selected {name}, which was not offered.")
        self._found = replace(self._found, x224_answered=True, selected=name, neg_flags=answer.flags)
        if answer.selected == 0:
            how = "selected it" if answer.negotiated else "does not negotiate"
            return self._end(Outcome.STANDARD_RDP, f"Standard RDP security only: the server {how}.")
        return None

    async def _secure(self) -> Outcome | None:
        self._tls.received(bytes(self._received))
        try:
            async with self._clock.stage(Stage.TLS, self._times.tls_s, self._deadline):
                while not self._tls.handshake():
                    self._connection.send(self._tls.to_send())
                    data = await self._connection.receive()
                    if not data:
                        return self._end(Outcome.TLS_CLOSED, "The connection was closed during the TLS handshake.")
                    self._tls.received(data)
        except TimeoutError:
            return self._end(Outcome.TLS_TIMEOUT, "The TLS handshake was not completed in time.")
        except ssl.SSLError as error:
            self._connection.send(self._tls.to_send())
            return self._end(Outcome.TLS_ERROR, f"The TLS handshake failed: {_reason(error)}.")
        except OSError as error:
            return self._end(Outcome.TLS_RESET, f"The TLS handshake was cut off: {_reason(error)}.", error)
        self._connection.send(self._tls.to_send())
        presented = self._tls.certificate
        self._found = replace(
            self._found,
            tls_done=True,
            tls_version=self._tls.version,
            tls_cipher=self._tls.cipher,
            cert=None if presented is None else read_certificate(presented),
        )
        if self._found.selected == "tls":
            return self._end(Outcome.TLS_OK, f"RDP answers over {self._tls.version}, without NLA.")
        return None

    async def _authenticate(self) -> Outcome:
        answer = bytearray()
        sent_at = time.time()
        try:
            async with self._clock.stage(Stage.CREDSSP, self._times.credssp_s, self._deadline):
                self._tls.write(credssp.negotiate_request())
                self._connection.send(self._tls.to_send())
                while (length := credssp.message_length(answer)) is None or len(answer) < length:
                    data = await self._decrypted()
                    if not data:
                        return self._end(Outcome.CREDSSP_CLOSED, "The connection was closed in place of an answer.")
                    answer += data
            request = credssp.parse(bytes(answer[:length]))
            received_at = time.time()
            self._found = replace(self._found, credssp_version=request.version, credssp_error=request.error_code)
            message = request.challenge_bytes
            if message is None:
                why = "no token" if request.error_code is None else f"the status 0x{request.error_code:08X}"
                return self._end(Outcome.NLA_NO_NTLM, f"RDP answers with NLA; its answer to NTLM is {why}.")
            challenge = ntlm.parse_challenge(message)
        except TimeoutError:
            return self._end(Outcome.CREDSSP_TIMEOUT, "The server did not answer the NTLM negotiation in time.")
        except ssl.SSLError as error:
            return self._end(Outcome.CREDSSP_CLOSED, f"TLS ended in place of an answer: {_reason(error)}.")
        except OSError as error:
            return self._end(Outcome.CREDSSP_RESET, f"The connection was cut off: {_reason(error)}.", error)
        except MalformedError as error:
            return self._end(Outcome.CREDSSP_MALFORMED, f"The answer is no CredSSP message: {error}.")
        self._found = replace(self._found, ntlm=challenge)
        self._note_clock(challenge, sent_at, received_at)
        return self._end(Outcome.NLA_OK, f"RDP answers with NLA over {self._tls.version}.")

    async def _decrypted(self) -> bytes:
        """Waits for decrypted bytes; empty when TLS or the connection was closed."""
        while (data := self._tls.read()) is None:
            self._connection.send(self._tls.to_send())
            raw = await self._connection.receive()
            if not raw:
                return b""
            self._tls.received(raw)
        return data

    def _note_clock(self, challenge: ntlm.NtlmChallenge, sent_at: float, received_at: float) -> None:
        if challenge.system_time is None:
            return
        uncertainty_s = (received_at - sent_at) / 2
        if challenge.system_time.microsecond == 0:
            uncertainty_s += 1.0  # Some servers cut the stamp to whole seconds.
        self._found = replace(
            self._found,
            clock_skew_s=round(challenge.system_time.timestamp() - (sent_at + received_at) / 2, 3),
            clock_uncertainty_s=round(uncertainty_s, 3),
        )


def _reason(error: Exception) -> str:
    """Gives the words of an error without its number."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    if isinstance(error, socket.gaierror):
        return error.strerror or str(error)
    if isinstance(error, OSError) and error.errno:
        # Not error.strerror: asyncio puts the address and its own words there.
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
