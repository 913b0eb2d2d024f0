from datetime import timedelta

import pytest

from rdp_remediate.probe.certificate import normalise_thumbprint, read_certificate
from tests.probe.certificates import make_identity


def test_a_certificate_is_read_whole() -> None:
    identity = make_identity("vm1.contoso.example", issuer="Contoso CA", dns_names=("vm1", "vm1.contoso.example"))
    certificate = read_certificate(identity.der)
    assert (certificate.sha1, certificate.sha256, certificate.unreadable) == (identity.sha1, identity.sha256, "")
    contents = certificate.contents
    assert contents is not None
    assert (contents.subject, contents.issuer) == ("CN=vm1.contoso.example", "CN=Contoso CA")
    assert contents.self_issued is False
    assert contents.names == ("vm1.contoso.example", "vm1")
    assert int(contents.serial, 16) == identity.certificate.serial_number
    assert contents.not_after - contents.not_before == timedelta(days=181)
    assert contents.not_after.tzinfo is not None


def test_windows_own_certificate_is_self_issued() -> None:
    contents = read_certificate(make_identity("VM-PROD-01").der).contents
    assert contents is not None
    assert contents.self_issued
    assert contents.names == ("VM-PROD-01",)


def test_a_certificate_that_cannot_be_parsed_keeps_its_thumbprint() -> None:
    certificate = read_certificate(b"\x30\x03\x02\x01\x01")
    assert certificate.contents is None
    assert "cannot be parsed" in certificate.unreadable
    assert len(certificate.sha256) == 64


@pytest.mark.parametrize(
    "text",
    [
        "23e1953890496a576712fc7ea37c5ec00d7b1615",
        "23:E1:95:38:90:49:6A:57:67:12:FC:7E:A3:7C:5E:C0:0D:7B:16:15",
        "\u200e23 e1 95 38 90 49 6a 57 67 12 fc 7e a3 7c 5e c0 0d 7b 16 15",
    ],
)
def test_a_thumbprint_is_read_as_people_paste_it(text: str) -> None:
    assert normalise_thumbprint(text) == "23E1953890496A576712FC7EA37C5EC00D7B1615"


@pytest.mark.parametrize("text", ["", "23e1", "z" * 40, "0" * 41])
def test_what_is_no_thumbprint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="thumbprint"):
        normalise_thumbprint(text)
