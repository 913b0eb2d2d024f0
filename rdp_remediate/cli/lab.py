"""lab: the simulated Azure on loopback, for genuine clients and for looking around."""

import argparse
import asyncio
import json
import shlex
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from rdp_remediate.cli.exit_codes import ExitCode
from rdp_remediate.cli.lab_services import add_lab_options, lab_environment, open_lab
from rdp_remediate.cli.output import add_output
from rdp_remediate.lab import scenario as scenarios


def add_commands(commands: Any) -> None:
    """Adds lab start and lab list."""
    command = commands.add_parser("lab", help="start the simulated Azure, or list its scenarios", allow_abbrev=False)
    inner = command.add_subparsers(dest="lab_command", metavar="COMMAND", required=True)
    start = inner.add_parser(
        "start",
        help="serve a scenario until Ctrl-C",
        description="Starts the lab on free loopback ports, prints the exports that point the genuine Azure SDKs, az and "
        "rdp-remediate at it, and serves until it is interrupted.",
        allow_abbrev=False,
    )
    add_lab_options(start)
    start.set_defaults(run=run_start)
    listing = inner.add_parser(
        "list", help="list the built-in scenarios with the verdict that each must give", allow_abbrev=False
    )
    add_output(listing, "text", "json")
    listing.set_defaults(run=run_list)


async def run_start(options: argparse.Namespace) -> ExitCode:
    """Serves until interrupted."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_lab(options) as lab:
            environment = lab_environment(lab, str(Path(folder) / "runs.sqlite3"))
            sys.stdout.write(f"# scenario {lab.scenario.name}: {lab.scenario.title}\n# VM {lab.vm_id}\n")
            for name, value in environment.items():
                sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
            sys.stdout.write(
                "# az: az cloud register -n lab --endpoint-resource-manager $RDP_REMEDIATE_ARM_URL && az cloud set -n lab && "
            )
            sys.stdout.write("az login --identity\n")
            sys.stdout.write(f"# rdp-remediate diagnose {lab.vm_id} --client {lab.scenario.ask.client}\n")
            sys.stdout.write("# ready; Ctrl-C ends the lab\n")
            sys.stdout.flush()
            await _interrupted()
    return ExitCode.OK


async def _interrupted() -> None:
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, done.set)
    try:
        await done.wait()
    finally:
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(one)


async def run_list(options: argparse.Namespace) -> ExitCode:
    """Lists the built-in scenarios."""
    found = scenarios.built_in()
    if options.output == "json":
        rows = [
            {"name": name, "title": one.title, "expect": one.expect.model_dump(mode="json", exclude_none=True)}
            for name, one in found.items()
        ]
        document = {"schema": "rdp-remediate/scenarios/1", "scenarios": rows}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return ExitCode.OK
    for name, one in found.items():
        sys.stdout.write(f"{name:<34} {'|'.join(one.expect.status):<24} {one.title}\n")
    return ExitCode.OK
