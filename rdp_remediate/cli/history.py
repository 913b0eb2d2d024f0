"""history and approve: the runs that the store keeps, and the decision that one of them waits for."""

import argparse
import getpass
import json
import os
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Any

from rdp_remediate import worker
from rdp_remediate.cli.exit_codes import ExitCode
from rdp_remediate.cli.output import add_output, show
from rdp_remediate.cli.progress import LiveProgress
from rdp_remediate.cli.runs import run_to_end
from rdp_remediate.errors import UsageError
from rdp_remediate.models.run import Run
from rdp_remediate.settings import Settings
from rdp_remediate.wiring import WallClock, open_ledger, open_records, open_services

MOST_ROWS = 200


def add_commands(commands: Any) -> None:
    """Adds history and approve."""
    history = commands.add_parser("history", help="list the runs in the store, newest first", allow_abbrev=False)
    history.add_argument("run_id", nargs="?", metavar="RUN", help="show the report of one run")
    history.add_argument("--picture", metavar="FILE", help="save the boot picture that the run kept, where it kept one")
    add_output(history, "text", "json", "html")
    history.set_defaults(run=run_history)
    approve = commands.add_parser(
        "approve",
        help="approve a step that waits, and go on with its run",
        description="Approves one waiting step of a run in the store and goes on: the evidence is collected again first.",
        allow_abbrev=False,
    )
    approve.add_argument("run_id", metavar="RUN")
    approve.add_argument("step_id", metavar="STEP", nargs="+")
    add_output(approve, "text", "json", "html")
    approve.set_defaults(run=run_approve)


async def run_history(options: argparse.Namespace) -> ExitCode:
    """Lists runs, or shows one."""
    settings = Settings.from_environment(os.environ)
    if options.picture:
        return await _save_picture(settings, options.run_id, Path(options.picture))
    if options.run_id:
        async with open_services(settings, vantage="cli", sinks=()) as services:
            run = await services.ledger.load(options.run_id)
            if run is None:
                raise UsageError(f"There is no run {options.run_id}; rdp-remediate history lists them.")
            from rdp_remediate.pipeline import report_of  # noqa: PLC0415 - used here only

            return show(await report_of(run, services), options.output)
    records = open_records(settings)
    try:
        rows: list[Run] = []
        async with aclosing(open_ledger(settings, records, WallClock()).runs()) as runs:  # type: ignore[type-var]
            async for run in runs:
                rows.append(run)
                if len(rows) == MOST_ROWS:
                    break
    finally:
        await records.close()
    if options.output == "json":
        shown = [_row(run) for run in rows]
        sys.stdout.write(json.dumps({"schema": "rdp-remediate/history/1", "runs": shown}, indent=2) + "\n")
        return ExitCode.OK
    for run in rows:
        row = _row(run)
        waiting = f" waits for {row['waits_for']}: {', '.join(row['waiting'])}" if row["waiting"] else ""
        sys.stdout.write(f"{row['created_at'][:19]}  {row['run_id']}  {row['vm']:<20} {row['phase']}{waiting}\n")
    if not rows:
        sys.stdout.write("no runs yet\n")
    return ExitCode.OK


async def _save_picture(settings: Settings, run_id: str | None, file: Path) -> ExitCode:
    if run_id is None:
        raise UsageError("--picture needs the RUN whose boot picture is wanted.")
    records = open_records(settings)
    try:
        picture = await open_ledger(settings, records, WallClock()).picture(run_id)
    finally:
        await records.close()
    if picture is None:
        raise UsageError(f"Run {run_id} kept no boot picture; its report says why under unavailable.")
    try:
        file.write_bytes(picture)
    except OSError as failed:
        raise UsageError(f"The picture could not be written to {file}: {failed.strerror}.") from failed
    sys.stdout.write(f"{file}: {len(picture)} bytes; say what it shows with diagnose --boot-screen CLASS\n")
    return ExitCode.OK


def _row(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "vm": run.target.vm_id.rsplit("/", 1)[-1],
        "vm_id": run.target.vm_id,
        "created_at": run.created_at.isoformat().replace("+00:00", "Z"),
        "phase": run.phase.value,
        "mode": run.mode.value,
        "waits_for": run.wait.kind if run.wait else None,
        "waiting": list(run.wait.step_ids) if run.wait else [],
        "done": run.done.kind if run.done else None,
    }


async def run_approve(options: argparse.Namespace) -> ExitCode:
    """Approves steps and goes on with the run in this process."""
    settings = Settings.from_environment(os.environ)
    with LiveProgress(quiet=options.output != "text") as progress:
        async with open_services(settings, vantage="cli", progress=progress) as services:
            for step_id in options.step_id:
                await worker.approve(services.ledger, options.run_id, step_id, getpass.getuser())
            run = await services.ledger.load(options.run_id)
            if run is None:
                raise UsageError(f"There is no run {options.run_id}.")
            # The ceiling of the run is the one it was started with; approving does not raise it.
            _, report = await run_to_end(run, services)
    if report is None:
        raise UsageError(f"Run {options.run_id} has no evidence yet.")
    return show(report, options.output)
