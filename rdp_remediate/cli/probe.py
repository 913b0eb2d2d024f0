"""probe: the RDP wire probe against free targets; the only place that dials an address which ARM does not show."""

import argparse
import asyncio
import json
import os
import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from rdp_remediate.cli.exit_codes import ExitCode
from rdp_remediate.cli.output import add_output
from rdp_remediate.errors import UsageError
from rdp_remediate.probe.prober import CONCURRENCY, Prober
from rdp_remediate.probe.result import ProbeResult
from rdp_remediate.probe.target import ProbeTarget
from rdp_remediate.settings import Settings
from rdp_remediate.wiring import connect_to

SHOWN_BAR_FROM = 3


def add_commands(commands: Any) -> None:
    """Adds probe."""
    command = commands.add_parser(
        "probe",
        help="ask an RDP endpoint for its handshake, without credentials",
        description="DNS, TCP, X.224, TLS and, where Network Level Authentication is offered, the NTLM challenge; no user name "
        "and no password are sent. A bad answer is confirmed once.",
        allow_abbrev=False,
    )
    command.add_argument("targets", nargs="+", metavar="HOST[:PORT]")
    command.add_argument(
        "--concurrency", type=int, default=CONCURRENCY, metavar="N", help=f"probes at once (default {CONCURRENCY})"
    )
    add_output(command, "text", "json")
    command.set_defaults(run=run)


async def run(options: argparse.Namespace) -> ExitCode:
    """Probes every target and prints the results in their order."""
    if options.concurrency < 1:
        raise UsageError("--concurrency is a number from 1.")
    targets = [ProbeTarget.parse(text) for text in options.targets]
    settings = Settings.from_environment(os.environ)
    prober = Prober(concurrency=options.concurrency, connect_to=connect_to(settings))
    results = await _probe(prober, targets, quiet=options.output != "text")
    if options.output == "json":
        document = {"schema": "rdp-remediate/probes/1", "probes": [result.to_json() for result in results]}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        _table(results)
    return _code(results)


async def _probe(prober: Prober, targets: list[ProbeTarget], *, quiet: bool) -> list[ProbeResult]:
    console = Console(file=sys.stderr, quiet=quiet or len(targets) < SHOWN_BAR_FROM)
    columns = (TextColumn("probing"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("probing", total=len(targets))

        async def one(target: ProbeTarget) -> ProbeResult:
            result = await prober.probe(target)
            bar.advance(task)
            return result

        return list(await asyncio.gather(*(one(target) for target in targets)))


def _table(results: list[ProbeResult]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("endpoint", "verdict", "outcome", "TLS", "certificate", "name", "ms", "detail"):
        table.add_column(heading, overflow="fold")
    for result in results:
        shown = result.to_json()
        certificate, ntlm = shown.get("cert") or {}, shown.get("ntlm") or {}
        table.add_row(
            f"{result.host}:{result.port}",
            str(shown["verdict"]),
            str(shown["outcome"]),
            str(shown.get("tls_version") or ""),
            str(certificate.get("sha1") or ""),
            str(ntlm.get("nb_computer") or ""),
            f"{(shown.get('ms') or {}).get('total') or 0:.0f}",
            "; ".join([str(shown.get("detail") or ""), *map(str, shown.get("findings") or [])]).strip("; "),
        )
    Console(highlight=False).print(table)


def _code(results: list[ProbeResult]) -> ExitCode:
    verdicts = {str(result.to_json()["verdict"]) for result in results}
    if verdicts <= {"ok"}:
        return ExitCode.OK
    return ExitCode.NOT_PROVEN if "error" in verdicts else ExitCode.BROKEN
