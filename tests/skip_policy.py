"""Which skips a run accepts: .ci/run names a list, and a skip that is not on it fails the run.

Lines of the list: `[absent: PATH] GLOB => WHY`. GLOB is matched against the reason of a skip; the optional prefix
makes the line count only where PATH, relative to the checkout, does not exist.
"""

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"^(?:\[absent: (?P<absent>[^\]]+)\] )?(?P<glob>.+?) => (?P<why>.+)$")


@dataclass(frozen=True)
class AllowedSkip:
    """A reason for skipping that is accepted, and why."""

    glob: str
    why: str
    absent: str | None

    def accepts(self, reason: str, checkout: Path) -> bool:
        """This line covers a skip with that reason in that checkout."""
        if self.absent is not None and (checkout / self.absent).exists():
            return False
        return fnmatch.fnmatchcase(reason, self.glob)


def parse_allowed_skips(text: str) -> tuple[AllowedSkip, ...]:
    """Return the lines of the list; blank lines and comments do not count.

    Raises:
        ValueError: For a line of another form.
    """
    allowed = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            raise ValueError(f"line {number} of the allowed skips is not `[absent: PATH] GLOB => WHY`: {line!r}")
        allowed.append(AllowedSkip(match["glob"], match["why"], match["absent"]))
    return tuple(allowed)


def refused(reasons: Iterable[str], allowed: Iterable[AllowedSkip], checkout: Path) -> tuple[str, ...]:
    """Return the skip reasons that no line accepts, each once."""
    lines = tuple(allowed)
    return tuple(sorted({reason for reason in reasons if not any(line.accepts(reason, checkout) for line in lines)}))
