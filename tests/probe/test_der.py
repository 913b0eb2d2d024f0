import pytest

from rdp_remediate.probe import der
from rdp_remediate.probe.malformed import MalformedError


@pytest.mark.parametrize(
    ("size", "head"), [(0, "0400"), (127, "047f"), (128, "048180"), (256, "04820100"), (65536, "0483010000")]
)
def test_lengths_are_written_in_their_shortest_form_and_read_back(size: int, head: str) -> None:
    encoded = der.encode(der.OCTET_STRING, bytes(size))
    assert encoded.startswith(bytes.fromhex(head))
    start = len(bytes.fromhex(head))
    assert der.read_header(encoded) == der.Element(der.OCTET_STRING, start, start + size)


@pytest.mark.parametrize("received", ["", "30", "3081", "308201"])
def test_missing_bytes_are_not_malformed(received: str) -> None:
    assert der.read_header(bytes.fromhex(received)) is None


@pytest.mark.parametrize("received", ["1f00", "3080", "3084000000", "30ff"])
def test_what_is_no_der_is_refused(received: str) -> None:
    with pytest.raises(MalformedError):
        der.read_header(bytes.fromhex(received))


def test_an_element_that_leaves_its_container_is_refused() -> None:
    with pytest.raises(MalformedError, match="does not fit"):
        list(der.children(bytes.fromhex("0201050203"), 0, 5))
    # The header itself lies behind the container's end, though not behind the data's.
    with pytest.raises(MalformedError, match="does not fit"):
        list(der.children(bytes.fromhex("02010502"), 3, 4))


@pytest.mark.parametrize("data", ["", "0400", "020101020102"])
def test_exactly_one_element_of_the_tag_is_due(data: str) -> None:
    raw = bytes.fromhex(data)
    with pytest.raises(MalformedError, match="0x02 was due"):
        der.only(raw, der.INTEGER, 0, len(raw))


@pytest.mark.parametrize(
    ("data", "value"), [("020106", 6), ("0204c0000418", -1073740776), ("020500c0000418", 3221226520)]
)
def test_integers_are_signed(data: str, value: int) -> None:
    raw = bytes.fromhex(data)
    assert der.integer(raw, der.only(raw, der.INTEGER, 0, len(raw))) == value


@pytest.mark.parametrize("data", ["0200", "0209010000000000000000"])
def test_an_integer_of_no_or_nine_bytes_is_refused(data: str) -> None:
    raw = bytes.fromhex(data)
    with pytest.raises(MalformedError, match="INTEGER"):
        der.integer(raw, der.only(raw, der.INTEGER, 0, len(raw)))
