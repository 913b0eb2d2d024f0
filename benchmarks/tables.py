"""Figures as tables: for the terminal, and as Markdown for docs/benchmarks.md."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Section:
    """One benchmark's result.

    Attributes:
        text: What was measured, in a sentence or two.
        rows: The first one is the headings.
        notes: Lines below the table.
        missed: Targets that were not met.
        verbatim: Output of a benchmark that prints its own tables.
    """

    title: str
    text: str
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    verbatim: str = ""

    def target(self, what: str, *, met: bool) -> None:
        """Adds a target and whether it was met."""
        self.notes.append(f"Target {'met' if met else 'MISSED'}: {what}.")
        if not met:
            self.missed.append(what)

    def plain(self) -> str:
        """For the terminal."""
        lines = [self.title, self.text]
        widths = [max(len(row[i]) for row in self.rows) for i in range(len(self.rows[0]))] if self.rows else []
        for row in self.rows:
            cells = [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
            lines.append("  " + "  ".join(cells).rstrip())
        lines += [f"  {note}" for note in self.notes]
        return "\n".join([*lines, self.verbatim] if self.verbatim else lines) + "\n"

    def markdown(self) -> str:
        """For docs/benchmarks.md."""
        lines = [f"## {self.title}", "", self.text, ""]
        if self.rows:
            first, *rest = self.rows
            lines += [f"| {' | '.join(first)} |", "|---|" + "---:|" * (len(first) - 1)]
            lines += [f"| {' | '.join(row)} |" for row in rest]
            lines.append("")
        lines += [f"- {note}" for note in self.notes]
        if self.verbatim:
            lines += ["```text", self.verbatim.rstrip(), "```"]
        return "\n".join(lines).rstrip() + "\n"
