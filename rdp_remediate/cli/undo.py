"""undo: take back what a run changed, in reverse, where it is still exactly as the run left it."""

import argparse
import os
import sys
from typing import Any

from rdp_remediate.child_steps import CHILDREN, undo_child
from rdp_remediate.cli.exit_codes import ExitCode
from rdp_remediate.cli.progress import LiveProgress
from rdp_remediate.errors import UsageError
from rdp_remediate.models.plan import Outcome
from rdp_remediate.settings import Settings
from rdp_remediate.undoing import undo_guest
from rdp_remediate.wiring import open_services


def add_commands(commands: Any) -> None:
    """Adds undo."""
    command = commands.add_parser(
        "undo",
        help="take back what a run changed",
        description="Undoes the applied steps of a run in reverse: rules that are still exactly ours are deleted, values inside "
        "Windows are put back where they are still what the run set. What somebody changed since is left alone and named.",
        allow_abbrev=False,
    )
    command.add_argument("run_id", metavar="RUN")
    command.set_defaults(run=run)


async def run(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    settings = Settings.from_environment(os.environ)
    with LiveProgress() as progress:
        async with open_services(settings, vantage="cli", progress=progress, sinks=()) as services:
            journal = await services.ledger.journal(options.run_id)
            applied = [entry for entry in journal if entry.outcome is Outcome.APPLIED]
            if not applied:
                raise UsageError(
                    f"Run {options.run_id} has no applied step to undo; rdp-remediate history lists the runs."
                )
            for entry in reversed([e for e in applied if e.step.kind in CHILDREN]):
                await undo_child(services, entry)
            await undo_guest(services, [e for e in applied if e.step.layer == "guest"])
            after = await services.ledger.journal(options.run_id)
    left = 0
    for entry in after:
        sys.stdout.write(
            f"{entry.outcome.value:<16} {entry.step.title}{f' ({entry.detail})' if entry.detail else ''}\n"
        )
        left += entry.step.undoable and entry.outcome in (Outcome.APPLIED, Outcome.STALE, Outcome.OUTCOME_UNKNOWN)
    return ExitCode.BROKEN if left else ExitCode.OK
