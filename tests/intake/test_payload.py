import contextlib
import json
import time
from typing import Any

import pytest

from rdp_remediate.errors import PayloadError
from rdp_remediate.intake.payload import MAX_BYTES, MAX_DEPTH, parse_json, plain


def _nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON at line 1"),
        (b"\xff\xfe{}", "not valid UTF-8"),
        ("\ud800", "not valid UTF-8"),
        ('"\\ud800"', "not valid UTF-8"),
        ('{"\\uDFFF": 1}', "not valid UTF-8"),
        ('{"a": NaN}', "not valid JSON"),
        ('{"a": -Infinity}', "not valid JSON"),
        ("9" * 5000, "not valid JSON"),
        (_nested(MAX_DEPTH + 1), "nested deeper than 40 levels"),
        (_nested(400_000), "nested"),
        ('{"a":' * 100_000, "nested"),
        (b" " * (MAX_BYTES + 1), "larger than 1048576 bytes"),
        ('"' + "é" * (MAX_BYTES // 2) + '"', "larger than 1048576 bytes"),
    ],
)
def test_hostile_bodies_are_refused(body: Any, fault: str) -> None:
    with pytest.raises(PayloadError, match=fault) as caught:
        parse_json(body, "event")
    assert len(str(caught.value)) < 200


def test_the_limits_themselves_pass() -> None:
    assert parse_json(_nested(MAX_DEPTH), "event")
    assert parse_json(json.dumps("a" * (MAX_BYTES - 2)), "event")
    assert parse_json(b"\xef\xbb\xbf[1]", "event") == [1]
    assert parse_json('"\\ud83d\\ude00"', "event") == "\N{GRINNING FACE}"


@pytest.mark.parametrize("body", ['"\\"' * 250_000, "[[]" + ",[]" * 300_000 + "]", '{"a":' + "[" * 900_000])
def test_a_full_size_body_costs_no_more_than_a_moment(body: str) -> None:
    started = time.process_time()
    # Whether it is read or refused is judged above; here only the time is.
    with contextlib.suppress(PayloadError):
        parse_json(body, "event")
    assert time.process_time() - started < 2


def test_plain_text_is_one_printable_line_of_bounded_length() -> None:
    assert plain("ordinary text, ünïcode too") == "ordinary text, ünïcode too"
    assert plain("a\r\nb\x1b[0m\u202e\u200bc") == "a??b?[0m??c"
    assert plain("x" * 500, 10) == "x" * 9 + "…"
