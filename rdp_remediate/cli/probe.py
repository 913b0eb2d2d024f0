"""probe: the RDP wire probe against free targets; the only place that dials an address which ARM does not show."""

import argparse
import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rdp_remediate.cli import probe_text
from rdp_remediate.cli.exit_codes import ExitCode
from rdp_remediate.cli.output import add_output
from rdp_remediate.errors import UsageError
from rdp_remediate.models.base import JsonObject
from rdp_remediate.probe.outcome import ProbeVerdict
from rdp_remediate.probe.prober import CONCURRENCY, Prober
from rdp_remediate.probe.result import Identity, ProbeResult
from rdp_remediate.probe.target import ProbeTarget
from rdp_remediate.settings import Settings
from rdp_remediate.wiring import connect_to

PROGRESS_AFTER_S = 2.0
PLAIN_LINE_EVERY_S = 5.0
CONCURRENCY_MAX = 1000

_UNSEEN = (ProbeVerdict.FILTERED, ProbeVerdict.ERROR)
"""Verdicts that prove nothing of the target: silence may be the path's or our own network's, an error is ours."""

EPILOG = """\
exit codes: 0 every target is ok (and the expected machine, where --thumbprint or --computer-name says which);
1 one answered or was refused in a way that keeps clients out, or is another machine; 3 nothing worse than silence, an
error of this computer, or an identity that could not be seen; 2 usage; 130 interrupted
"""


def add_commands(commands: Any) -> None:
    """Adds probe."""
    command = commands.add_parser(
        "probe",
        help="ask an RDP endpoint for its handshake, without credentials",
        description="DNS, TCP, X.224, TLS and, where Network Level Authentication is offered, the NTLM challenge; no user name "
        "and no password are sent. A bad answer is confirmed once.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_argument(
        "targets",
        nargs="+",
        metavar="HOST[:PORT]",
        help="name or address; IPv6 with a port as [::1]:3389 (default port 3389)",
    )
    command.add_argument(
        "--concurrency", type=int, default=CONCURRENCY, metavar="N", help=f"probes at once (default {CONCURRENCY})"
    )
    command.add_argument(
        "--nla-required",
        action="store_true",
        help="ask on a second connection whether clients without NLA are refused",
    )
    command.add_argument(
        "--thumbprint",
        action="append",
        default=[],
        metavar="HEX",
        help="certificate thumbprint that the one target should have (SHA-1 or SHA-256; may be repeated)",
    )
    command.add_argument(
        "--computer-name",
        action="append",
        default=[],
        metavar="NAME",
        help="name that the one target should have (may be repeated)",
    )
    add_output(command, "text", "json")
    command.set_defaults(run=run)


async def run(options: argparse.Namespace) -> ExitCode:
    """Probes every target and prints the results in their order; interrupted, those that there are."""
    targets = _targets(options)
    settings = Settings.from_environment(os.environ)
    prober = Prober(concurrency=options.concurrency, connect_to=connect_to(settings))
    results: dict[int, ProbeResult] = {}
    try:
        await _probe(prober, targets, results)
    except asyncio.CancelledError:
        _show(_in_order(results), options.output)
        print(f"interrupted: {len(results)} of {len(targets)} targets were probed", file=sys.stderr)
        raise
    found = _in_order(results)
    _show(found, options.output)
    return exit_code(found, identity_asked=bool(options.thumbprint or options.computer_name))


def _targets(options: argparse.Namespace) -> list[ProbeTarget]:
    if not 1 <= options.concurrency <= CONCURRENCY_MAX:
        raise UsageError(f"--concurrency is a number from 1 to {CONCURRENCY_MAX}.")
    if len(options.targets) > 1 and (options.thumbprint or options.computer_name):
        raise UsageError("--thumbprint and --computer-name describe one machine; give one target with them.")
    parsed = [ProbeTarget.parse(text) for text in options.targets]
    return [
        ProbeTarget(
            one.host,
            one.port,
            expected_thumbprints=tuple(options.thumbprint),
            expected_computer_names=tuple(options.computer_name),
            ask_nla_required=options.nla_required,
        )
        for one in parsed
    ]


async def _probe(prober: Prober, targets: Sequence[ProbeTarget], results: dict[int, ProbeResult]) -> None:
    async def one(at: int, target: ProbeTarget) -> None:
        results[at] = await prober.probe(target)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(at, target)) for at, target in enumerate(targets)]
        _, open_yet = await asyncio.wait(tasks, timeout=PROGRESS_AFTER_S)
        if not open_yet:
            return
        with _progress(len(targets)) as (show, every_s):
            while open_yet:
                show(len(results))
                _, open_yet = await asyncio.wait(open_yet, timeout=every_s)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[tuple[Callable[[int], None], float]]:
    """What shows progress on standard error, and how often: a bar on a terminal, else a line now and then."""
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield lambda done: print(f"probing: {done} of {total} done", file=sys.stderr, flush=True), PLAIN_LINE_EVERY_S
        return
    columns = (TextColumn("probing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("probing", total=total)
        yield lambda done: bar.update(task, completed=done), 0.2


def _in_order(results: dict[int, ProbeResult]) -> list[ProbeResult]:
    return [result for _, result in sorted(results.items())]


def _show(results: Sequence[ProbeResult], form: str) -> None:
    if form == "json":
        sys.stdout.write(json.dumps(document(results), indent=2) + "\n")
    elif results:
        sys.stdout.write("\n".join(probe_text.lines(results)) + "\n")


def document(results: Sequence[ProbeResult]) -> JsonObject:
    """The results as the JSON document `rdp-remediate/probes/1`."""
    return {"schema": "rdp-remediate/probes/1", "probes": [result.to_json() for result in results]}


def exit_code(results: Sequence[ProbeResult], *, identity_asked: bool = False) -> ExitCode:
    """The exit code of several results: what is proven to be wrong comes before what was not seen."""
    if any(result.verdict is not ProbeVerdict.OK and result.verdict not in _UNSEEN for result in results):
        return ExitCode.BROKEN
    if any(result.identity in (Identity.OTHER, Identity.INTERCEPTED) for result in results):
        return ExitCode.BROKEN
    if any(result.verdict in _UNSEEN for result in results):
        return ExitCode.NOT_PROVEN
    if identity_asked and any(result.identity is not Identity.OWN for result in results):
        return ExitCode.NOT_PROVEN
    return ExitCode.OK
