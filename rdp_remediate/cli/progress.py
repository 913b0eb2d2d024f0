"""Live progress on standard error: one line for each thing that happens, a spinner while something takes long."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from rdp_remediate.ports import Progress

_MARK = {
    "pass": "[green]✓[/]",
    "fail": "[red]✗[/]",
    "by_design": "[yellow]◼[/]",
    "unknown": "[yellow]?[/]",
    "skipped": "[dim]·[/]",
    "error": "[red]![/]",
}


class LiveProgress:
    """Shows progress while a run goes on; silent when asked to be."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(file=sys.stderr, quiet=quiet, highlight=False)
        self._status: Status | None = None
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        """Starts the spinner."""
        self._status = self._console.status("starting", spinner="dots")
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the spinner."""
        if self._status is not None:
            self._status.stop()

    def __call__(self, progress: Progress) -> None:
        """Shows one line; a finding gets its mark."""
        word, colon, rest = progress.text.partition(": ")
        if progress.done and colon and word in _MARK:
            self._console.print(f"  {_MARK[word]} [cyan]{progress.stage:<18}[/] {escape(rest)}")
            return
        seconds = time.monotonic() - self._began
        self._console.print(f"[dim]{seconds:6.1f}s[/] [bold]{progress.stage:<9}[/] {escape(progress.text)}")
        if self._status is not None:
            self._status.update(escape(progress.text))

    def heading(self, text: str) -> None:
        """A line that stands out."""
        self._console.print(f"\n[bold]{escape(text)}[/]")
