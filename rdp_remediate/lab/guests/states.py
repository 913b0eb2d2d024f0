"""Healthy guest states for the lab without winps, kept as JSON beside this module.

server2022.json is whole; the others are JSON merge patches (RFC 7396) over it. They are winps' own healthy states cut
to what `rdp_remediate.lab.guests.surface` knows; a test compares them with the tool.
"""

import copy
import functools
import json
from importlib import resources
from typing import Any

from rdp_remediate.errors import UsageError
from rdp_remediate.lab.guest_runtime import GuestState

BASES = ("server2022", "server2022-domain", "server2022-core", "server2022-de", "server2016", "win11")
_WHOLE = "server2022"


def healthy_state(base: str) -> GuestState:
    """Returns a fresh healthy state, as it is before Windows' dynamics.

    Raises:
        UsageError: there is no such base.
    """
    if base not in BASES:
        raise UsageError(f"There is no healthy guest state {base!r}; there are {', '.join(BASES)}.")
    state = copy.deepcopy(_document(_WHOLE))
    if base != _WHOLE:
        merged = merge_patch(state, copy.deepcopy(_document(base)))
        assert isinstance(merged, dict)  # noqa: S101 - a patch of an object onto an object
        state = merged
    return state


def merge_patch(target: Any, patch: Any) -> Any:
    """Returns the target changed by a JSON merge patch (RFC 7396, section 2); the target may be changed in place."""
    if not isinstance(patch, dict):
        return patch
    merged: dict[str, Any] = target if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


@functools.cache
def _document(base: str) -> dict[str, Any]:
    text = resources.files(__package__).joinpath("states", f"{base}.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document
