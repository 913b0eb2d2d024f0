"""`rdp-remediate scan` over synthetic estates: time, memory, requests, and whether they grow in proportion."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.estate import SyntheticEstate
from benchmarks.pattern import OFFICE
from benchmarks.tables import Section

CHECKOUT = Path(__file__).resolve().parents[1]
SMALLEST = 50
_COMMAND = "import sys; from rdp_remediate.cli import main; sys.exit(main())"
_MOST_GROWTH = 1.5


@dataclass(frozen=True, slots=True)
class Run:
    """One scan in a process of its own."""

    vms: int
    wall_s: float
    cpu_s: float
    peak_mib: float
    requests: int
    expected_requests: int
    right: bool
    document: dict[str, Any]


@contextmanager
def _serving(vms: int) -> Iterator[dict[str, str]]:
    """A lab with an estate in a process of its own; ends it."""
    command = [sys.executable, "-m", "benchmarks.estate", "--vms", str(vms)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as lab:
        if lab.stdin is None or lab.stdout is None:
            raise SystemExit("The lab has no pipes.")
        exports: dict[str, str] = json.loads(lab.stdout.readline())
        yield {**os.environ, **exports}
        lab.stdin.close()


def scan_once(vms: int) -> Run:
    """Scans an estate of so many VMs."""
    estate = SyntheticEstate(vms)
    arguments = ["scan", "-S", *estate.subscriptions, "--source", OFFICE, "--output", "json"]
    with _serving(vms) as environment:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, cwd=CHECKOUT,
        )  # fmt: skip
        if process.stdout is None:
            raise SystemExit("The scan has no output.")
        output = process.stdout.read()
        process.stdout.close()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 1:
        raise SystemExit(f"The scan of {vms} VMs ended with exit code {process.returncode}; nothing was measured.")
    document = json.loads(output)
    requests = sum(document["requests"].values())
    wanted = sum(-(-estate.size(kind) // 1000) for kind in estate.types())
    right = all(document["counts"][name] == count for name, count in estate.expected.items())
    cpu_s = usage.ru_utime + usage.ru_stime
    return Run(
        vms, wall_s, cpu_s, usage.ru_maxrss / 1024, requests, wanted, right and not document["unavailable"], document
    )


def measure(sizes: Sequence[int]) -> Section:
    """Scans every size once; a scan of fifty VMs shows what the start costs."""
    start = scan_once(SMALLEST)
    runs = [scan_once(vms) for vms in sizes]
    rows: list[Sequence[str]] = [
        ("VMs", "NSGs", "requests", "wall s", "reading s", "judging s", "CPU s", "CPU ms/VM", "peak MiB", "KiB/VM")
    ]
    for run in (start, *runs):
        timings = run.document["timings_s"]
        more = run.vms - SMALLEST
        rows.append(
            (
                f"{run.vms:,}", f"{run.vms // 5:,}", f"{run.requests}", f"{run.wall_s:.1f}", f"{timings['read']:.1f}",
                f"{timings['judge']:.1f}", f"{run.cpu_s:.1f}", f"{_cpu_ms(run, start):.2f}" if more else "start",
                f"{run.peak_mib:.0f}", f"{_kib(run, start):.1f}" if more else "start",
            )
        )  # fmt: skip
    section = Section(
        "Scan",
        "Each row is one process of `rdp-remediate scan --output json` against a lab in another process (12 rules of its own "
        "and 6 default ones per NSG, two subscriptions). Per VM: what goes beyond the scan of fifty VMs, which is the start. "
        "CPU time is the scan's own; the wall time also holds the lab's work and whatever else the machine does.",
        rows,
    )
    section.target("every planted finding and no other", met=all(run.right for run in runs))
    within = all(run.requests <= run.expected_requests for run in runs)
    section.target("at most one request per 1,000 resources of a type", met=within)
    if len(runs) > 1:
        first, last = runs[0], runs[-1]
        growth = _cpu_ms(last, start) / _cpu_ms(first, start)
        memory = _kib(last, start) / _kib(first, start)
        section.notes.append(
            f"From {first.vms:,} to {last.vms:,} VMs the cost of one VM changes by a factor of {growth:.2f} in CPU time and "
            f"{memory:.2f} in memory."
        )
        section.target(f"linear: neither factor above {_MOST_GROWTH}", met=max(growth, memory) <= _MOST_GROWTH)
    return section


def _cpu_ms(run: Run, start: Run) -> float:
    return (run.cpu_s - start.cpu_s) * 1000 / (run.vms - start.vms)


def _kib(run: Run, start: Run) -> float:
    return (run.peak_mib - start.peak_mib) * 1024 / (run.vms - start.vms)
