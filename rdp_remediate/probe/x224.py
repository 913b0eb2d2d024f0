"""The RDP negotiation: X.224 Connection Request and Confirm in TPKT.

Source: MS-RDPBCGR 2.2.1.1 and 2.2.1.2, with RFC 1006 for TPKT.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from rdp_remediate.probe.malformed import MalformedError

TPKT_VERSION = 3
TPKT_HEADER_BYTES = 4
TPKT_BYTES_MIN = 9
TPKT_BYTES_MAX = 512

_CONNECTION_REQUEST = 0xE0
_CONNECTION_CONFIRM = 0xD0
_NEG_REQUEST, _NEG_RESPONSE, _NEG_FAILURE = 1, 2, 3
_NEG_BYTES = 8
# An X.224 data header (02 f0 80), then MCS DisconnectProviderUltimatum (T.125, PER: choice 8, in the top six bits).
_DATA_HEADER = b"\x02\xf0\x80"
_DISCONNECT_CHOICE = 8


class SecurityProtocol(IntFlag):
    """The requestedProtocols and selectedProtocol bits (MS-RDPBCGR 2.2.1.1.1); zero is standard RDP security."""

    SSL = 0x01
    HYBRID = 0x02
    RDSTLS = 0x04
    HYBRID_EX = 0x08
    RDSAAD = 0x10


# RDSAAD is not offered: a server that chose it would give no NTLM challenge to read.
OFFERED = SecurityProtocol.SSL | SecurityProtocol.HYBRID | SecurityProtocol.HYBRID_EX

_PROTOCOL_NAMES = {0: "rdp", 1: "tls", 2: "nla", 4: "rdstls", 8: "nla_ex", 16: "rdsaad"}


class NegotiationFailure(IntEnum):
    """The failureCode values of RDP_NEG_FAILURE (MS-RDPBCGR 2.2.1.2.2)."""

    SSL_REQUIRED_BY_SERVER = 1
    SSL_NOT_ALLOWED_BY_SERVER = 2
    SSL_CERT_NOT_ON_SERVER = 3
    INCONSISTENT_FLAGS = 4
    HYBRID_REQUIRED_BY_SERVER = 5
    SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER = 6
    ENTRA_AUTH_REQUIRED_BY_SERVER = 7


_RESPONSE_FLAGS = {
    0x01: "EXTENDED_CLIENT_DATA_SUPPORTED",
    0x02: "DYNVC_GFX_PROTOCOL_SUPPORTED",
    0x04: "NEGRSP_FLAG_RESERVED",
    0x08: "RESTRICTED_ADMIN_MODE_SUPPORTED",
    0x10: "REDIRECTED_AUTHENTICATION_MODE_SUPPORTED",
}


@dataclass(frozen=True, slots=True)
class ConnectionConfirm:
    """The server agreed to a protocol.

    Attributes:
        selected: The selectedProtocol value; zero for standard RDP security.
        flags: Names of the response flags that are set.
        negotiated: False when the answer holds no RDP_NEG structure, as Windows XP sends it.
    """

    selected: int
    flags: tuple[str, ...] = ()
    negotiated: bool = True


@dataclass(frozen=True, slots=True)
class NegotiationRefusal:
    """The server answered RDP_NEG_FAILURE.

    Attributes:
        code: The failureCode as received.
    """

    code: int

    @property
    def name(self) -> str:
        """The documented name of the code, or its number."""
        if self.code in list(NegotiationFailure):
            return NegotiationFailure(self.code).name
        return f"UNKNOWN_{self.code}"


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The server answered an MCS Disconnect Provider Ultimatum in place of a Connection Confirm."""


Answer = ConnectionConfirm | NegotiationRefusal | Disconnect


def protocol_name(selected: int) -> str:
    """Names a selectedProtocol value: rdp, tls, nla, nla_ex, rdstls or rdsaad; another one by its number."""
    return _PROTOCOL_NAMES.get(selected, f"0x{selected:x}")


def connection_request(offered: SecurityProtocol = OFFERED, cookie: str | None = None) -> bytes:
    """Writes an X.224 Connection Request with RDP_NEG_REQ.

    Args:
        offered: The protocols that the server may choose from.
        cookie: The value of `mstshash`, at most nine characters as mstsc sends it; none on a first attempt.

    Raises:
        ValueError: The cookie is not one to nine letters or digits.
    """
    if cookie is not None and not (cookie.isascii() and cookie.isalnum() and len(cookie) <= 9):
        raise ValueError(f"The cookie {cookie!r} is not one to nine ASCII letters or digits.")
    routing = b"" if cookie is None else f"Cookie: mstshash={cookie}\r\n".encode("ascii")
    negotiation = struct.pack("<BBHI", _NEG_REQUEST, 0, _NEG_BYTES, int(offered))
    tpdu = struct.pack(">BHHB", _CONNECTION_REQUEST, 0, 0, 0) + routing + negotiation
    body = bytes([len(tpdu)]) + tpdu
    return struct.pack(">BBH", TPKT_VERSION, 0, TPKT_HEADER_BYTES + len(body)) + body


def tpkt_length(received: bytes | bytearray) -> int | None:
    """Reads the length of the TPKT packet at the start of the bytes; None while the header is not complete.

    Raises:
        MalformedError: This is no TPKT, or its length is outside what an answer can have (9 to 512 bytes).
    """
    if received and received[0] != TPKT_VERSION:
        raise MalformedError(f"the first byte is 0x{received[0]:02x}, not the TPKT version 3")
    if len(received) >= 2 and received[1] != 0:
        raise MalformedError(f"the reserved byte of the TPKT header is 0x{received[1]:02x}, not 0")
    if len(received) < TPKT_HEADER_BYTES:
        return None
    length = int.from_bytes(received[2:4], "big")
    if not TPKT_BYTES_MIN <= length <= TPKT_BYTES_MAX:
        raise MalformedError(f"the TPKT length {length} is outside {TPKT_BYTES_MIN} to {TPKT_BYTES_MAX}")
    return length


def parse_answer(packet: bytes) -> Answer:
    """Parses one whole TPKT packet that answers a Connection Request.

    Raises:
        MalformedError: The packet is no Connection Confirm, refusal or disconnect, or is cut short.
    """
    length = tpkt_length(packet)
    if length is None or length != len(packet):
        raise MalformedError(f"the TPKT length does not match the {len(packet)} bytes received")
    body = packet[TPKT_HEADER_BYTES:]
    if body[:3] == _DATA_HEADER and len(body) >= 5 and body[3] >> 2 == _DISCONNECT_CHOICE:
        return Disconnect()
    indicator = body[0]
    if body[1] & 0xF0 != _CONNECTION_CONFIRM:
        raise MalformedError(f"the X.224 code is 0x{body[1]:02x}, not a Connection Confirm")
    if indicator < 6 or indicator + 1 > len(body):
        raise MalformedError(f"the X.224 length indicator {indicator} does not fit {len(body)} bytes")
    negotiation = body[7 : indicator + 1]
    if not negotiation:
        return ConnectionConfirm(selected=0, negotiated=False)
    if len(negotiation) < _NEG_BYTES:
        raise MalformedError(f"the RDP negotiation structure has {len(negotiation)} bytes, not {_NEG_BYTES}")
    kind, flags, size, value = struct.unpack_from("<BBHI", negotiation)
    if size != _NEG_BYTES:
        raise MalformedError(f"the RDP negotiation structure says {size} bytes, not {_NEG_BYTES}")
    if kind == _NEG_RESPONSE:
        names = tuple(name for bit, name in _RESPONSE_FLAGS.items() if flags & bit)
        return ConnectionConfirm(selected=value, flags=names)
    if kind == _NEG_FAILURE:
        return NegotiationRefusal(value)
    raise MalformedError(f"the RDP negotiation structure has type {kind}, neither response nor failure")
