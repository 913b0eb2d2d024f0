"""The probe through packet filters: what each kind of refusal and silence looks like from the client."""

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rdp_remediate.probe.outcome import Outcome, ProbeVerdict
from rdp_remediate.probe.prober import probe
from rdp_remediate.probe.result import ProbeResult
from rdp_remediate.probe.times import ProbeTimes
from tests.probe.certificates import ServerIdentity
from tests.probe.namespaces import NOBODYS_ADDRESS, SERVER_ADDRESS, Cable, cable
from tests.probe.peers import WindowsShaped, serving

# Short only where silence is due, so that a busy machine does not turn an answer into silence.
PATIENT = ProbeTimes()
CLOSED_PORT = 3390


@dataclass(frozen=True)
class FilteredServer:
    """A Windows-shaped server behind a packet filter."""

    cable: Cable
    port: int

    def probe(self, port: int | None = None, address: str = SERVER_ADDRESS, times: ProbeTimes = PATIENT) -> ProbeResult:
        return self.cable.in_client(lambda: asyncio.run(probe(address, port or self.port, times)))


@pytest.fixture(scope="module")
def server(identity: ServerIdentity, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilteredServer]:
    context = identity.server_context(Path(tmp_path_factory.mktemp("filtered")))
    ports: list[int] = []
    listening, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        async with serving(WindowsShaped(context), SERVER_ADDRESS) as peer:
            ports.append(peer.port)
            listening.set()
            while not stop.is_set():
                await asyncio.sleep(0.02)

    with cable() as names:
        thread = threading.Thread(target=lambda: names.in_server(lambda: asyncio.run(serve())))
        thread.start()
        try:
            assert listening.wait(5)
            yield FilteredServer(names, ports[0])
        finally:
            stop.set()
            thread.join()


def incoming(rule: str) -> str:
    return f"chain incoming {{ type filter hook input priority 0; {rule}; }}"


def outgoing(rule: str) -> str:
    return f"chain outgoing {{ type filter hook output priority 0; {rule}; }}"


def test_an_open_path_is_ok(server: FilteredServer) -> None:
    server.cable.filter_at_server("")
    result = server.probe()
    assert (result.outcome, result.source) == (Outcome.NLA_OK, "10.99.0.1")


@pytest.mark.parametrize(
    ("rule", "outcome", "verdict", "os_error"),
    [
        ("drop", Outcome.TCP_TIMEOUT, ProbeVerdict.FILTERED, None),
        ("reject with tcp reset", Outcome.TCP_REFUSED, ProbeVerdict.REFUSED, "ECONNREFUSED"),
        ("reject with icmpx port-unreachable", Outcome.TCP_REFUSED, ProbeVerdict.REFUSED, "ECONNREFUSED"),
        ("reject with icmpx host-unreachable", Outcome.TCP_UNREACHABLE, ProbeVerdict.UNREACHABLE, "EHOSTUNREACH"),
        ("reject with icmpx admin-prohibited", Outcome.TCP_UNREACHABLE, ProbeVerdict.UNREACHABLE, "EHOSTUNREACH"),
        ("reject with icmp net-unreachable", Outcome.TCP_UNREACHABLE, ProbeVerdict.UNREACHABLE, "ENETUNREACH"),
    ],
)
def test_a_filtered_connection_request(
    server: FilteredServer, rule: str, outcome: Outcome, verdict: ProbeVerdict, os_error: str | None
) -> None:
    server.cable.filter_at_server(incoming(f"tcp dport {server.port} {rule}"))
    result = server.probe(times=ProbeTimes(connect_s=0.3) if rule == "drop" else PATIENT)
    assert (result.outcome, result.verdict, result.os_error) == (outcome, verdict, os_error)


@pytest.mark.parametrize(
    ("rule", "outcomes"),
    [("drop", {Outcome.X224_TIMEOUT}), ("reject with tcp reset", {Outcome.X224_RESET, Outcome.X224_CLOSED})],
)
def test_filtered_data_after_the_connection(server: FilteredServer, rule: str, outcomes: set[Outcome]) -> None:
    server.cable.filter_at_server(incoming(f"tcp dport {server.port} tcp flags & psh == psh {rule}"))
    result = server.probe(times=ProbeTimes(x224_s=0.3) if rule == "drop" else PATIENT)
    assert result.outcome in outcomes
    assert result.verdict is ProbeVerdict.NO_ANSWER


def test_a_closed_port_refuses(server: FilteredServer) -> None:
    server.cable.filter_at_server("")
    assert server.probe(CLOSED_PORT).outcome is Outcome.TCP_REFUSED


def test_a_closed_port_in_stealth_mode_is_silent(server: FilteredServer) -> None:
    server.cable.filter_at_server(outgoing(f"tcp sport {CLOSED_PORT} tcp flags & rst == rst drop"))
    assert server.probe(CLOSED_PORT, times=ProbeTimes(connect_s=0.3)).outcome is Outcome.TCP_TIMEOUT


def test_a_path_that_loses_large_packets_stops_in_tls(server: FilteredServer) -> None:
    server.cable.filter_at_server(outgoing(f"tcp sport {server.port} meta length > 900 drop"))
    result = server.probe(times=ProbeTimes(tls_s=0.3))
    assert (result.outcome, result.verdict) == (Outcome.TLS_TIMEOUT, ProbeVerdict.DEGRADED)
    assert result.x224_answered
    assert not result.handshake


def test_an_address_that_nobody_has_is_unreachable(server: FilteredServer) -> None:
    # The kernel asks three times for the hardware address, a second apart; here 50 ms apart.
    setting = Path("/proc/sys/net/ipv4/neigh/near/retrans_time_ms")
    server.cable.in_client(lambda: setting.write_text("50"))
    started = time.monotonic()
    result = server.probe(address=NOBODYS_ADDRESS)
    assert (result.outcome, result.os_error) == (Outcome.TCP_UNREACHABLE, "EHOSTUNREACH")
    assert time.monotonic() - started < 4
