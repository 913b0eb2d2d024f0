"""The prober as a whole: addresses, names, retries, concurrency, cancellation, the port of the pipeline."""

import asyncio
import errno
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.errors import UsageError
from rdp_remediate.probe.bundle_prober import BundleProber
from rdp_remediate.probe.outcome import Outcome, ProbeVerdict
from rdp_remediate.probe.prober import Prober, probe, probe_confirmed
from rdp_remediate.probe.target import ProbeTarget
from rdp_remediate.probe.times import ProbeTimes
from tests.probe import peers
from tests.probe.certificates import ServerIdentity
from tests.probe.peers import LOOPBACK, WindowsShaped, answering, serving
from tests.probe.real_servers import free_port

TIMES = ProbeTimes.short(0.3)
PATIENT = ProbeTimes(confirm_delay_s=0.02)


@pytest.fixture
def context(identity: ServerIdentity, tmp_path: Path) -> ssl.SSLContext:
    return identity.server_context(tmp_path)


async def test_a_closed_port_is_refused_at_once() -> None:
    result = await probe_confirmed(ProbeTarget(LOOPBACK, free_port()))
    assert (result.outcome, result.verdict, result.os_error) == (
        Outcome.TCP_REFUSED,
        ProbeVerdict.REFUSED,
        "ECONNREFUSED",
    )
    assert (result.attempts, result.peer, result.source) == (1, LOOPBACK, None)


async def test_ipv6_works(context: ssl.SSLContext) -> None:
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6; sysctl net.ipv6.conf.lo.disable_ipv6=0")
    async with serving(WindowsShaped(context), "::1") as peer:
        result = await probe("::1", peer.port)
    assert (result.outcome, result.peer) == (Outcome.NLA_OK, "::1")


async def test_a_name_is_resolved_and_its_addresses_are_tried_in_turn(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(WindowsShaped(context)) as peer:

        def two_addresses(*_: Any, **__: Any) -> list[Any]:
            return [(socket.AF_INET, 1, 6, "", (address, peer.port)) for address in ("127.0.0.2", LOOPBACK)]

        monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
        result = await probe("vm1.contoso.example", peer.port)
    assert (result.outcome, result.peer) == (Outcome.NLA_OK, LOOPBACK)
    assert result.ms.dns is not None


async def test_when_no_address_answers_all_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()

    def two_addresses(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, 1, 6, "", (address, port)) for address in ("127.0.0.2", "127.0.0.3")]

    monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
    result = await probe("vm1.contoso.example", port)
    assert (result.outcome, result.peer) == (Outcome.TCP_REFUSED, "127.0.0.2")
    assert "127.0.0.2" in result.detail
    assert "127.0.0.3" in result.detail


async def test_a_missing_address_family_does_not_hide_the_answer_of_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def two_addresses(*_: Any, **__: Any) -> list[Any]:
        return [(0, 1, 6, "", (address, 3389)) for address in ("2001:db8::7", "203.0.113.7")]

    async def connect(_: Any, address: str, __: int) -> Any:
        number = errno.ENETUNREACH if ":" in address else errno.ECONNREFUSED
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", connect)
    result = await probe("vm1.contoso.example", 3389)
    assert (result.outcome, result.peer, result.os_error) == (Outcome.TCP_REFUSED, "203.0.113.7", "ECONNREFUSED")


async def test_an_address_that_there_was_no_time_for_is_not_called_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    def two_addresses(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, 1, 6, "", (address, 3389)) for address in ("203.0.113.7", "203.0.113.8")]

    async def never(*_: Any, **__: Any) -> Any:
        await asyncio.sleep(30)

    monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", never)
    result = await probe("vm1.contoso.example", 3389, ProbeTimes(connect_s=5, total_s=0.1))
    assert (result.outcome, result.peer) == (Outcome.TCP_TIMEOUT, "203.0.113.7")
    assert "203.0.113.7 port 3389 did not answer" in result.detail
    assert "203.0.113.8 was not tried" in result.detail


@pytest.mark.parametrize("host", ["does-not-exist.invalid", "a" * 70 + ".invalid", "..", "xn--\u20ac.invalid"])
async def test_a_name_that_does_not_resolve_is_our_error(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def no_such_name(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "does-not-exist.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(name.encode("idna").decode(), *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    result = await probe(host, 3389)
    assert (result.outcome, result.verdict, result.peer) == (Outcome.DNS_ERROR, ProbeVerdict.ERROR, None)
    assert host in result.detail


@contextmanager
def silent_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A resolver that answers only when the test is over, and for localhost at once."""
    over = threading.Event()

    def wait(name: str, port: int, **_: Any) -> list[Any]:
        if name != "localhost":
            over.wait(10)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, 1, 6, "", (LOOPBACK, port))]

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    yield
    over.set()


async def test_a_resolver_that_does_not_answer_is_our_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with silent_resolver(monkeypatch):
        result = await probe("slow.example", 3389, TIMES)
    assert result.outcome is Outcome.DNS_ERROR
    assert "in time" in result.detail


async def test_names_that_are_slow_to_resolve_do_not_hold_up_others(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with silent_resolver(monkeypatch):
        async with serving(WindowsShaped(context)) as peer:
            prober = Prober(ProbeTimes(dns_s=1, confirm_delay_s=0))
            slow = [asyncio.create_task(prober.probe(ProbeTarget(f"vm{at}.example"))) for at in range(40)]
            await asyncio.sleep(0)
            started = time.monotonic()
            result = await prober.probe(ProbeTarget("localhost", peer.port))
            assert (result.outcome, time.monotonic() - started < 1) == (Outcome.NLA_OK, True)
            assert {one.outcome for one in await asyncio.gather(*slow)} == {Outcome.DNS_ERROR}


def test_a_name_that_is_still_being_resolved_does_not_keep_the_process() -> None:
    script = (
        "import asyncio, socket, time; from rdp_remediate.probe.prober import probe;"
        "from rdp_remediate.probe.times import ProbeTimes;"
        "socket.getaddrinfo = lambda *_, **__: [time.sleep(30)];"
        "print(asyncio.run(probe('slow.example', 3389, ProbeTimes(dns_s=0.2))).outcome)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=15)
    assert (done.stdout.strip(), done.stderr) == ("dns_error", "")


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EPERM, errno.EADDRNOTAVAIL])
async def test_a_failure_of_this_computer_is_never_blamed_on_the_target(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def denied(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", denied)
    result = await probe_confirmed(ProbeTarget(LOOPBACK, 3389))
    assert (result.outcome, result.verdict) == (Outcome.TCP_LOCAL_DENIED, ProbeVerdict.ERROR)
    assert (result.os_error, result.attempts) == (errno.errorcode[number], 1)


async def test_the_total_caps_the_stages() -> None:
    times = ProbeTimes(x224_s=5, total_s=0.3)
    async with serving(answering()) as peer:
        started = asyncio.get_running_loop().time()
        result = await probe(LOOPBACK, peer.port, times)
    assert result.outcome is Outcome.X224_TIMEOUT
    assert asyncio.get_running_loop().time() - started < 2


async def test_a_mapping_connects_elsewhere_and_reports_both(context: ssl.SSLContext) -> None:
    async with serving(WindowsShaped(context)) as peer:
        prober = Prober(PATIENT, connect_to={("VM1.contoso.example", 3389): (LOOPBACK, peer.port)})
        result = await prober.probe(ProbeTarget("vm1.Contoso.example"))
    assert (result.outcome, result.host, result.port, result.peer) == (
        Outcome.NLA_OK,
        "vm1.Contoso.example",
        3389,
        LOOPBACK,
    )


async def test_concurrency_is_bounded_and_a_pause_holds_no_slot() -> None:
    at_once, most = 0, 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await peers.read_request(reader)
        await asyncio.sleep(0.02)
        at_once -= 1
        writer.write(peers.refusal(3))
        await writer.drain()

    async with serving(handle) as peer:
        prober = Prober(PATIENT, concurrency=3)
        results = await asyncio.gather(*(prober.probe(ProbeTarget(LOOPBACK, peer.port)) for _ in range(12)))
    assert {result.outcome for result in results} == {Outcome.NEG_FAILURE_CERT}
    assert most == 3
    async with serving(answering(after="close")) as peer, serving(answering(peers.refusal(3))) as quick:
        prober = Prober(ProbeTimes(confirm_delay_s=4), concurrency=1)
        waiting = asyncio.create_task(prober.probe(ProbeTarget(LOOPBACK, peer.port)))
        await asyncio.sleep(0.1)
        async with asyncio.timeout(2):
            await prober.probe(ProbeTarget(LOOPBACK, quick.port))
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


def test_a_concurrency_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="below one"):
        Prober(concurrency=0)


async def test_a_cancelled_probe_closes_its_connection() -> None:
    closed = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peers.read_request(reader)
        try:
            await reader.read(1)
        finally:
            closed.set()

    async with serving(handle) as peer:
        task = asyncio.create_task(probe(LOOPBACK, peer.port))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(2):
            await closed.wait()


async def test_nla_required_needs_the_servers_refusal(context: ssl.SSLContext) -> None:
    async def insisting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        offered = (await peers.read_request(reader))[15]
        if not offered & 0x02:
            writer.write(peers.refusal(5))
            await writer.drain()
            return
        writer.write(peers.CONFIRM_NLA)
        await writer.start_tls(context)
        await reader.read(4096)
        writer.write(peers.ts_request(peers.challenge()))
        await asyncio.sleep(5)

    async with serving(insisting) as peer:
        target = ProbeTarget(LOOPBACK, peer.port, ask_nla_required=True)
        assert (await Prober(PATIENT).probe(target)).nla_required is True
    async with serving(WindowsShaped(context)) as peer:  # It selects NLA although only TLS was offered.
        target = ProbeTarget(LOOPBACK, peer.port, ask_nla_required=True)
        assert (await Prober(PATIENT).probe(target)).nla_required is None
    target = ProbeTarget(LOOPBACK, free_port(), ask_nla_required=True)
    assert (await Prober(PATIENT).probe(target)).nla_required is None


async def test_the_pipelines_port_gives_json(context: ssl.SSLContext, identity: ServerIdentity) -> None:
    async with serving(WindowsShaped(context)) as peer:
        prober = BundleProber(PATIENT, connect_to={("203.0.113.7", 3389): (LOOPBACK, peer.port)})
        answer = await prober.probe("203.0.113.7", 3389, computer_name="vm-prod-01")
        other = await prober.probe("203.0.113.7", 3389, computer_name="vm-prod-02")
        nameless = await prober.probe("203.0.113.7", 3389)
    assert json.loads(json.dumps(answer)) == answer
    assert next(iter(answer)) == "schema"
    assert answer["schema"] == "rdp-remediate/probe/1"
    assert (answer["outcome"], answer["verdict"], answer["stage"]) == ("nla_ok", "ok", "credssp")
    assert (answer["handshake"], answer["identity"]) == (True, "own")
    assert answer["cert"]["sha1"] == identity.sha1
    assert answer["cert"]["days_left"] == pytest.approx(180, abs=0.2)
    assert answer["cert"]["not_after"].endswith("Z")
    assert answer["ntlm"]["nb_computer"] == "VM-PROD-01"
    assert set(answer["ms"]) == {"dns", "tcp", "x224", "tls", "credssp", "total"}
    assert answer["ms"]["dns"] is None
    assert answer["ms"]["total"] >= answer["ms"]["tls"] > 0
    assert (other["identity"], other["findings"]) == ("other", ["other_machine_answered"])
    assert nameless["identity"] == "unknown"


async def test_the_ports_caller_hears_of_wrong_words() -> None:
    with pytest.raises(UsageError):
        await BundleProber().probe("203.0.113.7", 70000)


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("bundle_prober", ("azure", "aiohttp")),
        # A probe in a process of its own starts fast: it needs no models.
        ("prober", ("azure", "aiohttp", "pydantic", "rich")),
    ],
)
def test_the_probe_imports_little(module: str, unwanted: tuple[str, ...]) -> None:
    script = (
        f"import rdp_remediate.probe.{module}, sys;"
        f"print([name for name in sys.modules if name.split('.')[0] in {unwanted!r}])"
    )
    output = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert output.strip() == "[]"
