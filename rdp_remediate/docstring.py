"""Reads sections out of docstrings: the text of a check or fix stands beside its code and nowhere else."""

import inspect

# A closed list: a sentence of a section may hold a colon too.
HEADINGS = ("why", "evidence", "by hand", "changes", "undo", "refuses when", "see")


def section_of(documented: object, heading: str) -> str:
    """A section (such as `Why:` or `By hand:`) of a docstring as one text, or an empty string."""
    lines: list[str] = []
    inside = False
    for line in (inspect.getdoc(documented) or "").splitlines()[1:]:
        name, colon, rest = line.partition(":")
        starts = bool(colon) and name.lower() in HEADINGS
        if starts:
            inside = name.lower() == heading.lower()
        if inside:
            lines.append((rest if starts else line).strip())
    return "\n".join(lines).strip()
