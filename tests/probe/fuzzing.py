"""How many inputs the parsers get: 200 each, or with RDP_PROBE_FUZZ=million a million in all."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

_CALM = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("probe", _CALM, max_examples=200)
# Six parsers share the million.
settings.register_profile("probe-million", _CALM, max_examples=170_000)
FUZZ = settings(settings.get_profile("probe-million" if os.environ.get("RDP_PROBE_FUZZ") == "million" else "probe"))

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
