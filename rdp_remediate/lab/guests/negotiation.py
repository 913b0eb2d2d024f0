"""The server side of RDP's connection negotiation and of CredSSP's first round, bytes only.

Sources: MS-RDPBCGR 2.2.1.1 and 2.2.1.2 (X.224 Connection Request and Confirm), MS-CSSP 2.2.1 (TSRequest),
MS-NLMP 2.2.1.2 (CHALLENGE_MESSAGE). Nobody can log on here: the exchange ends with the challenge.
"""

import struct
from datetime import UTC, datetime
from enum import IntEnum, IntFlag

from rdp_remediate.lab.guest_runtime import RdpListener

TPKT_HEADER_BYTES = 4
MAX_REQUEST_BYTES = 512
MAX_TS_REQUEST_BYTES = 65536


class Security(IntFlag):
    """requestedProtocols and selectedProtocol (MS-RDPBCGR 2.2.1.1.1)."""

    RDP = 0
    SSL = 1
    HYBRID = 2
    HYBRID_EX = 8


class Failure(IntEnum):
    """failureCode of RDP_NEG_FAILURE (MS-RDPBCGR 2.2.1.2.2)."""

    SSL_REQUIRED_BY_SERVER = 1
    SSL_NOT_ALLOWED_BY_SERVER = 2
    SSL_CERT_NOT_ON_SERVER = 3
    HYBRID_REQUIRED_BY_SERVER = 5


class MalformedRequestError(ValueError):
    """The client's bytes are no X.224 Connection Request or no TSRequest; Windows would close the connection."""


def requested_protocols(pdu: bytes) -> Security | None:
    """Returns requestedProtocols of a whole X.224 Connection Request, None when it holds no RDP_NEG_REQ.

    Raises:
        MalformedRequestError: the bytes are no Connection Request.
    """
    if len(pdu) < 11 or pdu[0] != 3 or struct.unpack(">H", pdu[2:4])[0] != len(pdu):
        raise MalformedRequestError("no TPKT header of version 3 with the length of what was sent")
    if pdu[4] != len(pdu) - 5 or pdu[5] & 0xF0 != 0xE0:
        raise MalformedRequestError("no X.224 Connection Request")
    # A routing token or cookie ends with CR LF and stands before RDP_NEG_REQ.
    rest = pdu[11:]
    cookie_end = rest.find(b"\r\n")
    if cookie_end >= 0 and not rest.startswith(b"\x01"):
        rest = rest[cookie_end + 2 :]
    if len(rest) < 8 or rest[0] != 1 or rest[2:4] != b"\x08\x00":
        return None
    return Security(int.from_bytes(rest[4:8], "little"))


def confirm(pdu: bytes, listener: RdpListener) -> tuple[bytes, Security | None]:
    """Returns the X.224 Connection Confirm to a request and the security protocol that goes on, None to close.

    The choice follows the listener's security layer and its demand for Network Level Authentication, as the Remote
    Desktop listener documents it and as winps answers.

    Raises:
        MalformedRequestError: the bytes are no Connection Request.
    """
    requested = requested_protocols(pdu)
    if requested is None:
        return _confirm(b""), None
    outcome = choose(requested, listener)
    if isinstance(outcome, Failure):
        return _confirm(struct.pack("<BBHI", 3, 0, 8, outcome)), None
    # 0x1F: extended client data, graphics pipeline, restricted admin and redirected authentication (Windows 10 on).
    response = _confirm(struct.pack("<BBHI", 2, 0x1F, 8, outcome))
    return response, outcome if outcome else None


def choose(requested: Security, listener: RdpListener) -> Security | Failure:
    """Returns what the listener selects of what a client requests, or why it declines."""
    wants_tls = bool(requested & (Security.SSL | Security.HYBRID))
    if listener.security_layer == 0:
        return Failure.SSL_NOT_ALLOWED_BY_SERVER if wants_tls else Security.RDP
    if wants_tls and listener.thumbprint is None:
        return Failure.SSL_CERT_NOT_ON_SERVER
    if requested & Security.HYBRID:
        return Security.HYBRID
    if listener.user_authentication:
        return Failure.HYBRID_REQUIRED_BY_SERVER
    if requested & Security.SSL:
        return Security.SSL
    return Failure.SSL_REQUIRED_BY_SERVER if listener.security_layer == 2 else Security.RDP


def ts_request_length(head: bytes) -> int | None:
    """Returns the whole length of the TSRequest that begins with these bytes, None while more are needed to know.

    Raises:
        MalformedRequestError: it is no DER sequence or longer than 64 KiB.
    """
    if not head:
        return None
    if head[0] != 0x30:
        raise MalformedRequestError("no TSRequest")
    if len(head) < 2:
        return None
    if head[1] < 0x80:
        return 2 + head[1]
    size = head[1] & 0x7F
    if not 1 <= size <= 3:
        raise MalformedRequestError("a TSRequest of that length is refused")
    if len(head) < 2 + size:
        return None
    length = 2 + size + int.from_bytes(head[2 : 2 + size], "big")
    if length > MAX_TS_REQUEST_BYTES:
        raise MalformedRequestError("a TSRequest of that length is refused")
    return length


def challenge(ts_request: bytes, computer_name: str, version: tuple[int, int, int], now: datetime) -> bytes:
    """Returns the TSRequest with an NTLM CHALLENGE that names the computer, as a workgroup server sends it.

    Raises:
        MalformedRequestError: the request holds no NTLM NEGOTIATE message.
    """
    if b"NTLMSSP\x00\x01\x00\x00\x00" not in ts_request:
        raise MalformedRequestError("no NTLM NEGOTIATE in the TSRequest")
    netbios = computer_name[:15].upper()
    pairs = b"".join(
        struct.pack("<HH", kind, len(value)) + value
        for kind, value in (
            (2, netbios.encode("utf-16-le")),
            (1, netbios.encode("utf-16-le")),
            (4, computer_name.encode("utf-16-le")),
            (3, computer_name.encode("utf-16-le")),
            (7, struct.pack("<Q", _filetime(now))),
            (0, b""),
        )
    )
    target = netbios.encode("utf-16-le")
    flags = 0xE28A8235  # 56|KEY_EXCH|128|VERSION|TARGET_INFO|ESS|TARGET_TYPE_SERVER|ALWAYS_SIGN|NTLM|SEAL|SIGN|UNICODE
    head = b"NTLMSSP\x00" + struct.pack("<I", 2)
    head += struct.pack("<HHI", len(target), len(target), 56) + struct.pack("<I", flags)
    head += b"\x9b\x0c\x5e\x31\x77\x02\xd4\xa8" + bytes(8)  # any server challenge: no answer to it is ever checked
    head += struct.pack("<HHI", len(pairs), len(pairs), 56 + len(target))
    head += struct.pack("<BBHBBBB", version[0], version[1], version[2], 0, 0, 0, 15)
    token = head + target + pairs
    nego_token = _der(0x30, _der(0x30, _der(0xA0, _der(0x04, token))))
    return _der(0x30, _der(0xA0, _der(0x02, b"\x06")) + _der(0xA1, nego_token))


def _confirm(negotiation: bytes) -> bytes:
    length = 11 + len(negotiation)
    return struct.pack(">BBHBBHHB", 3, 0, length, length - 5, 0xD0, 0, 0x1234, 0) + negotiation


def _der(tag: int, content: bytes) -> bytes:
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    size = (len(content).bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + len(content).to_bytes(size, "big") + content


def _filetime(moment: datetime) -> int:
    return int((moment - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds() * 10_000_000)
