"""Runs commands of the command line as a person would, in this process, and keeps both streams apart."""

import asyncio
import contextlib
import io
import json
from dataclasses import dataclass
from typing import Any

from rdp_remediate.cli.main import main


@dataclass(frozen=True)
class Answer:
    """What one command left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as JSON; fails where anything else was printed there."""
        return json.loads(self.out)


def command(*words: str) -> Answer:
    """Runs one command; it must not be called where an event loop runs."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as ended:  # argparse ends so
            code = ended.code if isinstance(ended.code, int) else 1
    return Answer(code, out.getvalue(), err.getvalue())


async def beside(*words: str) -> Answer:
    """Runs one command in a thread, while the lab serves in this one."""
    return await asyncio.to_thread(command, *words)
