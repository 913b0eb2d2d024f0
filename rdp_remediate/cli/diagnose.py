"""diagnose: one VM, live or from a saved bundle."""

import argparse
import getpass
import json
import os
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from rdp_remediate.cli.classic_export import bundle_of_export, read_export, with_export
from rdp_remediate.cli.client_check import read_saved_check
from rdp_remediate.cli.exit_codes import ExitCode
from rdp_remediate.cli.output import add_output, show
from rdp_remediate.cli.progress import LiveProgress
from rdp_remediate.cli.runs import run_to_end
from rdp_remediate.diagnosis import diagnose_bundle
from rdp_remediate.errors import NotApplicableError, StoreError, UsageError
from rdp_remediate.facts.boot import Screen
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.intake.resource_id import is_object_id
from rdp_remediate.models.bundle import Bundle, Mode, Policy, Target
from rdp_remediate.models.incident import Incident, Kind, Source
from rdp_remediate.models.report import Report
from rdp_remediate.models.run import Done, Phase, Run
from rdp_remediate.planning import plan
from rdp_remediate.ports import Operation, Services
from rdp_remediate.report.build import build
from rdp_remediate.resolution import resolve
from rdp_remediate.settings import Settings
from rdp_remediate.wiring import WallClock, open_services
from rdp_remediate.worker import new_run

MOST_BUNDLE_BYTES = 64 * 1024 * 1024


def add_commands(commands: Any) -> None:
    """Adds diagnose."""
    command = commands.add_parser(
        "diagnose",
        help="walk the hops to one VM and say what stops RDP",
        description="Walks every hop from the client to Windows and says what stops RDP, why, and what would repair it. Without "
        "--mode nothing is changed; a read-only script may run inside Windows through Run Command (setting guest_reads).",
        allow_abbrev=False,
    )
    command.add_argument("vm", nargs="?", help="ARM id, or the VM's name with -g and -S where it is not unique")
    command.add_argument("-g", "--resource-group", help="resource group of a VM that is given by name")
    command.add_argument("-S", "--subscription", help="subscription id (default: AZURE_SUBSCRIPTION_ID)")
    command.add_argument("--client", metavar="IP", help="address of the computer that cannot connect")
    command.add_argument("--user", metavar="NAME", help="account that cannot sign in, as DOMAIN\\name or a UPN")
    command.add_argument(
        "--principal-id",
        metavar="GUID",
        help="object id of that account in Microsoft Entra ID, to judge the roles that it has in Azure",
    )
    command.add_argument(
        "--dialled", metavar="HOST[:PORT]", help="what the user dials (default: the VM's public entry, port 3389)"
    )
    command.add_argument(
        "--source", metavar="CIDR", action="append", default=[], help="a range that may use RDP; repeatable"
    )
    command.add_argument(
        "--mode",
        choices=("observe", "approve", "auto"),
        default=None,
        help="observe changes nothing (default); approve waits for you at every change; auto makes safe changes. Tags can only lower it",
    )
    command.add_argument(
        "--bundle", metavar="FILE", type=Path, help="judge a saved bundle instead of Azure; nothing is contacted"
    )
    command.add_argument(
        "--classic",
        metavar="FILE",
        type=Path,
        help="endpoints of a classic VM, exported with Get-AzureEndpoint | ConvertTo-Json -Depth 5; nothing is contacted",
    )
    command.add_argument(
        "--save-bundle", metavar="FILE", type=Path, help="keep the evidence; later passes as FILE.2, FILE.3 …"
    )
    command.add_argument(
        "--client-check", metavar="FILE", type=Path, help="what `client-check --save FILE` wrote on the user's computer"
    )
    command.add_argument(
        "--write-rdp",
        metavar="FILE",
        type=Path,
        help="write a fresh .rdp file where the user's own dials an old address or port; it holds no secret",
    )
    command.add_argument(
        "--boot-screen",
        metavar="CLASS",
        choices=[screen.value for screen in Screen],
        help="what the boot diagnostics picture shows, as a person sees it: "
        + ", ".join(screen.value for screen in Screen),
    )
    command.add_argument(
        "--explain", action="store_true", help="print every rule on the path and why it matched or not"
    )
    add_output(command, "text", "json", "html")
    command.set_defaults(run=run)


async def run(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    if options.bundle is not None or options.classic is not None:
        return _shown(replay(options), options)
    if not options.vm:
        raise UsageError("Name a VM, or a saved bundle with --bundle FILE.")
    settings = operator_settings(options)
    with LiveProgress(quiet=options.output != "text") as progress:
        try:
            async with open_services(settings, vantage="cli", progress=progress) as services:
                started, report = await _live(options, services)
                if options.save_bundle is not None:
                    await _save(started, services, options.save_bundle)
        except StoreError as failed:
            if options.mode in (None, "observe"):
                raise
            raise StoreError(
                f"{failed} Without a store the mode is observe; run again with --mode observe."
            ) from failed
    if report is None:
        reason = started.done.reason if started.done else "nothing could be collected"
        raise NotApplicableError(str(reason))
    return _shown(report, options)


def _shown(report: Report, options: argparse.Namespace) -> ExitCode:
    """Prints the report and writes the fresh .rdp file that was asked for, if there is a right one to write."""
    code = show(report, options.output, explain=options.explain)
    if options.write_rdp is not None:
        if report.rdp_file is None:
            print("No .rdp file was written: what the user dials is not known to be old.", file=sys.stderr)
            return code
        try:
            options.write_rdp.write_text(report.rdp_file, encoding="utf-8", newline="")
        except OSError as failed:
            raise UsageError(f"{options.write_rdp} cannot be written: {failed.strerror}.") from failed
        print(f"A .rdp file for the right address is in {options.write_rdp}.", file=sys.stderr)
    return code


def operator_settings(options: argparse.Namespace) -> Settings:
    """The settings of the environment with the ceiling and the sources of the command line."""
    settings = Settings.from_environment(os.environ)
    mode: Literal["observe", "approve", "auto"] = options.mode or "observe"
    sources = dict(settings.sources)
    if options.source:
        sources = {"/": tuple(options.source)}
    # The ceiling of the command line is --mode; an untagged VM is the operator's own decision.
    return replace(settings, max_mode=mode, untagged=mode, sources=sources)


async def _live(options: argparse.Namespace, services: Services) -> tuple[Run, Report | None]:
    vm_id = await _vm_id(options, services)
    incident = manual_incident(options, vm_id)
    run = new_run(incident, services.settings, services.clock)
    if options.boot_screen:
        run = run.model_copy(update={"policy": run.policy.model_copy(update={"boot_screen": options.boot_screen})})
    return await run_to_end(run, services)


def manual_incident(options: argparse.Namespace, vm_id: str) -> Incident:
    """The incident that a person on the command line stands for."""
    host, port = _dialled(options)
    check = read_saved_check(options.client_check) if options.client_check is not None else None
    claims = check or {}
    who = getpass.getuser()
    return Incident(
        source=Source.MANUAL,
        kind=Kind.MANUAL,
        event_id=uuid.uuid4().hex,
        occurred_at=WallClock().now(),
        vm_id=vm_id,
        client_address=options.client or claims.get("client_address"),
        user=options.user,
        principal_id=_principal_id(options),
        dialled_address=host or claims.get("host"),
        dialled_port=port or claims.get("port"),
        client_check=check,
        requested_by=who,
        summary=f"{who} asked to look at {vm_id.rsplit('/', 1)[-1]}.",
    )


def _principal_id(options: argparse.Namespace) -> str | None:
    value: str | None = options.principal_id
    if value is not None and not is_object_id(value):
        raise UsageError(f"--principal-id {value[:60]!r} is no GUID; `az ad user show --id NAME` shows the object id.")
    return value


def _dialled(options: argparse.Namespace) -> tuple[str | None, int | None]:
    """Address or name and port of --dialled."""
    if not options.dialled:
        return None, None
    host, _, text = options.dialled.rpartition(":") if options.dialled.count(":") == 1 else (options.dialled, "", "")
    if text and not (text.isdigit() and 1 <= int(text) <= 65535):
        raise UsageError(f"--dialled {options.dialled}: {text} is no port.")
    return host or None, int(text) if text else None


async def _vm_id(options: argparse.Namespace, services: Services) -> str:
    if "/" in options.vm:
        return str(options.vm)
    subscription = options.subscription or os.environ.get("AZURE_SUBSCRIPTION_ID")
    if not subscription:
        raise UsageError(f"{options.vm} is a name; say where to look with -S SUBSCRIPTION, or give the ARM id.")
    if options.resource_group:
        group = f"/subscriptions/{subscription}/resourceGroups/{options.resource_group}"
        return f"{group}/providers/Microsoft.Compute/virtualMachines/{options.vm}"
    from rdp_remediate.models.incident import Clue, ClueKind  # noqa: PLC0415 - used here only

    clue = Clue(kind=ClueKind.VM_NAME, value=options.vm, subscription_id=subscription)
    found = await resolve(clue, services.reads, (subscription,))
    if not found.vm_ids:
        why = found.problem or f"no VM of that name in subscription {subscription}"
        raise UsageError(f"{options.vm} was not found: {why}. ({Operation.FIND_VM.value})")
    return found.vm_ids[0]


async def _save(run: Run, services: Services, path: Path) -> None:
    for number, reference in enumerate(run.bundles, start=1):
        bundle = await services.ledger.get_bundle(reference)
        target = path if number == 1 else path.with_name(f"{path.name}.{number}")
        target.write_text(bundle.model_dump_json(by_alias=True, indent=1) + "\n", encoding="utf-8")


def read_bundle(path: Path) -> Bundle:
    """Reads a saved bundle.

    Raises:
        UsageError: The file is not there, too large, no JSON or no bundle.
    """
    try:
        if path.stat().st_size > MOST_BUNDLE_BYTES:
            raise UsageError(f"{path} is larger than {MOST_BUNDLE_BYTES // 2**20} MiB; a bundle is not.")
        document = json.loads(path.read_bytes())
    except OSError as failed:
        raise UsageError(f"{path} could not be read: {failed.strerror}.") from failed
    except (ValueError, RecursionError) as refused:
        raise UsageError(f"{path} is no JSON: {refused}.") from refused
    if not isinstance(document, dict) or document.get("schema") != "rdp-remediate/bundle/1":
        raise UsageError(f"{path} is no bundle: its schema is not rdp-remediate/bundle/1.")
    try:
        return Bundle.model_validate(document)
    except ValidationError as refused:
        first = refused.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{path} is no valid bundle: {where}: {first['msg']}.") from refused


def replay(options: argparse.Namespace) -> Report:
    """Judges a saved bundle, or the export of a classic VM; the bundle's own policy holds unless a flag overrides it.

    Contacts nothing.
    """
    bundle = _classic(options) if options.classic is not None else read_bundle(options.bundle)
    target = bundle.target
    if options.vm and options.vm.lower() not in (target.vm_id.lower(), target.vm_id.rsplit("/", 1)[-1].lower()):
        raise UsageError(f"The bundle is about {target.vm_id}, not about {options.vm}.")
    changes: dict[str, Any] = {}
    if options.client:
        changes["client_address"] = options.client
    if options.user:
        changes["user"] = options.user
    policy: dict[str, Any] = {}
    if options.mode:
        policy["mode"] = Mode(options.mode)
    if options.source:
        policy["sources"] = list(options.source)
    if options.boot_screen:
        policy["boot_screen"] = options.boot_screen
    check = bundle.client_check if options.client_check is None else read_saved_check(options.client_check)
    bundle = bundle.model_copy(
        update={
            "client_check": check,
            "target": target.model_copy(update=changes),
            "policy": bundle.policy.model_copy(update=policy),
        }
    )
    return report_of_bundle(bundle)


def _classic(options: argparse.Namespace) -> Bundle:
    """The bundle of --bundle with the export of --classic, or of the export alone."""
    export = read_export(options.classic)
    if options.bundle is not None:
        return with_export(read_bundle(options.bundle), export)
    if not options.vm:
        raise UsageError("Name the classic VM whose endpoints the file of --classic holds.")
    host, port = _dialled(options)
    target = Target(vm_id=options.vm, dialled_address=host, dialled_port=port)
    return bundle_of_export(export, options.vm, target, Policy(), WallClock().now())


def report_of_bundle(bundle: Bundle) -> Report:
    """The report of an observe run over this evidence."""
    facts = read_facts(bundle)
    diagnosis = diagnose_bundle(bundle)
    name = bundle.target.vm_id.rsplit("/", 1)[-1]
    who = bundle.requested_by
    incident = Incident(
        source=Source.MANUAL,
        kind=Kind.MANUAL,
        event_id=bundle.run_id or "replay",
        occurred_at=bundle.reported_at or bundle.collected_at,
        vm_id=bundle.target.vm_id,
        requested_by=who,
        summary=f"{who or 'Somebody'} asked to look at {name}.",
    )
    run = Run(
        run_id=bundle.run_id or "replay",
        target=bundle.target,
        incident=incident,
        policy=bundle.policy,
        mode=bundle.policy.mode,
        mode_because=bundle.mode_because,
        phase=Phase.DONE,
        tier=2,
        plan=plan(facts, diagnosis.findings),
        created_at=bundle.collected_at,
        done=Done(kind="judged"),
    )
    return build(run, [bundle], [diagnosis], [], bundle.collected_at)
