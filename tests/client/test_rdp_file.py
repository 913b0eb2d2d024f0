"""What a .rdp file dials, in the forms that mstsc and others write, and files that are none."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdp_remediate.client.rdp_file import MOST_BYTES, dialled, parse_rdp, read_rdp_file
from rdp_remediate.errors import UsageError

LINES = "screen mode id:i:2\r\nfull address:s:vm1.example.com\r\nserver port:i:3390\r\nusername:s:CONTOSO\\alice\r\n"


def _utf16(text: str) -> bytes:
    return b"\xff\xfe" + text.encode("utf-16-le")


@pytest.mark.parametrize("raw", [LINES.encode(), b"\xef\xbb\xbf" + LINES.encode(), _utf16(LINES)])
def test_encodings(raw: bytes) -> None:
    file = parse_rdp(raw, "x.rdp")
    assert dialled(file) == ("vm1.example.com", 3390)
    assert "alice" not in file.model_dump_json()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("full address:s:vm1:3391\nserver port:i:3390\n", ("vm1", 3391)),
        ("full address:s:vm1\n", ("vm1", 3389)),
        ("FULL ADDRESS:s:[2001:db8::1]:3390\n", ("2001:db8::1", 3390)),
        ("full address:s:2001:db8::1\n", ("2001:db8::1", 3389)),
        ("full address:s:old\nalternate full address:s:new:3392\n", ("new", 3392)),
    ],
)
def test_which_address_and_port(text: str, expected: tuple[str, int]) -> None:
    assert dialled(parse_rdp(text.encode(), "x.rdp")) == expected


def test_the_gateway_is_kept() -> None:
    file = parse_rdp(b"full address:s:vm1\ngatewayhostname:s:gw.example.com\ngatewayusagemethod:i:1\n", "x.rdp")
    assert (file.gateway_host, file.gateway_usage) == ("gw.example.com", 1)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"MZ\x90\x00\x03\x00",
        b"\xff\xfe\x00",
        b"\x80\x81",
        b"full address:s:\n",
        b"full address:s:a b\n",
        b"full address:s:vm1\nserver port:i:99999\n",
        b"full address:s:vm1\nserver port:i:x\n",
        b"full address:s:" + b"a" * 400 + b"\n",
    ],
)
def test_broken_files_are_refused(raw: bytes) -> None:
    with pytest.raises(UsageError, match=r"x\.rdp"):
        parse_rdp(raw, "x.rdp")


def test_a_huge_or_missing_file_is_refused(tmp_path: Path) -> None:
    huge = tmp_path / "huge.rdp"
    huge.write_bytes(b"full address:s:vm1\n" + b" " * MOST_BYTES)
    for path in (huge, tmp_path / "none.rdp", tmp_path):
        with pytest.raises(UsageError):
            read_rdp_file(path)


@given(st.binary(max_size=400))
def test_any_bytes_end_as_a_file_or_as_a_usage_error(raw: bytes) -> None:
    try:
        dialled(parse_rdp(raw, "x.rdp"))
    except UsageError:
        return
