"""NTLM messages that need no credentials: NEGOTIATE is sent, CHALLENGE is read.

Source: MS-NLMP 2.2.1.1, 2.2.1.2, 2.2.2.1 (AV_PAIR) and 2.2.2.10 (VERSION).
"""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rdp_remediate.probe.malformed import MalformedError

SIGNATURE = b"NTLMSSP\x00"
_CHALLENGE = 2
_CHALLENGE_BYTES_MIN = 48
_UNICODE = 0x00000001
_TARGET_INFO = 0x00800000
_VERSION = 0x02000000
# 56, KEY_EXCH, 128, VERSION, extended session security, ALWAYS_SIGN, NTLM, LM_KEY, SEAL, SIGN, REQUEST_TARGET, OEM,
# UNICODE: what a Windows client sends.
_NEGOTIATE_FLAGS = 0xE20882B7
_CLIENT_VERSION = struct.pack("<BBHxxxB", 10, 0, 17763, 15)
_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_END, _NB_COMPUTER, _NB_DOMAIN, _DNS_COMPUTER, _DNS_DOMAIN, _DNS_TREE, _TIMESTAMP = 0, 1, 2, 3, 4, 5, 7


@dataclass(frozen=True, slots=True)
class NtlmChallenge:
    """What a server says of itself in its challenge, before any logon; None where it did not say it.

    Attributes:
        target_name: The authentication target: the domain, or the computer outside of one.
        nb_domain: NetBIOS domain name.
        nb_computer: NetBIOS computer name.
        dns_domain: DNS domain name.
        dns_computer: DNS computer name.
        dns_tree: DNS name of the forest.
        product_version: Windows version and build, such as 10.0.20348.
        system_time: The server's clock.
    """

    target_name: str | None = None
    nb_domain: str | None = None
    nb_computer: str | None = None
    dns_domain: str | None = None
    dns_computer: str | None = None
    dns_tree: str | None = None
    product_version: str | None = None
    system_time: datetime | None = None


def negotiate_message() -> bytes:
    """Writes a NEGOTIATE message that names neither domain nor workstation."""
    return SIGNATURE + struct.pack("<II", 1, _NEGOTIATE_FLAGS) + bytes(16) + _CLIENT_VERSION


def parse_challenge(message: bytes) -> NtlmChallenge:
    """Parses a CHALLENGE message.

    Raises:
        MalformedError: The bytes are no challenge, or a field lies outside them.
    """
    if message[:8] != SIGNATURE:
        raise MalformedError("the NTLM signature is missing")
    if len(message) < _CHALLENGE_BYTES_MIN:
        raise MalformedError(f"an NTLM challenge has at least {_CHALLENGE_BYTES_MIN} bytes, not {len(message)}")
    (kind,) = struct.unpack_from("<I", message, 8)
    if kind != _CHALLENGE:
        raise MalformedError(f"the NTLM message has type {kind}, not {_CHALLENGE}")
    (flags,) = struct.unpack_from("<I", message, 20)
    target = _field(message, 12)
    pairs = _av_pairs(_field(message, 40)) if flags & _TARGET_INFO else {}
    version = None
    if flags & _VERSION and len(message) >= _CHALLENGE_BYTES_MIN + 8:
        major, minor, build = struct.unpack_from("<BBH", message, _CHALLENGE_BYTES_MIN)
        version = f"{major}.{minor}.{build}"
    return NtlmChallenge(
        target_name=(_text(target) if flags & _UNICODE else target.decode("latin-1")) or None,
        nb_domain=_name(pairs, _NB_DOMAIN),
        nb_computer=_name(pairs, _NB_COMPUTER),
        dns_domain=_name(pairs, _DNS_DOMAIN),
        dns_computer=_name(pairs, _DNS_COMPUTER),
        dns_tree=_name(pairs, _DNS_TREE),
        product_version=version,
        system_time=_filetime(pairs.get(_TIMESTAMP)),
    )


def _field(message: bytes, at: int) -> bytes:
    size, _, offset = struct.unpack_from("<HHI", message, at)
    if size and offset + size > len(message):
        raise MalformedError(f"the NTLM field at byte {at} lies outside the message")
    return message[offset : offset + size]


def _av_pairs(info: bytes) -> dict[int, bytes]:
    pairs: dict[int, bytes] = {}
    offset = 0
    while offset < len(info):
        if offset + 4 > len(info):
            raise MalformedError("the NTLM target information is cut short")
        kind, size = struct.unpack_from("<HH", info, offset)
        offset += 4
        if kind == _END:
            return pairs
        if offset + size > len(info):
            raise MalformedError(f"the NTLM AV pair {kind} lies outside the target information")
        pairs.setdefault(kind, info[offset : offset + size])
        offset += size
    raise MalformedError("the NTLM target information has no end")


def _name(pairs: dict[int, bytes], kind: int) -> str | None:
    return _text(pairs[kind]) or None if kind in pairs else None


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise MalformedError("an NTLM name is not UTF-16") from error


def _filetime(raw: bytes | None) -> datetime | None:
    if raw is None:
        return None
    if len(raw) != 8:
        raise MalformedError(f"the NTLM time has {len(raw)} bytes, not 8")
    ticks = int.from_bytes(raw, "little")
    if ticks == 0:
        return None
    try:
        return _FILETIME_EPOCH + timedelta(microseconds=ticks // 10)
    except OverflowError as error:
        raise MalformedError(f"the NTLM time {ticks} is behind the end of the calendar") from error
