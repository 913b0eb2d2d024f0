"""The probe against peers that are not RDP, or RDP that breaks off: each ends with its own outcome, in time."""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rdp_remediate.probe.outcome import Outcome, ProbeVerdict
from rdp_remediate.probe.prober import Prober, probe
from rdp_remediate.probe.result import Identity, ProbeFinding, ProbeResult
from rdp_remediate.probe.target import ProbeTarget
from rdp_remediate.probe.times import ProbeTimes
from tests.probe import peers
from tests.probe.certificates import ServerIdentity
from tests.probe.peers import LOOPBACK, Handler, WindowsShaped, answering, drip, serving

TIMES = ProbeTimes.short(0.3)
PATIENT = ProbeTimes(confirm_delay_s=0.02)
"""For peers that answer at once, so that a busy machine does not turn an answer into silence."""

ONE_CLASS = {Outcome.X224_CLOSED, Outcome.X224_RESET, Outcome.TCP_RESET}
"""Which of these a peer gets that ends the connection is a matter of chance."""


async def probe_peer(
    handler: Handler, times: ProbeTimes = PATIENT, thumbprints: tuple[str, ...] = (), names: tuple[str, ...] = ()
) -> ProbeResult:
    async with serving(handler) as peer:
        target = ProbeTarget(LOOPBACK, peer.port, expected_thumbprints=thumbprints, expected_computer_names=names)
        return await Prober(times).probe(target)


@pytest.fixture
def context(identity: ServerIdentity, tmp_path: Path) -> ssl.SSLContext:
    return identity.server_context(tmp_path)


# --- not RDP ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("banner", "outcome"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", Outcome.NOT_RDP_HTTP),
        (b"<html><title>Bad request</title></html>", Outcome.NOT_RDP_HTTP),
        (b"\r\n<!DOCTYPE html>", Outcome.NOT_RDP_HTTP),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", Outcome.NOT_RDP_SSH),
        (bytes.fromhex("15030100020246"), Outcome.NOT_RDP_TLS),
        (bytes.fromhex("160303004a0200"), Outcome.NOT_RDP_TLS),
        (b"220 mail.example ESMTP\r\n", Outcome.NOT_RDP_OTHER),
        (b"\x00", Outcome.NOT_RDP_OTHER),
        (bytes.fromhex("0300ffff0ed0"), Outcome.NOT_RDP_OTHER),  # TPKT length 65535
        (bytes.fromhex("03000004"), Outcome.NOT_RDP_OTHER),  # TPKT of a header only
        (bytes.fromhex("0301"), Outcome.NOT_RDP_OTHER),
    ],
)
@pytest.mark.parametrize("after", ["wait", "close", "reset"])
async def test_another_service_is_named_by_its_first_bytes(banner: bytes, outcome: Outcome, after: str) -> None:
    started = time.monotonic()
    result = await probe_peer(answering(banner, after=after, pause_s=0.01))
    assert (result.outcome, result.verdict) == (outcome, ProbeVerdict.NOT_RDP)
    assert result.banner_hex == banner.hex()[:128]
    assert result.attempts == 1
    assert not result.x224_answered
    # The default deadline of the negotiation is four seconds: nothing was waited for.
    assert time.monotonic() - started < 2


async def test_a_server_that_speaks_first_is_not_rdp() -> None:
    result = await probe_peer(answering(b"SSH-2.0-OpenSSH_9.2p1\r\n", ask_first=False))
    assert result.outcome is Outcome.NOT_RDP_SSH


async def test_a_web_server_that_waits_for_a_line_is_named_by_the_confirming_attempt() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.0 400 Bad request syntax\r\n\r\n")
        await asyncio.sleep(5)

    result = await probe_peer(handle, TIMES)
    assert (result.outcome, result.attempts) == (Outcome.NOT_RDP_HTTP, 2)
    assert result.earlier_outcomes == (Outcome.X224_TIMEOUT,)


async def test_a_tls_only_server_is_not_rdp(context: ssl.SSLContext) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writer.start_tls(context)

    result = await probe_peer(handle, TIMES)
    # asyncio's TLS closes on bytes that are no TLS; others send an alert.
    assert result.outcome in ONE_CLASS | {Outcome.NOT_RDP_TLS}
    assert not result.handshake


# --- TCP, then nothing ------------------------------------------------------------------------------------------------


async def test_silence_is_confirmed_within_two_deadlines() -> None:
    requests: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await peers.read_request(reader))
        await asyncio.sleep(10)

    started = time.monotonic()
    result = await probe_peer(handle, TIMES)
    assert 0.6 <= time.monotonic() - started < 3
    assert (result.outcome, result.verdict) == (Outcome.X224_TIMEOUT, ProbeVerdict.NO_ANSWER)
    assert (result.attempts, result.earlier_outcomes) == (2, (Outcome.X224_TIMEOUT,))
    assert result.ms.x224 is not None
    assert 290 <= result.ms.x224 < 1500
    # No cookie at first, our own name when it is asked again.
    assert requests == [
        bytes.fromhex("030000130ee00000000000010008000b000000"),
        bytes.fromhex("0300002e29e00000000000") + b"Cookie: mstshash=rdpcheck\r\n" + bytes.fromhex("010008000b000000"),
    ]


async def test_a_full_accept_queue_is_silence_on_the_connection_request() -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as listener, socket.socket() as first:
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        first.setblocking(False)
        port = listener.getsockname()[1]
        await loop.sock_connect(first, (LOOPBACK, port))
        result = await probe(LOOPBACK, port, TIMES)
    assert (result.outcome, result.verdict) == (Outcome.TCP_TIMEOUT, ProbeVerdict.FILTERED)
    assert result.ms.x224 is None


@pytest.mark.parametrize("ask_first", [True, False])
@pytest.mark.parametrize("after", ["close", "reset"])
async def test_an_end_before_an_answer(after: str, ask_first: bool) -> None:
    result = await probe_peer(answering(after=after, ask_first=ask_first))
    assert result.outcome in ONE_CLASS
    assert result.verdict is ProbeVerdict.NO_ANSWER
    assert result.attempts == 2


async def test_a_drip_does_not_extend_the_deadline() -> None:
    async with serving(answering(*drip(peers.CONFIRM_TLS), pause_s=0.1)) as peer:
        started = time.monotonic()
        result = await probe(LOOPBACK, peer.port, TIMES)
    assert result.outcome is Outcome.X224_TIMEOUT
    # The whole answer would take two seconds.
    assert time.monotonic() - started < 1.7
    assert not result.x224_answered


async def test_a_drip_within_the_deadline_is_an_answer() -> None:
    result = await probe_peer(answering(*drip(peers.CONFIRM_STANDARD), pause_s=0.005))
    assert result.outcome is Outcome.STANDARD_RDP


async def test_a_truncated_answer_is_malformed() -> None:
    result = await probe_peer(answering(peers.CONFIRM_NLA[:10], after="close"))
    assert (result.outcome, result.verdict) == (Outcome.X224_MALFORMED, ProbeVerdict.NO_ANSWER)
    assert (result.attempts, result.banner_hex) == (2, peers.CONFIRM_NLA[:10].hex())


# --- RDP answers, TLS does not ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "outcome", "verdict"),
    [
        (peers.DISCONNECT, Outcome.X224_REFUSED, ProbeVerdict.DEGRADED),
        (peers.CONFIRM_XP, Outcome.STANDARD_RDP, ProbeVerdict.DEGRADED),
        (peers.CONFIRM_STANDARD, Outcome.STANDARD_RDP, ProbeVerdict.DEGRADED),
        (peers.refusal(1) + peers.DISCONNECT, Outcome.NEG_FAILURE_OTHER, ProbeVerdict.DEGRADED),
        (peers.refusal(2), Outcome.STANDARD_RDP, ProbeVerdict.DEGRADED),
        (peers.refusal(3), Outcome.NEG_FAILURE_CERT, ProbeVerdict.DEGRADED),
        (peers.refusal(4), Outcome.NEG_FAILURE_OTHER, ProbeVerdict.DEGRADED),
        (peers.refusal(5), Outcome.NEG_FAILURE_OTHER, ProbeVerdict.DEGRADED),
        (peers.refusal(6), Outcome.NEG_FAILURE_OTHER, ProbeVerdict.DEGRADED),
        (peers.refusal(7), Outcome.ENTRA_ONLY, ProbeVerdict.OK),
        (peers.refusal(99), Outcome.NEG_FAILURE_OTHER, ProbeVerdict.DEGRADED),
    ],
)
async def test_an_x224_answer_alone_is_never_a_handshake(
    answer: bytes, outcome: Outcome, verdict: ProbeVerdict
) -> None:
    result = await probe_peer(answering(answer))
    assert (result.outcome, result.verdict, result.attempts) == (outcome, verdict, 1)
    assert result.x224_answered
    assert not result.handshake
    assert result.identity is Identity.UNKNOWN
    assert (ProbeFinding.ENTRA_ONLY in result.findings) == (outcome is Outcome.ENTRA_ONLY)


@pytest.mark.parametrize("selected", ["04", "10", "03", "80"])
async def test_a_protocol_that_was_not_offered_is_malformed(selected: str) -> None:
    result = await probe_peer(answering(bytes.fromhex(f"030000130ed00000123400020008 00{selected}000000")))
    assert result.outcome is Outcome.X224_MALFORMED
    assert not result.x224_answered


@pytest.mark.parametrize(
    ("parts", "after", "outcomes"),
    [
        ((), "wait", {Outcome.TLS_TIMEOUT}),
        ((), "close", {Outcome.TLS_CLOSED, Outcome.TLS_RESET}),
        ((), "reset", {Outcome.TLS_CLOSED, Outcome.TLS_RESET}),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), "close", {Outcome.TLS_ERROR}),
        ((bytes.fromhex("15030300020228"),), "close", {Outcome.TLS_ERROR}),  # alert handshake_failure
    ],
)
async def test_rdp_that_ends_in_the_tls_handshake(parts: tuple[bytes, ...], after: str, outcomes: set[Outcome]) -> None:
    times = ProbeTimes(tls_s=0.3, confirm_delay_s=0.02) if after == "wait" else PATIENT
    result = await probe_peer(answering(peers.CONFIRM_NLA, *parts, after=after, pause_s=0.02), times)
    assert result.outcome in outcomes
    assert result.verdict is ProbeVerdict.DEGRADED
    assert (result.x224_answered, result.tls_done, result.handshake) == (True, False, False)
    assert result.attempts == (1 if result.outcome is Outcome.TLS_ERROR else 2)


async def test_bytes_behind_the_confirm_in_one_segment_belong_to_tls() -> None:
    result = await probe_peer(answering(peers.CONFIRM_NLA + b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    assert (result.outcome, result.attempts) == (Outcome.TLS_ERROR, 1)


# --- NLA --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("confirm", "selected"), [(peers.CONFIRM_NLA, "nla"), (peers.CONFIRM_NLA_EX, "nla_ex")], ids=["nla", "nla_ex"]
)
async def test_a_windows_server_is_read_whole(
    context: ssl.SSLContext, identity: ServerIdentity, confirm: bytes, selected: str
) -> None:
    windows = WindowsShaped(context, confirm)
    result = await probe_peer(windows, thumbprints=(identity.sha256,), names=("vm-prod-01",))
    assert (result.outcome, result.verdict, result.selected) == (Outcome.NLA_OK, ProbeVerdict.OK, selected)
    assert result.neg_flags == (
        "EXTENDED_CLIENT_DATA_SUPPORTED",
        "DYNVC_GFX_PROTOCOL_SUPPORTED",
        "NEGRSP_FLAG_RESERVED",
        "RESTRICTED_ADMIN_MODE_SUPPORTED",
        "REDIRECTED_AUTHENTICATION_MODE_SUPPORTED",
    )
    assert result.ntlm is not None
    assert result.ntlm.target_name == "CONTOSO"
    assert result.ntlm.nb_domain == "CONTOSO"
    assert result.ntlm.nb_computer == "VM-PROD-01"
    assert result.ntlm.dns_domain == "contoso.example"
    assert result.ntlm.dns_computer == "VM-PROD-01.contoso.example"
    assert result.ntlm.dns_tree == "contoso.example"
    assert result.ntlm.product_version == "10.0.20348"
    assert result.clock_skew_s == pytest.approx(0, abs=1)
    assert (result.identity, result.findings) == (Identity.OWN, ())
    assert result.handshake
    # The client's message: version 6, raw NTLM NEGOTIATE, neither domain nor workstation.
    assert windows.tokens == [
        bytes.fromhex(
            "3037a003020106a130302e302ca02a04284e544c4d5353500001000000b78208e2"
            "000000000000000000000000000000000a0063450000000f"
        )
    ]


async def test_a_challenge_byte_by_byte_is_read(context: ssl.SSLContext) -> None:
    windows = WindowsShaped(context, pieces=lambda: drip(peers.ts_request(peers.challenge())))
    result = await probe_peer(windows)
    assert result.outcome is Outcome.NLA_OK
    assert result.ntlm is not None
    assert result.ntlm.nb_computer == "VM-PROD-01"


@pytest.mark.parametrize(
    ("pieces", "outcome"),
    [
        (lambda: (peers.ts_request(error_code=0xC0000418),), Outcome.NLA_NO_NTLM),
        (lambda: (peers.ts_request(),), Outcome.NLA_NO_NTLM),
        (lambda: (peers.ts_request(b"\x60\x06not NTLM"),), Outcome.NLA_NO_NTLM),
        (lambda: (b"HTTP/1.1 400 Bad Request\r\n\r\n",), Outcome.CREDSSP_MALFORMED),
        (lambda: (b"\x30\x84\x7f\xff\xff\xff",), Outcome.CREDSSP_MALFORMED),
        (lambda: (b"\x30\x83\x01\x00\x01",), Outcome.CREDSSP_MALFORMED),  # longer than 64 KiB
        (lambda: (peers.ts_request(peers.challenge()[:40]),), Outcome.CREDSSP_MALFORMED),
    ],
    ids=["ntlm-blocked", "no-token", "no-ntlm", "http", "long-length", "too-long", "short-challenge"],
)
async def test_an_nla_answer_without_a_challenge(
    context: ssl.SSLContext, pieces: Callable[[], tuple[bytes, ...]], outcome: Outcome
) -> None:
    result = await probe_peer(WindowsShaped(context, pieces=pieces))
    assert (result.outcome, result.attempts) == (outcome, 1)
    assert result.verdict is (ProbeVerdict.OK if outcome is Outcome.NLA_NO_NTLM else ProbeVerdict.DEGRADED)
    assert result.handshake
    assert result.ntlm is None


async def test_the_status_of_an_nla_refusal_is_reported(context: ssl.SSLContext) -> None:
    result = await probe_peer(WindowsShaped(context, pieces=lambda: (peers.ts_request(error_code=0xC0000418),)))
    assert result.credssp_error == 0xC0000418
    assert result.to_json()["credssp_error"] == "0xC0000418"
    assert "0xC0000418" in result.detail


@pytest.mark.parametrize(
    ("after", "outcomes"),
    [
        ("wait", {Outcome.CREDSSP_TIMEOUT}),
        ("close", {Outcome.CREDSSP_CLOSED}),
        ("reset", {Outcome.CREDSSP_RESET, Outcome.CREDSSP_CLOSED}),
    ],
)
@pytest.mark.parametrize("part", [b"", peers.ts_request(peers.challenge())[:30]], ids=["nothing", "a part"])
async def test_nla_that_breaks_off(context: ssl.SSLContext, after: str, outcomes: set[Outcome], part: bytes) -> None:
    pieces = (part,) if part else ()
    times = ProbeTimes(credssp_s=0.2, confirm_delay_s=0.02) if after == "wait" else PATIENT
    result = await probe_peer(WindowsShaped(context, pieces=lambda: pieces, after=after), times)
    assert result.outcome in outcomes
    assert (result.verdict, result.attempts) == (ProbeVerdict.DEGRADED, 2)
    assert result.handshake


@pytest.mark.parametrize(("ahead_s", "found"), [(-420.0, True), (420.0, True), (-200.0, False)])
async def test_a_skewed_clock_is_measured(context: ssl.SSLContext, ahead_s: float, found: bool) -> None:
    windows = WindowsShaped(context, pieces=lambda: (peers.ts_request(peers.challenge(clock_ahead_s=ahead_s)),))
    result = await probe_peer(windows)
    assert result.clock_skew_s == pytest.approx(ahead_s, abs=1)
    assert (ProbeFinding.CLOCK_SKEW in result.findings) is found
    assert result.verdict is ProbeVerdict.OK


async def test_a_slow_answer_widens_the_uncertainty_of_the_clock(context: ssl.SSLContext) -> None:
    result = await probe_peer(WindowsShaped(context, delay_s=0.6))
    # The stamp is made at the end of the wait, the middle of which it is compared with.
    assert result.clock_skew_s == pytest.approx(0.3, abs=0.2)
    assert result.clock_uncertainty_s == pytest.approx(0.3, abs=0.2)


async def test_a_bad_answer_that_does_not_repeat_is_not_reported(context: ssl.SSLContext) -> None:
    windows = WindowsShaped(context)
    calls = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            peers.reset(writer)
        else:
            await windows(reader, writer)

    result = await probe_peer(handle)
    assert (result.outcome, result.attempts) == (Outcome.NLA_OK, 2)
    assert len(result.earlier_outcomes) == 1
    assert result.earlier_outcomes[0] in ONE_CLASS
