import struct
from datetime import UTC, datetime

import pytest

from rdp_remediate.probe import ntlm
from rdp_remediate.probe.malformed import MalformedError
from tests.probe import peers


def with_flags(message: bytes, flags: int) -> bytes:
    return message[:20] + struct.pack("<I", flags) + message[24:]


def flags_of(message: bytes) -> int:
    (flags,) = struct.unpack_from("<I", message, 20)
    assert isinstance(flags, int)
    return flags


def test_a_windows_challenge_is_read_whole() -> None:
    challenge = ntlm.parse_challenge(peers.challenge("WEB01", "FABRIKAM", dns_suffix="fabrikam.example"))
    assert challenge.target_name == challenge.nb_domain == "FABRIKAM"
    assert challenge.nb_computer == "WEB01"
    assert challenge.dns_computer == "WEB01.fabrikam.example"
    assert challenge.dns_domain == challenge.dns_tree == "fabrikam.example"
    assert challenge.product_version == "10.0.20348"
    assert challenge.system_time is not None
    assert abs((challenge.system_time - datetime.now(UTC)).total_seconds()) < 5


def test_what_a_challenge_does_not_say_is_none() -> None:
    message = peers.challenge()
    bare = with_flags(message, flags_of(message) & ~0x02800000)
    assert ntlm.parse_challenge(bare) == ntlm.NtlmChallenge(target_name="CONTOSO")


def test_a_target_name_without_the_unicode_flag_is_single_byte() -> None:
    message = peers.challenge()
    oem = bytearray(with_flags(message, flags_of(message) & ~0x02800001))
    oem[56:63] = b"CONTOSO"
    oem[12:14] = struct.pack("<H", 7)
    assert ntlm.parse_challenge(bytes(oem)).target_name == "CONTOSO"


def challenge_with(info: bytes) -> bytes:
    head = b"NTLMSSP\x00" + struct.pack("<IHHI", 2, 0, 0, 0) + struct.pack("<I", 0x00800001) + bytes(16)
    return head + struct.pack("<HHI", len(info), len(info), 48) + info


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ("", "no end"),
        ("0100", "cut short"),
        ("01000400410000000000"[:16], "no end"),
        ("0100ff0041004200", "AV pair 1 lies outside"),
        ("070004000000000000000000", "time has 4 bytes"),
        ("07000800ffffffffffffffff00000000", "behind the end of the calendar"),
        ("0100020000d800000000", "not UTF-16"),
    ],
)
def test_broken_target_information_says_what_is_wrong(info: str, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        ntlm.parse_challenge(challenge_with(bytes.fromhex(info)))


def test_a_zero_time_and_an_empty_name_say_nothing() -> None:
    info = bytes.fromhex("07000800000000000000000001000000" + "00000000")
    assert ntlm.parse_challenge(challenge_with(info)) == ntlm.NtlmChallenge()


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"", "signature"),
        (b"NTLMSSX\x00" + bytes(60), "signature"),
        (b"NTLMSSP\x00" + bytes(20), "at least 48 bytes"),
        (b"NTLMSSP\x00\x01" + bytes(60), "type 1"),
        (b"NTLMSSP\x00\x02\x00\x00\x00\xff\xff\xff\xff" + bytes(60), "field at byte 12 lies outside"),
    ],
)
def test_what_is_no_challenge_is_refused(message: bytes, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        ntlm.parse_challenge(message)
