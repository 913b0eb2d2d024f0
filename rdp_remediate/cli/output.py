"""Prints a report as it was asked for."""

import argparse
import sys

from rich.console import Console
from rich.markup import escape

from rdp_remediate.cli.exit_codes import ExitCode, of_report
from rdp_remediate.models.report import Report
from rdp_remediate.report import html, render, text


def add_output(command: argparse.ArgumentParser, *forms: str) -> None:
    """Adds --output with the given forms; the first is the default."""
    command.add_argument("--output", choices=forms, default=forms[0], help=f"form of the result (default {forms[0]})")


def show(report: Report, form: str, *, explain: bool = False) -> ExitCode:
    """Prints a report to standard output and returns the exit code of its verdict."""
    if form == "json":
        sys.stdout.write(render.body(report, "json").decode() + "\n")
    elif form == "html":
        sys.stdout.write(html.page(report) + "\n")
    else:
        console = Console(highlight=False, soft_wrap=True)
        for line in text.lines(report, explain=explain):
            console.print(escape(line) if not line.startswith("\x1b") else line)
    return of_report(report)
