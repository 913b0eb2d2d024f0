import pytest

from rdp_remediate.probe import credssp
from rdp_remediate.probe.malformed import MalformedError
from tests.probe import peers


def test_the_request_is_the_documented_one() -> None:
    assert credssp.negotiate_request().hex() == (
        "3037a003020106a130302e302ca02a04284e544c4d5353500001000000b78208e2"
        "000000000000000000000000000000000a0063450000000f"
    )


def test_a_challenge_is_found_in_its_token() -> None:
    request = credssp.parse(peers.ts_request(peers.challenge(), version=5))
    assert (request.version, request.error_code) == (5, None)
    assert request.challenge_bytes == request.token


def test_a_challenge_in_spnego_is_found() -> None:
    message = peers.challenge()
    wrapped = b"\xa1\x81\xd0\x30\x81\xcd\xa0\x03\x0a\x01\x01" + message
    assert credssp.parse(peers.ts_request(wrapped)).challenge_bytes == message


@pytest.mark.parametrize("written", ["0204c0000418", "020500c0000418"])
def test_a_status_is_read_from_both_ways_of_writing_it(written: str) -> None:
    raw = bytes.fromhex(written)
    fields = bytes.fromhex("a003020106") + bytes([0xA4, len(raw)]) + raw
    request = credssp.parse(bytes([0x30, len(fields)]) + fields)
    assert (request.error_code, request.token, request.challenge_bytes) == (0xC0000418, None, None)


def test_an_empty_list_of_tokens_is_no_token() -> None:
    assert credssp.parse(bytes.fromhex("3009a003020106a1023000")).token is None


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("3000", "no version"),
        ("3005a003020106ff", "cut short or followed"),
        ("3005a0030201", "cut short or followed"),
        ("3007a003020106a100", "0x30 was due"),
        ("300ba003020106a10430020400", "token has tag 0x04"),
        ("3005a003040106", "0x02 was due"),
        ("0405", "not a DER SEQUENCE"),
    ],
)
def test_a_broken_message_says_what_is_wrong(message: str, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        credssp.parse(bytes.fromhex(message))


def test_every_prefix_asks_for_more_until_the_header_is_there() -> None:
    message = peers.ts_request(peers.challenge())
    lengths = [credssp.message_length(message[:count]) for count in range(len(message) + 1)]
    assert set(lengths[:4]) == {None}
    assert set(lengths[4:]) == {len(message)}
