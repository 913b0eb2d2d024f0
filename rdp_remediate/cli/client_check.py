"""client-check: run on the user's own computer, it says where the connection ends and writes that down for diagnose."""

import argparse
import ipaddress
import json
import os
import sys
from pathlib import Path
from typing import Any

from rdp_remediate.cli.exit_codes import ExitCode
from rdp_remediate.cli.output import add_output
from rdp_remediate.client.check import Wanted, check_client
from rdp_remediate.client.rdp_file import dialled, read_rdp_file
from rdp_remediate.client.verdict import conclude, lines
from rdp_remediate.errors import UsageError
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.client_check import MOST_BYTES, read_client_check
from rdp_remediate.probe.certificate import normalise_thumbprint
from rdp_remediate.probe.prober import Prober
from rdp_remediate.probe.target import RDP_PORT, ProbeTarget, split_endpoint
from rdp_remediate.settings import Settings
from rdp_remediate.wiring import connect_to


def add_commands(commands: Any) -> None:
    """Adds client-check."""
    command = commands.add_parser(
        "client-check",
        help="run on the user's computer: where does the connection end?",
        description="Looks at the name, the connection, the certificate and this computer's own proxy and firewall, as far as any user "
        "may read them. Changes nothing, sends no user name and no password, and contacts only the hosts that you name.",
        allow_abbrev=False,
    )
    command.add_argument("host", nargs="?", metavar="HOST[:PORT]", help="what you dial (or --rdp-file)")
    command.add_argument("--rdp-file", metavar="FILE", type=Path, help="take address and port from a .rdp file")
    command.add_argument(
        "--control", metavar="HOST[:PORT]", help="a host of yours outside: port 443 and the RDP port are tried there"
    )
    command.add_argument("--second-rdp", metavar="HOST[:PORT]", help="another computer that takes RDP for sure")
    command.add_argument("--bastion", metavar="HOST", help="NAME.bastion.azure.com: asks it for a WebSocket")
    command.add_argument("--expected-address", metavar="IP", help="the VM's address as Azure shows it")
    command.add_argument("--thumbprint", metavar="SHA1", help="the VM's certificate as Windows shows it")
    command.add_argument("--my-address", metavar="IP", help="your public address, if you know it; kept as a claim")
    command.add_argument("--save", metavar="FILE", type=Path, help="write the JSON for `diagnose --client-check FILE`")
    add_output(command, "text", "json")
    command.set_defaults(run=run)


async def run(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    wanted = _wanted(options)
    settings = Settings.from_environment(os.environ)
    prober = Prober(connect_to=connect_to(settings))
    check = await check_client(wanted, prober, os.environ, lambda text: print(f"  {text}", file=sys.stderr))
    document = check.model_dump_json(by_alias=True, indent=1, exclude_none=True) + "\n"
    if options.save is not None:
        try:
            options.save.write_text(document, encoding="utf-8")
        except OSError as failed:
            raise UsageError(f"{options.save} cannot be written: {failed.strerror}.") from failed
    if options.output == "json":
        sys.stdout.write(document)
    else:
        sys.stdout.write("\n".join(lines(check, wanted.thumbprint)) + "\n")
    answers = conclude(check, wanted.thumbprint)[1]
    return ExitCode.NOT_PROVEN if answers is None else ExitCode.OK if answers else ExitCode.BROKEN


def _wanted(options: argparse.Namespace) -> Wanted:
    if (options.host is None) == (options.rdp_file is None):
        raise UsageError("Say what you dial: HOST[:PORT], or --rdp-file FILE.")
    file = read_rdp_file(options.rdp_file) if options.rdp_file is not None else None
    host, port = dialled(file) if file is not None else split_endpoint(options.host)
    ProbeTarget(host, port or RDP_PORT)
    for text in (options.control, options.second_rdp, options.bastion):
        if text is not None:
            ProbeTarget.parse(text)
    try:
        thumbprint = normalise_thumbprint(options.thumbprint) if options.thumbprint else None
    except ValueError as refused:
        raise UsageError(f"--thumbprint: {refused}") from refused
    return Wanted(
        host=host,
        port=port or RDP_PORT,
        control=options.control,
        second_rdp=options.second_rdp,
        bastion=options.bastion,
        expected_address=_address("--expected-address", options.expected_address),
        client_address=_address("--my-address", options.my_address),
        thumbprint=thumbprint,
        rdp_file=file,
    )


def _address(option: str, text: str | None) -> str | None:
    try:
        return str(ipaddress.ip_address(text)) if text else None
    except ValueError as refused:
        raise UsageError(f"{option} {text[:60] if text else ''} is no IP address.") from refused


def read_saved_check(path: Path) -> JsonObject:
    """A saved check for diagnose, valid and bounded; it stays a claim.

    Raises:
        UsageError: It cannot be read, is too large, no JSON, or no client check.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(4 * MOST_BYTES + 1)
    except OSError as failed:
        raise UsageError(f"{path} cannot be read: {failed.strerror}.") from failed
    if len(raw) > 4 * MOST_BYTES:
        raise UsageError(f"{path} is larger than a client check can be.")
    try:
        document = json.loads(raw.decode("utf-8-sig"))
        read_client_check(document)
    except (ValueError, RecursionError) as refused:
        raise UsageError(f"{path} is no client check: {refused}.") from refused
    return dict(document)
