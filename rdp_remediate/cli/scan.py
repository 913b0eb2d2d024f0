"""scan: which VMs of whole subscriptions can't be reached by the configured sources, and which are open to the Internet."""

import argparse
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from rdp_remediate.cli.exit_codes import ExitCode
from rdp_remediate.cli.output import add_output
from rdp_remediate.errors import UsageError
from rdp_remediate.models.report import PathDecider
from rdp_remediate.models.scan import Exposed, Scan, Unreachable
from rdp_remediate.scanning.scan import ScanProgress, ScanQuestion, scan
from rdp_remediate.settings import Settings
from rdp_remediate.settings.forms import SOURCES, UnusableError
from rdp_remediate.wiring import open_inventory

MOST_SUBSCRIPTIONS = 1_000  # that one query of Resource Graph takes
SHOWN_ROWS = 50
PIPED_WIDTH = 240
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)

EPILOG = """\
exit codes: 0 nothing found, 1 findings, 3 no finding but something could not be read or told, 2 usage
Resource Graph lags minutes behind: a scan is an overview, never the basis of a change or the proof of one.
"""


def add_commands(commands: Any) -> None:
    """Adds scan."""
    command = commands.add_parser(
        "scan",
        help="find the VMs of whole subscriptions that are unreachable, or open to the Internet",
        description="Reads VMs, NICs, NSGs, VNets, public addresses, load balancers and route tables in bulk and decides for "
        "every VM which configured source gets to its RDP port, and which Internet addresses besides do. Changes nothing.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_argument(
        "-S",
        "--subscription",
        nargs="+",
        action="extend",
        default=[],
        metavar="ID",
        help="subscription ids (default: AZURE_SUBSCRIPTION_ID)",
    )
    command.add_argument(
        "--source",
        nargs="+",
        action="extend",
        default=[],
        metavar="CIDR",
        help="ranges that may use RDP (default: the setting sources); without any only the exposure is judged",
    )
    command.add_argument("--port", type=int, default=3389, metavar="N", help="the VM-side port (default 3389)")
    add_output(command, "text", "json")
    command.set_defaults(run=run)


async def run(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    settings = Settings.from_environment(os.environ)
    question = ScanQuestion(
        _subscriptions(options.subscription), _sources(settings, options.source).sources_for, _port(options.port)
    )
    async with open_inventory(settings) as inventory:
        with _live(quiet=options.output != "text") as progress:
            found = await scan(inventory, question, progress)
    if options.output == "json":
        document = found.model_dump(mode="json", by_alias=True)
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        _show(found)
    if found.has_findings:
        return ExitCode.BROKEN
    return ExitCode.OK if found.complete else ExitCode.NOT_PROVEN


def _subscriptions(given: Sequence[str]) -> tuple[str, ...]:
    wanted = given or [os.environ.get("AZURE_SUBSCRIPTION_ID", "")]
    found = tuple(dict.fromkeys(one.strip().lower().removeprefix("/subscriptions/") for one in wanted if one.strip()))
    if not found:
        raise UsageError("Name the subscriptions: -S ID [ID …], or set AZURE_SUBSCRIPTION_ID.")
    for one in found:
        if not _GUID.fullmatch(one):
            raise UsageError(f"-S {one[:60]}: this is no subscription id; `az account list` shows the ids.")
    if len(found) > MOST_SUBSCRIPTIONS:
        raise UsageError(f"{len(found)} subscriptions; one scan takes at most {MOST_SUBSCRIPTIONS}.")
    return found


def _sources(settings: Settings, given: Sequence[str]) -> Settings:
    if not given:
        return settings
    try:
        return replace(settings, sources=SOURCES.read(json.dumps({"/": list(given)})))
    except UnusableError as refused:
        raise UsageError(f"--source: {refused}.") from refused


def _port(port: int) -> int:
    if not 1 <= port <= 65535:
        raise UsageError(f"--port {port}: a port is a number from 1 to 65535.")
    return port


@contextmanager
def _live(*, quiet: bool) -> Iterator[Callable[[ScanProgress], None]]:
    """A progress bar on standard error."""
    console = Console(file=sys.stderr, quiet=quiet)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        tasks = {stage: bar.add_task(text, total=None) for stage, text in _STAGES.items()}

        def follow(progress: ScanProgress) -> None:
            bar.update(tasks[progress.stage], completed=progress.done, total=progress.total)

        yield follow


_STAGES = {"reading": "reading resources", "judging": "judging VMs"}


def _show(found: Scan) -> None:
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PIPED_WIDTH)
    counts = found.counts
    console.print(
        f"{_count(counts.virtual_machines, 'VM')} in {_count(len(found.subscriptions), 'subscription')}, TCP port {found.port}: "
        f"{counts.unreachable} unreachable, {counts.open_to_internet} open to the Internet, {counts.undetermined} undetermined; "
        f"{counts.reachable} reachable, {counts.through_bastion} through Bastion, {counts.not_windows} not Windows."
    )
    if counts.without_sources:
        told = _count(counts.without_sources, "VM")
        console.print(f"{told} without configured sources: only the exposure was judged.")
    _table(
        console,
        "Open to the Internet",
        ("VM", "entry", "admits", "by"),
        list(map(_exposed_row, found.open_to_internet)),
    )
    columns = ("VM", "verdict", "sources", "entry", "by")
    _table(console, "Unreachable", columns, list(map(_unreachable_row, found.unreachable)))
    if found.other_sources:
        console.print(
            f"\n{_count(len(found.other_sources), 'door')} admitting some other Internet addresses outside the configured sources, no "
            "more than a 256th of it; --output json lists them."
        )
    reasons = Counter(reason for one in found.undetermined for reason in one.reasons)
    _table(console, "Not told, because", ("VMs", "reason"), [(str(n), why) for why, n in reasons.most_common()])
    missing = [(one.fact, one.resource_id or "", f"{one.reason}: {one.detail}") for one in found.unavailable]
    _table(console, "Could not be read", ("what", "where", "why"), missing)
    for line in found.limits:
        console.print(f"\n{line}", markup=False)


def _table(console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        return
    console.print(f"\n[bold]{title}[/]")
    table = Table(box=None, pad_edge=False)
    for heading in columns:
        table.add_column(heading, overflow="fold")
    for row in rows[:SHOWN_ROWS]:
        table.add_row(*(cell.replace("[", "\\[") for cell in row))
    console.print(table)
    if len(rows) > SHOWN_ROWS:
        console.print(f"… and {len(rows) - SHOWN_ROWS} more; --output json lists them.")


def _exposed_row(one: Exposed) -> Sequence[str]:
    shown = ", ".join(one.sources[:3]) + (" …" if len(one.sources) > 3 else "")
    door = f"{one.entry.address}:{one.entry.port}"
    return (_short(one.vm_id), door, f"{one.addresses} addresses: {shown}", _by(one.deciders))


def _unreachable_row(one: Unreachable) -> Sequence[str]:
    door = f"{one.entry.address}:{one.entry.port}" if one.entry else "none"
    part = "" if one.whole else " (in part)"
    return (_short(one.vm_id), one.verdict, ", ".join(one.sources) + part, door, _by(one.deciders))


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _by(deciders: Sequence[PathDecider]) -> str:
    return ", ".join(f"{one.layer} {one.rule}" for one in deciders)


def _short(vm_id: str) -> str:
    """Resource group and name."""
    parts = vm_id.split("/")
    return f"{parts[4]}/{parts[-1]}" if len(parts) > 8 else vm_id
