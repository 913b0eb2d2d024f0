"""TSRequest, the envelope of Network Level Authentication.

Source: MS-CSSP 2.2.1. The probe sends one with an NTLM NEGOTIATE message and reads one back; it never authenticates.
"""

from dataclasses import dataclass

from rdp_remediate.probe import der, ntlm
from rdp_remediate.probe.malformed import MalformedError

CLIENT_VERSION = 6
MESSAGE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class TsRequest:
    """A received TSRequest.

    Attributes:
        version: The CredSSP version of the sender.
        token: The first token of negoTokens, when there is one.
        error_code: The NTSTATUS of errorCode as an unsigned number, when there is one.
    """

    version: int
    token: bytes | None = None
    error_code: int | None = None

    @property
    def challenge_bytes(self) -> bytes | None:
        """The NTLM message in the token, also when SPNEGO wraps it; None when there is no NTLM in it."""
        if self.token is None:
            return None
        start = self.token.find(ntlm.SIGNATURE)
        return None if start < 0 else self.token[start:]


def negotiate_request() -> bytes:
    """Writes the TSRequest that asks for an NTLM challenge."""
    token = der.encode(der.context(0), der.encode(der.OCTET_STRING, ntlm.negotiate_message()))
    tokens = der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, token))
    version = der.encode(der.context(0), der.encode(der.INTEGER, bytes([CLIENT_VERSION])))
    return der.encode(der.SEQUENCE, version + der.encode(der.context(1), tokens))


def message_length(received: bytes | bytearray) -> int | None:
    """Reads how many bytes the TSRequest at the start has; None while its header is not complete.

    Raises:
        MalformedError: The bytes are no DER SEQUENCE, or it is longer than 64 KiB.
    """
    if received and received[0] != der.SEQUENCE:
        raise MalformedError(f"the first byte is 0x{received[0]:02x}, not a DER SEQUENCE")
    header = der.read_header(received)
    if header is None:
        return None
    if header.end > MESSAGE_BYTES_MAX:
        raise MalformedError(f"a TSRequest of {header.end} bytes is longer than {MESSAGE_BYTES_MAX}")
    return header.end


def parse(message: bytes) -> TsRequest:
    """Parses one whole TSRequest.

    Raises:
        MalformedError: It is cut short, breaks DER or has no version.
    """
    length = message_length(message)
    if length is None or length != len(message):
        raise MalformedError("the TSRequest is cut short or followed by other bytes")
    header = der.only(message, der.SEQUENCE, 0, length)
    version: int | None = None
    token: bytes | None = None
    error_code: int | None = None
    for field in der.children(message, header.start, header.end):
        if field.tag == der.context(0):
            version = der.integer(message, der.only(message, der.INTEGER, field.start, field.end))
        elif field.tag == der.context(1):
            token = _first_token(message, field)
        elif field.tag == der.context(4):
            # Windows writes the NTSTATUS as a negative INTEGER, other servers as a positive one of five bytes.
            error_code = der.integer(message, der.only(message, der.INTEGER, field.start, field.end)) & 0xFFFFFFFF
    if version is None:
        raise MalformedError("the TSRequest has no version")
    return TsRequest(version, token, error_code)


def _first_token(message: bytes, field: der.Element) -> bytes | None:
    tokens = der.only(message, der.SEQUENCE, field.start, field.end)
    first = next(der.children(message, tokens.start, tokens.end), None)
    if first is None:
        return None
    if first.tag != der.SEQUENCE:
        raise MalformedError(f"a negotiation token has tag 0x{first.tag:02x}")
    wrapped = der.only(message, der.context(0), first.start, first.end)
    octets = der.only(message, der.OCTET_STRING, wrapped.start, wrapped.end)
    return message[octets.start : octets.end]
