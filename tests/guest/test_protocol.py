"""The wire form: whole answers are decoded, everything else is Unavailable."""

import base64
import json
import re
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdp_remediate.errors import InternalError
from rdp_remediate.guest.protocol import MAX_REQUEST_CHARACTERS, decode_answer, encode_request
from rdp_remediate.models.fact import Reason, Unavailable
from rdp_remediate.models.guest import GuestAnswer
from rdp_remediate.ports import GuestRequest

ANSWER: dict[str, Any] = {
    "schema": "rdp-remediate/guest/1",
    "slice": 1,
    "collected_at": "2026-01-15T10:00:00Z",
    "language_mode": "FullLanguage",
    "registry": {"TS\\fDenyTSConnections": 1, "POL\\fDenyTSConnections": None, "RT\\X": {"Binary": "00FF"}},
    "sessions": [
        {"id": 2, "name": "rdp-tcp#4", "user": "müller", "state": "Active"},
        {"id": 0, "name": "services", "user": "", "state": "Disc"},
    ],
    "unavailable": [{"fact": "firewall", "reason": "truncated", "detail": "no room"}],
}


def line(document: Any = ANSWER, *, mode: str = "z", slice_: int = 1, text: str | None = None) -> str:
    plain = json.dumps(document) if text is None else text
    if mode == "z":
        packer = zlib.compressobj(wbits=-15)
        payload = base64.b64encode(packer.compress(plain.encode()) + packer.flush()).decode()
    else:
        payload = plain
    return f"#rdpr1 {mode} {slice_} {zlib.crc32(payload.encode()):08x} {len(payload)} {payload}#end"


def reason(stdout: str, slice_: int = 1) -> Reason:
    answer = decode_answer(stdout, slice_)
    assert isinstance(answer, Unavailable), answer
    return answer.reason


@pytest.mark.parametrize("mode", ["z", "p"])
@pytest.mark.parametrize("around", ["{}", "{}\n", "{}\r\n", "noise before\n{}\n", "{}\\n"])
def test_whole_answer_is_decoded(mode: str, around: str) -> None:
    answer = decode_answer(around.format(line(mode=mode)))
    assert isinstance(answer, dict)
    assert answer["registry"] == ANSWER["registry"]
    assert [session["id"] for session in answer["sessions"]] == [0, 2]
    assert answer["sessions"][1]["user"] == "müller"
    assert "services" not in answer
    assert GuestAnswer.model_validate(answer).registry == ANSWER["registry"]


def test_line_that_a_console_wrapped_is_decoded() -> None:
    whole = line()
    wrapped = "\r\n".join(whole[at : at + 80] for at in range(0, len(whole), 80))
    assert decode_answer(wrapped) == decode_answer(whole)


def test_missing_head_is_truncated() -> None:
    assert reason(line()[40:]) is Reason.TRUNCATED


def test_every_cut_of_the_end_is_truncated_or_malformed() -> None:
    whole = line()
    for length in range(len(whole)):
        assert reason(whole[:length]) in (Reason.TRUNCATED, Reason.MALFORMED)
    assert reason(whole[:-10]) is Reason.TRUNCATED


@pytest.mark.parametrize("stdout", ["", " \n", "Access is denied.", "#rdpr1", "#end", "#rdpr1 z 1 00000000 0 #end"])
def test_output_without_an_answer_is_not_guessed(stdout: str) -> None:
    assert reason(stdout) in (Reason.MALFORMED, Reason.TRUNCATED)


def test_two_answers_are_malformed() -> None:
    assert reason(line() + "\n" + line()) is Reason.MALFORMED


def test_wrong_checksum_is_malformed() -> None:
    whole = line()
    other = "0" * 8 if " 00000000 " not in whole else "1" * 8
    assert reason(re.sub(r"(#rdpr1 z 1 )[0-9a-f]{8}", rf"\g<1>{other}", whole)) is Reason.MALFORMED


def test_wrong_length_is_malformed() -> None:
    whole = line(mode="p")
    length = int(whole.split(" ")[4])
    assert reason(whole.replace(f" {length} ", f" {length - 1} ", 1)) is Reason.MALFORMED


def test_other_slice_is_malformed() -> None:
    assert reason(line(), slice_=2) is Reason.MALFORMED
    assert reason(line(slice_=2), slice_=2) is Reason.MALFORMED  # the head says 2, the answer says 1


def test_half_of_one_slice_before_another_is_malformed() -> None:
    whole = line()
    assert reason(whole[: len(whole) // 2] + "\n" + whole) is Reason.MALFORMED


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        "not json",
        '{"schema": "rdp-remediate/guest/2", "slice": 1}',
        json.dumps({**ANSWER, "sessions": [{}]}),
    ],
)
@pytest.mark.parametrize("mode", ["z", "p"])
def test_answer_that_breaks_the_schema_is_malformed(text: str, mode: str) -> None:
    assert reason(line(text=text, mode=mode)) is Reason.MALFORMED


def test_payload_that_unpacks_to_too_much_is_malformed() -> None:
    assert reason(line(text=" " * 200_000)) is Reason.MALFORMED


def test_payload_that_is_no_deflate_is_malformed() -> None:
    payload = "!!not base64!!"
    assert reason(f"#rdpr1 z 1 {zlib.crc32(payload.encode()):08x} {len(payload)} {payload}#end") is Reason.MALFORMED


@given(st.integers(min_value=0, max_value=len(line()) - 1), st.characters(codec="ascii", exclude_characters="\r\n"))
def test_one_wrong_character_never_gives_another_answer(at: int, character: str) -> None:
    whole = line()
    damaged = whole[:at] + character + whole[at + 1 :]
    answer = decode_answer(damaged)
    assert isinstance(answer, Unavailable) or answer == decode_answer(whole)


def test_request_is_one_safe_parameter() -> None:
    step = {"id": "g1", "group": "a", "kind": "registry", "target": {"path": "TS\\fDenyTSConnections"}, "expected": 1}
    text = encode_request(GuestRequest(run_id="r", script="repair", user="CONTOSO\\jörg & co", steps=[step]))
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    document = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    assert document["user"] == "CONTOSO\\jörg & co"
    assert document["steps"] == [step]
    assert document["schema"] == "rdp-remediate/guest-request/1"


def test_request_that_does_not_fit_is_an_error() -> None:
    steps = [{"id": f"g{number}", "detail": "x" * 100} for number in range(60)]
    with pytest.raises(InternalError, match=f"more than {MAX_REQUEST_CHARACTERS}"):
        encode_request(GuestRequest(run_id="r", script="repair", steps=steps))
