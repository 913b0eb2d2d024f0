"""Times the RDP probe: against nmap on real servers, with process start, and many targets at once.

Run it from the checkout: .venv/bin/python -m benchmarks.probe
"""

import argparse
import asyncio
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rdp_remediate.probe.outcome import Outcome, ProbeVerdict
from rdp_remediate.probe.prober import Prober, probe
from rdp_remediate.probe.target import ProbeTarget
from tests.probe.certificates import make_identity
from tests.probe.peers import LOOPBACK, WindowsShaped, serving
from tests.probe.real_servers import INSTALL, shadow, x_display, xrdp

CHECKOUT = Path(__file__).resolve().parents[1]
FASTER_THAN_NMAP = 25.0
MANY, CONCURRENCY, MANY_WITHIN_S = 500, 50, 1.5
ONE_PROBE = (
    "import asyncio,sys; from rdp_remediate.probe.prober import probe;"
    "print(asyncio.run(probe(sys.argv[1], int(sys.argv[2]))).outcome)"
)


def milliseconds(call: Callable[[], object], runs: int) -> list[float]:
    """Duration of each run."""
    durations = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        durations.append((time.perf_counter() - started) * 1000)
    return durations


async def in_process(port: int, expected: Outcome, runs: int) -> list[float]:
    """Durations of probes in one event loop; the first, which makes the TLS context, is not counted."""
    durations = []
    for _ in range(runs + 1):
        result = await probe(LOOPBACK, port)
        if result.outcome is not expected:
            raise SystemExit(f"The probe ended with {result.outcome} ({result.detail}); nothing was measured.")
        durations.append(result.ms.total)
    return durations[1:]


def new_process(port: int) -> Callable[[], object]:
    """One probe in a Python process of its own."""
    return lambda: run([sys.executable, "-c", ONE_PROBE, LOOPBACK, str(port)])


def nmap(port: int) -> Callable[[], object]:
    """One run of nmap's script that reads the same NTLM challenge."""
    command = ["nmap", "-Pn", "-n", "-p", str(port), "--script", "+rdp-ntlm-info", LOOPBACK]
    return lambda: run(command)


def run(command: list[str]) -> str:
    """Runs a command to its end and gives its output; a failure ends the benchmark."""
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=CHECKOUT)
    return done.stdout


def row(what: str, durations: list[float], note: str = "") -> float:
    """Prints one line and gives its median."""
    median = statistics.median(durations)
    print(f"  {what:<34}{median:9.1f} ms   ({min(durations):.1f} to {max(durations):.1f}, n={len(durations)})  {note}")
    return median


def compare(name: str, port: int, expected: Outcome, runs: int) -> tuple[float, float]:
    """Prints the figures of one server; gives the medians of probe and nmap."""
    print(f"{name}")
    ours = row("probe, in process", asyncio.run(in_process(port, expected, runs)))
    started = row(
        "probe, new Python process", milliseconds(new_process(port), max(3, runs // 2)), "process start included"
    )
    theirs = row("nmap +rdp-ntlm-info", milliseconds(nmap(port), max(3, runs // 2)), "process start included")
    print(
        f"  nmap takes {theirs / ours:.1f} times as long as the probe in process, {theirs / started:.1f} times with its start\n"
    )
    return ours, theirs


async def many(port: int) -> tuple[float, list[float], int]:
    """Probes the fake many times; gives wall time, durations and how many were ok."""
    prober = Prober(concurrency=CONCURRENCY)
    await prober.probe(ProbeTarget(LOOPBACK, port))
    started = time.perf_counter()
    results = await asyncio.gather(*(prober.probe(ProbeTarget(LOOPBACK, port)) for _ in range(MANY)))
    wall_s = time.perf_counter() - started
    ok = sum(result.verdict is ProbeVerdict.OK and result.attempts == 1 for result in results)
    return wall_s, [result.ms.total for result in results], ok


async def serve_fake() -> None:
    """Serves the fake until its standard input ends; prints its port."""
    with tempfile.TemporaryDirectory() as directory:
        context = make_identity("VM-BENCH-01").server_context(Path(directory))
        async with serving(WindowsShaped(context)) as peer:
            print(peer.port, flush=True)
            await asyncio.to_thread(sys.stdin.read)


def throughput(rounds: int) -> float:
    """Prints the figures of many probes at once; gives the median wall time in seconds."""
    command = [sys.executable, "-m", "benchmarks.probe", "--serve-fake"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as fake:
        if fake.stdin is None or fake.stdout is None:
            raise SystemExit("The fake server has no pipes.")
        port = int(fake.stdout.readline())
        print(f"{MANY} probes, {CONCURRENCY} at a time, fake NLA server in a process of its own")
        walls = []
        for _ in range(rounds):
            wall_s, durations, ok = asyncio.run(many(port))
            walls.append(wall_s)
            median = statistics.median(durations)
            print(
                f"  {wall_s:6.2f} s   {MANY / wall_s:5.0f} probes/s   {ok} of {MANY} ok at once   "
                f"median {median:.0f} ms, longest {max(durations):.0f} ms"
            )
        fake.stdin.close()
    return statistics.median(walls)


def target_line(what: str, met: bool) -> bool:
    """Prints whether a target was met."""
    print(f"  {'met   ' if met else 'MISSED'}  {what}")
    return met


def main() -> int:
    """Measures and prints everything; exit code 1 when a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="probes per server")
    parser.add_argument("--serve-fake", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve_fake:
        asyncio.run(serve_fake())
        return 0
    missing = [name for name in ("xrdp", "freerdp-shadow-cli", "Xvfb", "nmap") if shutil.which(name) is None]
    if missing:
        print(f"{', '.join(missing)} missing; {INSTALL}", file=sys.stderr)
        return 2
    load = os.getloadavg()[0]
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {load:.1f}, {nmap_version()}; medians\n")
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        certificate, key = make_identity("xrdp-bench").write(directory, "xrdp")
        plain = stack.enter_context(xrdp(directory / "xrdp", certificate, key))
        display = stack.enter_context(x_display(directory))
        nla = stack.enter_context(shadow(directory / "shadow", display, "/sec:nla", "-auth"))
        ours, theirs = compare("xrdp, negotiates TLS", plain.port, Outcome.TLS_OK, arguments.runs)
        compare("freerdp-shadow, NLA", nla.port, Outcome.NLA_OK, arguments.runs)
    wall_s = throughput(3)
    print("\nTargets")
    faster = target_line(
        f"at least {FASTER_THAN_NMAP:.0f} times as fast as nmap on xrdp", theirs / ours >= FASTER_THAN_NMAP
    )
    quick = target_line(f"{MANY} probes under {MANY_WITHIN_S} s", wall_s < MANY_WITHIN_S)
    return 0 if faster and quick else 1


def nmap_version() -> str:
    """The version line of nmap."""
    found = re.search(r"Nmap version [\d.]+", run([shutil.which("nmap") or "nmap", "--version"]))
    return found.group() if found else "nmap"


if __name__ == "__main__":
    sys.exit(main())
