"""The part of DER that a CredSSP message needs.

Source: X.690 8.1. Bytes still missing and bytes that are wrong are kept apart: the first is None, the second an error.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from rdp_remediate.probe.malformed import MalformedError

INTEGER = 0x02
OCTET_STRING = 0x04
SEQUENCE = 0x30
_LENGTH_BYTES_MAX = 3
_HIGH_TAG = 0x1F


def context(number: int) -> int:
    """Gives the tag of a constructed context-specific field, as `[number]` in ASN.1."""
    return 0xA0 | number


@dataclass(frozen=True, slots=True)
class Element:
    """Where one element lies in its buffer.

    Attributes:
        tag: The identifier octet.
        start: Offset of the first content byte.
        end: Offset behind the last content byte; it may lie behind the bytes received so far.
    """

    tag: int
    start: int
    end: int


def encode(tag: int, content: bytes) -> bytes:
    """Writes one element with a definite length in its shortest form."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def read_header(data: bytes | bytearray, offset: int = 0, limit: int | None = None) -> Element | None:
    """Reads the header of the element at an offset; None when it needs bytes behind the limit (or the data's end).

    Raises:
        MalformedError: The tag has several bytes, or the length is indefinite or has more than three bytes.
    """
    available = len(data) if limit is None else limit
    if available <= offset:
        return None
    tag = data[offset]
    if tag & _HIGH_TAG == _HIGH_TAG:
        raise MalformedError(f"the tag 0x{tag:02x} has more than one byte")
    if available <= offset + 1:
        return None
    first = data[offset + 1]
    start = offset + 2
    if first < 0x80:
        return Element(tag, start, start + first)
    count = first & 0x7F
    if not 1 <= count <= _LENGTH_BYTES_MAX:
        raise MalformedError(f"a length of {count} bytes is not allowed here")
    if available < start + count:
        return None
    return Element(tag, start + count, start + count + int.from_bytes(data[start : start + count], "big"))


def only(data: bytes, tag: int, start: int, end: int) -> Element:
    """Reads the one element that fills a range and has the given tag.

    Raises:
        MalformedError: There is none, another one, or more than one.
    """
    elements = list(children(data, start, end))
    if len(elements) != 1 or elements[0].tag != tag:
        found = ", ".join(f"0x{element.tag:02x}" for element in elements[:4]) or "nothing"
        raise MalformedError(f"0x{tag:02x} was due, found {found}")
    return elements[0]


def children(data: bytes, start: int, end: int) -> Iterator[Element]:
    """Walks the elements that lie in a range of complete bytes.

    Raises:
        MalformedError: An element does not fit in the range.
    """
    offset = start
    while offset < end:
        element = read_header(data, offset, end)
        if element is None or element.end > end:
            raise MalformedError(f"the element at byte {offset} does not fit in its container")
        yield element
        offset = element.end


def integer(data: bytes, element: Element) -> int:
    """Reads a signed INTEGER of at most eight bytes.

    Raises:
        MalformedError: It is empty or longer.
    """
    size = element.end - element.start
    if not 1 <= size <= 8:
        raise MalformedError(f"an INTEGER has {size} bytes")
    return int.from_bytes(data[element.start : element.end], "big", signed=True)
