import pytest

from rdp_remediate.errors import UsageError
from rdp_remediate.probe.target import ProbeTarget, parse_connect_to


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("vm1.contoso.example", "vm1.contoso.example", 3389),
        ("203.0.113.7:3390", "203.0.113.7", 3390),
        ("2001:db8::7", "2001:db8::7", 3389),
        ("[2001:db8::7]", "2001:db8::7", 3389),
        (" [2001:db8::7]:3390 ", "2001:db8::7", 3390),
    ],
)
def test_an_endpoint_is_read(text: str, host: str, port: int) -> None:
    assert ProbeTarget.parse(text) == ProbeTarget(host, port)


@pytest.mark.parametrize(
    "text",
    ["", ":3389", "host:", "host:rdp", "host:0", "host:65536", "host:-1", "a b", "http://host", "[::1", "[::1]3389",
     "1:2:3",
     "user@host", "[::1]:", "[vm1]:3389", "vm\0", "vm\x1b[2J", "vm]", "host:" + "9" * 5000, "host:\u0663\u0663"],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        ProbeTarget.parse(text)


def test_expected_thumbprints_are_normalised_or_refused() -> None:
    target = ProbeTarget("vm1", expected_thumbprints=("ab:" * 19 + "ab",))
    assert target.expected_thumbprints == ("AB" * 20,)
    with pytest.raises(UsageError, match="expected identity of vm1"):
        ProbeTarget("vm1", expected_thumbprints=("nonsense",))


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("20.50.1.4:3389:127.0.0.1:40001", (("20.50.1.4", 3389), ("127.0.0.1", 40001))),
        ("VM1.example:3389:[::1]:40001", (("vm1.example", 3389), ("::1", 40001))),
        ("[2001:db8::7]:3389:127.0.0.1:40001", (("2001:db8::7", 3389), ("127.0.0.1", 40001))),
    ],
)
def test_a_mapping_is_read_as_curl_writes_it(text: str, mapping: tuple[tuple[str, int], tuple[str, int]]) -> None:
    assert parse_connect_to(text) == mapping


@pytest.mark.parametrize("text", ["", "a:1:b", "a:1:b:2:c", "a::b:2", "::::", "a:x:b:2"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_connect_to(text)
