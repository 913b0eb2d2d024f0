import pytest

from rdp_remediate.probe import x224
from rdp_remediate.probe.malformed import MalformedError
from rdp_remediate.probe.x224 import ConnectionConfirm, Disconnect, NegotiationRefusal


def test_a_request_without_a_cookie_has_19_bytes() -> None:
    assert x224.connection_request().hex() == "030000130ee00000000000010008000b000000"


def test_a_request_with_a_cookie_counts_it_in_both_lengths() -> None:
    request = x224.connection_request(cookie="rdpcheck")
    assert (request[3], request[4], len(request)) == (46, 0x29, 46)
    assert request[11:-8] == b"Cookie: mstshash=rdpcheck\r\n"


def test_a_request_can_offer_tls_alone() -> None:
    assert x224.connection_request(x224.SecurityProtocol.SSL).endswith(bytes.fromhex("0100080001000000"))


@pytest.mark.parametrize("cookie", ["", "two words", "a\r\nb", "abcdefghij", "näme"])
def test_a_cookie_that_could_break_the_line_is_refused(cookie: str) -> None:
    with pytest.raises(ValueError, match="cookie"):
        x224.connection_request(cookie=cookie)


@pytest.mark.parametrize(
    ("packet", "answer"),
    [
        # xrdp over TLS, xrdp standard, xrdp refusing, shadow with NLA, shadow refusing, Windows, Windows XP.
        ("030000130ed000001234000201080001000000", ConnectionConfirm(1, ("EXTENDED_CLIENT_DATA_SUPPORTED",))),
        ("030000130ed000001234000201080000000000", ConnectionConfirm(0, ("EXTENDED_CLIENT_DATA_SUPPORTED",))),
        ("030000130ed000001234000300080001000000", NegotiationRefusal(1)),
        (
            "030000130ed000000000000203080002000000",
            ConnectionConfirm(2, ("EXTENDED_CLIENT_DATA_SUPPORTED", "DYNVC_GFX_PROTOCOL_SUPPORTED")),
        ),
        ("030000130ed000000000000300080005000000", NegotiationRefusal(5)),
        ("0300000b06d00000123400", ConnectionConfirm(0, (), negotiated=False)),
        ("0300000902f0802180", Disconnect()),
    ],
)
def test_answers_of_real_servers(packet: str, answer: x224.Answer) -> None:
    assert x224.parse_answer(bytes.fromhex(packet)) == answer


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        ("030000130ee000001234000201080001000000", "not a Connection Confirm"),
        ("0300000902f0802880", "not a Connection Confirm"),  # MCS Attach User Request
        ("0300000b20d00000123400", "length indicator"),
        ("0300000e09d00000123400020108", "3 bytes, not 8"),
        ("030000130ed000001234000201090001000000", "says 9 bytes"),
        ("030000130ed000001234000701080001000000", "type 7"),
        ("030000140ed000001234000201080001000000", "does not match"),
        ("03000013", "does not match"),
    ],
)
def test_a_broken_answer_says_what_is_wrong(packet: str, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        x224.parse_answer(bytes.fromhex(packet))


@pytest.mark.parametrize("received", ["", "03", "0300", "030000"])
def test_an_incomplete_header_is_not_malformed(received: str) -> None:
    assert x224.tpkt_length(bytes.fromhex(received)) is None


@pytest.mark.parametrize("received", ["48", "02", "0301", "03000008", "03000201", "0300ffff"])
def test_bytes_that_are_no_answer_are_refused_at_once(received: str) -> None:
    with pytest.raises(MalformedError):
        x224.tpkt_length(bytes.fromhex(received))


@pytest.mark.parametrize(
    ("code", "name"),
    [(1, "SSL_REQUIRED_BY_SERVER"), (7, "ENTRA_AUTH_REQUIRED_BY_SERVER"), (0, "UNKNOWN_0"), (200, "UNKNOWN_200")],
)
def test_refusals_are_named(code: int, name: str) -> None:
    assert NegotiationRefusal(code).name == name


@pytest.mark.parametrize(("value", "name"), [(0, "rdp"), (1, "tls"), (2, "nla"), (8, "nla_ex"), (0x40, "0x40")])
def test_protocols_are_named(value: int, name: str) -> None:
    assert x224.protocol_name(value) == name
