"""Words of the command line to calls; every error becomes one sentence and an exit code."""

import argparse
import asyncio
import logging
import os
import sys
import traceback
from collections.abc import Sequence

from rdp_remediate import __version__
from rdp_remediate.cli import client_check, demo, diagnose, history, lab, path, probe, scan, undo
from rdp_remediate.cli.exit_codes import ExitCode
from rdp_remediate.errors import InternalError, NotApplicableError, RdpRemediateError, StoreError, UsageError

EPILOG = """\
exit codes: 0 reachable, 1 broken, 2 usage or not applicable, 3 not proven, 4 closed by design, 70 our bug, 130 interrupted
Progress goes to standard error, the result to standard output. Nothing is changed unless --mode says so and the tags allow it.
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="rdp-remediate",
        description="Finds which hop stops RDP to an Azure Windows VM, applies safe fixes and proves the result.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"rdp-remediate {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in (diagnose, path, scan, demo, lab, probe, client_check, history, undo):
        module.add_commands(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    # No credential of ours may ever probe the link-local metadata address unless the environment names an endpoint.
    os.environ.setdefault("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")
    # Azure's libraries warn of sign-ins that they try in vain; what matters of it is in our own errors.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    options = parser().parse_args(arguments)
    try:
        return int(asyncio.run(options.run(options)))
    except (UsageError, NotApplicableError) as refused:
        print(f"rdp-remediate: {refused}", file=sys.stderr)
        return ExitCode.USAGE
    except StoreError as failed:
        print(f"rdp-remediate: the store failed, so nothing was changed: {failed}", file=sys.stderr)
        return ExitCode.NOT_PROVEN
    except InternalError as bug:
        print(f"rdp-remediate: our own bug, please report it: {bug}", file=sys.stderr)
        return ExitCode.OUR_BUG
    except RdpRemediateError as failed:
        print(f"rdp-remediate: {failed}", file=sys.stderr)
        return ExitCode.NOT_PROVEN
    except KeyboardInterrupt:
        print("rdp-remediate: interrupted; what was done so far stands in `rdp-remediate history`.", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except Exception:  # noqa: BLE001 - the last line of defence: a bug ends with its own exit code and a trace to report
        traceback.print_exc()
        print("rdp-remediate: our own bug; please report the lines above.", file=sys.stderr)
        return ExitCode.OUR_BUG
