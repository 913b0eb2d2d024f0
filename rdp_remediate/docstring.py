"""Reads sections out of docstrings: the text of a check or fix stands beside its code and nowhere else."""

import inspect


def section_of(documented: object, heading: str) -> str:
    """A section (such as `Why:` or `By hand:`) of a docstring as one text, or an empty string."""
    lines: list[str] = []
    inside = False
    for line in (inspect.getdoc(documented) or "").splitlines()[1:]:
        starts = not line.startswith(" ") and ":" in line
        if starts:
            inside = line.lower().startswith(f"{heading.lower()}:")
        if inside:
            lines.append((line.partition(":")[2] if starts else line).strip())
    return "\n".join(lines).strip()
