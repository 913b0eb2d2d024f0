"""What the server's certificate says.

It is read, never trusted: the probe reports identity and validity, and sends nothing secret over the connection.
"""

import hashlib
import warnings
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

from rdp_remediate.probe.malformed import MalformedError


@dataclass(frozen=True, slots=True)
class CertificateContents:
    """The fields of a certificate that could be parsed.

    Attributes:
        serial: Serial number in upper-case hexadecimal.
        subject: Subject as an RFC 4514 string.
        issuer: Issuer as an RFC 4514 string.
        self_issued: Whether issuer and subject are the same name, as in the certificate that Windows makes for itself.
        names: The subject's common names and the DNS names of its subjectAltName.
        not_before: Start of validity.
        not_after: End of validity.
    """

    serial: str
    subject: str
    issuer: str
    self_issued: bool
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """The certificate that the server presented.

    Attributes:
        sha1: Thumbprint as Windows shows it (WMI SSLCertificateSHA1Hash), upper-case hexadecimal.
        sha256: SHA-256 fingerprint, upper-case hexadecimal.
        contents: Its fields, or None when they could not be parsed.
        unreadable: Why they could not be parsed; empty when they were.
    """

    sha1: str
    sha256: str
    contents: CertificateContents | None
    unreadable: str = ""


def normalise_thumbprint(text: str) -> str:
    """Brings a thumbprint as people paste it (colons, spaces, a left-to-right mark) to upper-case hexadecimal.

    Raises:
        ValueError: What remains is no SHA-1 or SHA-256 fingerprint.
    """
    digits = "".join(character for character in text if character not in " :-\u200e\t").upper()
    if len(digits) not in (40, 64) or set(digits) - set("0123456789ABCDEF"):
        raise ValueError(f"{text!r} is no certificate thumbprint; give 40 (SHA-1) or 64 (SHA-256) hexadecimal digits.")
    return digits


def read_certificate(der: bytes) -> ServerCertificate:
    """Reads a presented certificate; one that cannot be parsed still has its thumbprints."""
    sha1 = hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
    sha256 = hashlib.sha256(der).hexdigest().upper()
    try:
        return ServerCertificate(sha1, sha256, parse_contents(der))
    except MalformedError as error:
        return ServerCertificate(sha1, sha256, None, str(error))


def parse_contents(der: bytes) -> CertificateContents:
    """Parses a DER certificate.

    Raises:
        MalformedError: It is no certificate, or one with fields that cannot be read.
    """
    try:
        with warnings.catch_warnings():
            # Zero or negative serial numbers and the like: we report certificates, we do not judge their style.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            certificate = x509.load_der_x509_certificate(der)
            return CertificateContents(
                serial=f"{certificate.serial_number:X}",
                subject=certificate.subject.rfc4514_string(),
                issuer=certificate.issuer.rfc4514_string(),
                self_issued=certificate.subject == certificate.issuer,
                names=_names(certificate),
                not_before=certificate.not_valid_before_utc,
                not_after=certificate.not_valid_after_utc,
            )
    except (
        ValueError,
        TypeError,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
        UnsupportedAlgorithm,
    ) as error:
        raise MalformedError(f"the certificate cannot be parsed: {error}") from error


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    names = [
        attribute.value if isinstance(attribute.value, str) else attribute.value.decode("latin-1")
        for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    ]
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return tuple(names)
    names += [name for name in alternative.get_values_for_type(x509.DNSName) if name not in names]
    return tuple(names)
