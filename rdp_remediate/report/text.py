"""A report as plain text for a terminal."""

from rdp_remediate.models.report import Report
from rdp_remediate.report.wording import approve_command, plain


def lines(report: Report, *, explain: bool = False) -> list[str]:
    """The report, verdict first."""
    del explain
    out = [f"{report.verdict.status}: {plain(report.verdict.headline)}"]
    out += [f"  {entry.outcome.value}: {plain(entry.step.title)}" for entry in report.actions]
    out += [f"  waits: {approve_command(report, one)}" for one in report.waiting]
    out += [f"  {line}" for note in report.notes for line in note.splitlines()]
    return out
