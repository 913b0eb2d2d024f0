"""How many inputs the parsers get, and how they are made: 200 each, in CI 20,000 in all, by `make fuzz` a million in all."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.conftest import PROFILE_VARIABLE

PARSERS = 8
_PROFILE = os.environ.get(PROFILE_VARIABLE, "quick")
_EXAMPLES = {"quick": 200, "ci": 20_000 // PARSERS, "fuzz": 1_000_000 // PARSERS}
FUZZ = settings(
    max_examples=_EXAMPLES.get(_PROFILE, _EXAMPLES["quick"]),
    derandomize=_PROFILE != "fuzz",
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

_EDIT = st.tuples(st.sampled_from(["set", "cut", "insert", "drop"]), st.integers(0, 2**16), st.integers(0, 255))


def mutations(seed: bytes) -> st.SearchStrategy[bytes]:
    """The seed with a few bytes changed, added or taken away: it breaks deep inside a parser, not at its door."""
    return st.lists(_EDIT, min_size=1, max_size=6).map(lambda edits: _edited(seed, edits))


def _edited(seed: bytes, edits: list[tuple[str, int, int]]) -> bytes:
    data = bytearray(seed)
    for kind, position, value in edits:
        at = position % (len(data) + 1)
        if kind == "set" and at < len(data):
            data[at] = value
        elif kind == "cut":
            del data[at:]
        elif kind == "insert":
            data.insert(at, value)
        elif kind == "drop":
            del data[at : at + 1 + value % 4]
    return bytes(data)
