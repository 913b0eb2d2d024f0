"""path and rule: the path engine alone, over a saved bundle. They contact nothing and write nothing."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rdp_remediate.cli.diagnose import read_bundle
from rdp_remediate.cli.exit_codes import ExitCode
from rdp_remediate.cli.output import add_output
from rdp_remediate.errors import UsageError
from rdp_remediate.facts.network import parse_network
from rdp_remediate.facts.network_model import NetworkFacts
from rdp_remediate.network.decision import Flow, Verdict
from rdp_remediate.network.documents import path_document, rule_document
from rdp_remediate.network.explain import explain
from rdp_remediate.network.rule_plan import plan_rule
from rdp_remediate.network.rule_request import RuleRequest

DIMENSIONS = ("protocol", "source", "source_port", "destination", "destination_port")


def add_commands(commands: Any) -> None:
    """Adds path and rule."""
    path = commands.add_parser(
        "path",
        help="say who decides one packet, from a saved bundle",
        description="Decides one new TCP connection from the plain ARM resources in a bundle and names the rule that decides.",
        allow_abbrev=False,
    )
    path.add_argument("--bundle", type=Path, required=True, metavar="FILE")
    path.add_argument(
        "--client", required=True, metavar="IP", help="the client's address as the VNet or the Internet sees it"
    )
    path.add_argument("--dialled", required=True, metavar="IP:PORT", help="what the client dials; [IPv6]:PORT for IPv6")
    add_output(path, "text", "json")
    path.set_defaults(run=run_path)
    rule = commands.add_parser(
        "rule",
        help="say which NSG rule would let an address in, and prove it; never writes",
        description="Chooses the narrowest rules that admit the given sources and proves them by simulation, or says exactly why not.",
        allow_abbrev=False,
    )
    rule.add_argument("--bundle", type=Path, required=True, metavar="FILE")
    rule.add_argument("--allow", required=True, nargs="+", metavar="CIDR", help="the sources to let in")
    rule.add_argument(
        "--override-deny", action="store_true", help="as if a person had approved a rule above a written deny"
    )
    add_output(rule, "text", "json")
    rule.set_defaults(run=run_rule)


async def run_path(options: argparse.Namespace) -> ExitCode:
    """Answers for one flow."""
    facts = _network(options.bundle)
    address, port = _endpoint(options.dialled)
    told = explain(facts, Flow(options.client, address, port, vm_id=facts.target.vm or None))
    if options.output == "json":
        sys.stdout.write(json.dumps(path_document(told), indent=2) + "\n")
    else:
        _show_path(path_document(told))
    verdict = told.decision.verdict
    if verdict is Verdict.ALLOW:
        return ExitCode.OK
    return ExitCode.NOT_PROVEN if verdict is Verdict.INDETERMINATE else ExitCode.BROKEN


async def run_rule(options: argparse.Namespace) -> ExitCode:
    """Plans the rule."""
    facts = _network(options.bundle)
    planned = plan_rule(facts, RuleRequest(sources=tuple(options.allow), override_deny=options.override_deny))
    document = rule_document(planned)
    if options.output == "json":
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        _show_rule(document)
    return ExitCode.OK if planned.refusal is None else ExitCode.BROKEN


def _network(path: Path) -> NetworkFacts:
    return parse_network(read_bundle(path).model_dump(mode="json", by_alias=True))


def _endpoint(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536) or not host.strip("[]"):
        raise UsageError(f"--dialled {text}: write IP:PORT, or [IPv6]:PORT.")
    return host.strip("[]"), int(port)


def _show_path(document: dict[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    by = ", ".join(f"{one['layer']}: {one['rule']}" for one in document["deciders"]) or "nothing"
    console.print(f"{document['verdict']}, decided by {by}", markup=False)
    for one in document["deciders"]:
        if one["resource_id"]:
            console.print(f"  {one['resource_id']}", markup=False)
    console.print(trace_table(document["trace"]))
    for heading in ("assumptions", "data_gaps"):
        for line in document[heading]:
            console.print(f"{heading.replace('_', ' ')}: {line}", markup=False)


def trace_table(trace: list[dict[str, Any]]) -> Table:
    """Every rule on the path; a dimension that did not match says no."""
    table = Table(box=None, pad_edge=False)
    for heading in ("", "layer", "priority", "rule", "access", *(d.replace("_", " ") for d in DIMENSIONS)):
        table.add_column(heading)
    for row in trace:
        mark = "=>" if row["decides"] and row["reached"] else "->" if row["decides"] else ""
        cells = (str(row[dimension]) for dimension in DIMENSIONS)
        table.add_row(mark, row["layer"], str(row["priority"] or ""), row["rule"], row["access"], *cells)
    return table


def _show_rule(document: dict[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if document["refused"]:
        console.print(f"{document['refused']['code']}: {document['refused']['why']}", markup=False)
        return
    if not document["rules"]:
        console.print("No rule is needed: the sources already get in.", markup=False)
    for rule in document["rules"]:
        nsg = rule["nsg_id"].rsplit("/", 1)[-1]
        sources = ", ".join(rule["sources"])
        line = f"{nsg}: {rule['name']}, priority {rule['priority']}: {sources} to {rule['destination']}:{rule['port']}"
        console.print(line, markup=False)
    for nsg_id, shared in document["blast_radius"].items():
        console.print(f"{nsg_id.rsplit('/', 1)[-1]} is shared: {json.dumps(shared)}", markup=False)
