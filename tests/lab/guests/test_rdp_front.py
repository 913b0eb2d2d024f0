import asyncio
import re
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from rdp_remediate.errors import UsageError
from rdp_remediate.lab.guest_runtime import Admission, GuestState, RdpFrontFactory, RdpListener
from rdp_remediate.lab.guest_runtime import RdpFront as RdpFrontProtocol
from rdp_remediate.lab.guests import states
from rdp_remediate.lab.guests.certificates import GuestCertificates
from rdp_remediate.lab.guests.dynamics import settle
from rdp_remediate.lab.guests.listener import bound_certificate, rdp_listener
from rdp_remediate.lab.guests.rdp_front import RdpFront
from rdp_remediate.probe.outcome import Outcome
from rdp_remediate.probe.prober import probe
from rdp_remediate.probe.times import ProbeTimes

ALL = 0x0B  # TLS, CredSSP, CredSSP with early authorisation
SSL_ONLY = 0x01


class Vm:
    """A guest whose port is open; tests change the admission and the state."""

    def __init__(self, folder: Path) -> None:
        self.certificates = GuestCertificates(folder)
        self.state: GuestState = settle(self.certificates.bind(states.healthy_state("server2022")))
        self.admission = Admission.ACCEPT
        self.clients: list[str] = []

    def admit(self, client: str) -> Admission:
        self.clients.append(client)
        return self.admission

    def listener(self) -> RdpListener | None:
        return rdp_listener(self.state)

    def front(self) -> RdpFront:
        return RdpFront(admit=self.admit, listener=self.listener, certificate=self.certificates.files, patience_s=5)


@asynccontextmanager
async def opened(vm: Vm) -> AsyncIterator[tuple[RdpFront, int]]:
    front = vm.front()
    port = await front.start()
    try:
        yield front, port
    finally:
        await front.close()


def request(protocols: int, cookie: bytes = b"") -> bytes:
    body = cookie + struct.pack("<BBHI", 1, 0, 8, protocols)
    return struct.pack(">BBHBB", 3, 0, 11 + len(body), 6 + len(body), 0xE0) + bytes(5) + body


def sha1(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - Windows names certificates so


async def negotiate(port: int, pdu: bytes) -> bytes:
    """Returns the Connection Confirm of a client that leaves afterwards."""
    async with asyncio.timeout(3):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(pdu)
            head = await reader.readexactly(4)
            return head + await reader.readexactly(int.from_bytes(head[2:4], "big") - 4)
        finally:
            writer.close()
            await writer.wait_closed()


def tls_client(port: int, protocols: int, say: bytes = b"") -> tuple[bytes, str, bytes]:
    """Returns the certificate (DER), the TLS version and what came after `say`, as an ordinary blocking client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=3) as plain:
        plain.sendall(request(protocols))
        assert plain.recv(64)[11] == 2
        with context.wrap_socket(plain) as secure:
            der = secure.getpeercert(binary_form=True)
            assert der is not None
            if say:
                secure.sendall(say)
            return der, str(secure.version()), secure.recv(4096) if say else b""


async def test_the_front_is_what_the_lab_asks_for(tmp_path: Path) -> None:
    factory: RdpFrontFactory = RdpFront
    vm = Vm(tmp_path)
    front: RdpFrontProtocol = factory(admit=vm.admit, listener=vm.listener, certificate=vm.certificates.files)
    port = await front.start()
    await front.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_it_binds_loopback_only(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"127\.0\.0\.0/8"):
        await Vm(tmp_path).front().start("0.0.0.0")


async def test_a_refused_port_refuses_at_once(tmp_path: Path) -> None:
    vm = Vm(tmp_path)
    vm.admission = Admission.REFUSE
    async with opened(vm) as (_, port):
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_a_silent_port_lets_many_clients_time_out(tmp_path: Path) -> None:
    vm = Vm(tmp_path)
    vm.admission = Admission.SILENT
    async with opened(vm) as (_, port):

        async def connect() -> bool:
            try:
                async with asyncio.timeout(1.2):  # longer than the first SYN retransmission
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
            except TimeoutError:
                return False
            writer.close()
            return True

        assert await asyncio.gather(*(connect() for _ in range(20))) == [False] * 20


async def test_the_posture_changes_on_one_port_in_any_order(tmp_path: Path) -> None:
    vm = Vm(tmp_path)
    seen = []
    order = [Admission.ACCEPT, Admission.SILENT, Admission.REFUSE, Admission.SILENT, Admission.ACCEPT,
             Admission.REFUSE, Admission.ACCEPT]  # fmt: skip
    async with opened(vm) as (front, port):
        for admission in order:
            vm.admission = admission
            await front.refresh()
            try:
                async with asyncio.timeout(0.3):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
            except TimeoutError:
                seen.append(Admission.SILENT)
            except ConnectionRefusedError:
                seen.append(Admission.REFUSE)
            else:
                seen.append(Admission.ACCEPT)
                writer.close()
    assert seen == order


async def test_a_client_that_waits_gets_in_when_the_door_opens(tmp_path: Path) -> None:
    vm = Vm(tmp_path)
    vm.admission = Admission.SILENT
    async with opened(vm) as (front, port):
        waiting = asyncio.create_task(negotiate(port, request(ALL)))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        vm.admission = Admission.ACCEPT
        await front.refresh()
        assert (await waiting)[11] == 2


async def test_a_client_that_is_not_admitted_is_reset(tmp_path: Path) -> None:
    vm = Vm(tmp_path)
    async with opened(vm) as (_, port):
        vm.admission = Admission.REFUSE  # the lab has not refreshed the front yet
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await negotiate(port, request(ALL))
    assert "127.0.0.1" in vm.clients


@pytest.mark.parametrize(
    ("layer", "nla", "protocols", "answer"),
    [  # rdp-probe measurements and winps; failures: 1 TLS required, 2 TLS not allowed, 5 CredSSP required
        (2, True, ALL, "021f080002000000"),
        (2, True, SSL_ONLY, "0300080005000000"),
        (2, True, 0, "0300080005000000"),
        (2, False, SSL_ONLY, "021f080001000000"),
        (2, False, ALL, "021f080002000000"),
        (2, False, 0, "0300080001000000"),
        (1, True, 0, "0300080005000000"),
        (1, False, 0, "021f080000000000"),
        (0, False, ALL, "0300080002000000"),
        (0, False, 0, "021f080000000000"),
    ],
)
async def test_it_negotiates_as_the_listener_demands(
    tmp_path: Path, layer: int, nla: bool, protocols: int, answer: str
) -> None:
    vm = Vm(tmp_path)
    listener = vm.listener()
    assert listener is not None
    changed = replace(listener, security_layer=layer, user_authentication=nla)
    front = RdpFront(admit=vm.admit, listener=lambda: changed, certificate=vm.certificates.files)
    port = await front.start()
    try:
        confirm = await negotiate(port, request(protocols))
        assert confirm[:11].hex() == "030000130ed00000123400"
        assert confirm[11:].hex() == answer
    finally:
        await front.close()


async def test_without_a_certificate_tls_is_declined(tmp_path: Path) -> None:
    vm = Vm(tmp_path)
    vm.state["certificates"]["LocalMachine\\Remote Desktop"] = []
    async with opened(vm) as (_, port):
        assert (await negotiate(port, request(ALL)))[11:].hex() == "0300080003000000"


async def test_a_cookie_before_the_request_is_skipped(tmp_path: Path) -> None:
    async with opened(Vm(tmp_path)) as (_, port):
        assert (await negotiate(port, request(ALL, b"Cookie: mstshash=rdpcheck\r\n")))[11] == 2


async def test_an_old_client_gets_a_short_confirm(tmp_path: Path) -> None:
    async with opened(Vm(tmp_path)) as (_, port):
        assert (await negotiate(port, bytes.fromhex("0300000b06e00000000000"))).hex() == "0300000b06d00000123400"


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", bytes.fromhex("0300ffff"), bytes.fromhex("03000013") + bytes(15)]
)
async def test_what_is_no_request_ends_the_connection(tmp_path: Path, garbage: bytes) -> None:
    async with opened(Vm(tmp_path)) as (_, port), asyncio.timeout(3):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(garbage)
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()


async def test_tls_shows_the_certificate_that_the_guest_binds(tmp_path: Path) -> None:
    vm = Vm(tmp_path)
    async with opened(vm) as (_, port):
        der, version, _ = await asyncio.to_thread(tls_client, port, ALL)
    certificate = x509.load_der_x509_certificate(der)
    thumbprint = sha1(certificate)
    entry = bound_certificate(vm.state)
    listener = vm.listener()
    assert entry is not None
    assert listener is not None
    assert thumbprint == entry["thumbprint"] == listener.thumbprint
    assert certificate.subject.rfc4514_string() == "CN=RDPVM01" == certificate.issuer.rfc4514_string()
    assert certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ") == entry["not_after"]
    assert version in {"TLSv1.2", "TLSv1.3"}


async def test_a_connection_after_the_first_one_is_served_too(tmp_path: Path) -> None:
    vm = Vm(tmp_path)
    vm.state = settle(vm.state)
    async with opened(vm) as (_, port):
        ders = await asyncio.gather(*(asyncio.to_thread(tls_client, port, ALL) for _ in range(5)))
    assert len({der for der, _, _ in ders}) == 1


async def test_credssp_answers_with_a_challenge_that_names_the_computer(tmp_path: Path) -> None:
    negotiate_token = bytes.fromhex(
        "3037a003020106a130302e302ca02a0428 4e544c4d53535000 01000000 b78208e2 0000000000000000 0000000000000000"
        "0a0063450000000f"
    )
    before = datetime.now(UTC)
    async with opened(Vm(tmp_path)) as (_, port):
        _, _, answer = await asyncio.to_thread(tls_client, port, ALL, negotiate_token)
    start = answer.index(b"NTLMSSP\x00\x02\x00\x00\x00")
    message = answer[start:]
    assert answer[0] == 0x30
    pairs_length, pairs_at = struct.unpack("<HxxI", message[40:48])
    pairs = dict(_pairs(message[pairs_at : pairs_at + pairs_length]))
    assert pairs[1].decode("utf-16-le") == "RDPVM01"
    assert pairs[3].decode("utf-16-le") == "RDPVM01"
    stamp = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=struct.unpack("<Q", pairs[7])[0] / 10)
    assert abs(stamp - before) < timedelta(seconds=5)
    assert message[48:52] == bytes([10, 0]) + (20348).to_bytes(2, "little")


async def test_the_product_s_probe_sees_the_three_postures(tmp_path: Path) -> None:
    vm = Vm(tmp_path)
    results = []
    async with opened(vm) as (front, port):
        for admission in (Admission.ACCEPT, Admission.SILENT, Admission.REFUSE):
            vm.admission = admission
            await front.refresh()
            results.append(await probe("127.0.0.1", port, ProbeTimes.short(1.0)))
    assert [result.outcome for result in results] == [Outcome.NLA_OK, Outcome.TCP_TIMEOUT, Outcome.TCP_REFUSED]
    listener = vm.listener()
    assert listener is not None
    assert results[0].handshake
    assert results[0].cert is not None
    assert results[0].cert.sha1 == listener.thumbprint
    assert results[0].ntlm is not None
    assert results[0].ntlm.nb_computer == listener.computer_name


def _pairs(data: bytes) -> list[tuple[int, bytes]]:
    pairs = []
    while data:
        kind, length = struct.unpack("<HH", data[:4])
        pairs.append((kind, data[4 : 4 + length]))
        data = data[4 + length :]
    return pairs


async def test_a_custom_certificate_is_presented_and_keeps_its_names(tmp_path: Path) -> None:
    vm = Vm(tmp_path)
    state = states.healthy_state("server2022")
    entry = {"thumbprint": "A94B7E01D35C8F2290E6B4417D0C9A3356F1E288", "subject": "CN=RDPVM01.contoso.com",
             "issuer": "CN=Contoso Issuing CA 2,DC=contoso,DC=com", "not_before": "2025-12-16T10:00:00Z",
             "not_after": "2026-12-16T10:00:00Z", "has_private_key": True}  # fmt: skip
    state["certificates"]["LocalMachine\\My"] = [entry]
    key = next(key for key in state["registry"] if key.endswith("RDP-Tcp"))
    state["registry"][key]["SSLCertificateSHA1Hash"] = ["Binary", "qUt+AdNcjyKQ5rRBfQyaM1bx4og="]
    vm.state = settle(vm.certificates.bind(state))
    bound = bound_certificate(vm.state)
    assert bound is not None
    assert bound["thumbprint"] != entry["thumbprint"]
    async with opened(vm) as (_, port):
        der, _, _ = await asyncio.to_thread(tls_client, port, ALL)
    certificate = x509.load_der_x509_certificate(der)
    assert sha1(certificate) == bound["thumbprint"]
    assert certificate.issuer.rfc4514_string() == entry["issuer"]
    assert vm.certificates.bind(vm.state) is vm.state


def test_a_thumbprint_of_no_guest_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape("GuestCertificates.bind")):
        GuestCertificates(tmp_path).files("00" * 20)


def test_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    vm = Vm(tmp_path)
    listener = vm.listener()
    assert listener is not None
    assert listener.thumbprint is not None
    assert vm.certificates.files(listener.thumbprint).key.stat().st_mode & 0o077 == 0


async def test_close_ends_what_is_connected(tmp_path: Path) -> None:
    vm = Vm(tmp_path)
    front = vm.front()
    port = await front.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(0x01)[:10])
    await asyncio.sleep(0.05)
    started = time.monotonic()
    await front.close()
    with suppress(ConnectionResetError):
        assert await reader.read() == b""
    assert time.monotonic() - started < 1
    writer.close()
