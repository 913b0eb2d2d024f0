"""Genuine certificates for the RDP listeners of simulated guests, so that the guest's answer and the wire agree.

Guest state names certificates by thumbprint only. At lab start each guest's listener gets a real key and certificate
with the subject, issuer and dates of its entry in guest state, and the entry takes on the real thumbprint and serial.
"""

import base64
import copy
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from rdp_remediate.errors import UsageError
from rdp_remediate.lab.guest_runtime import CertificateFiles, GuestState
from rdp_remediate.lab.guests.listener import bound_certificate
from rdp_remediate.lab.guests.registry import RDP_TCP, read_value, write_value


class GuestCertificates:
    """The keys and certificates of a lab's guests, PEM files in one folder that the lab deletes at its end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, CertificateFiles] = {}

    def bind(self, state: GuestState) -> GuestState:
        """Returns the state with the listener's certificate made real; a state already bound comes back unchanged.

        A guest whose listener has no certificate that works stays so. Making a key takes some 100 ms.
        """
        entry = bound_certificate(state)
        if entry is None or entry["thumbprint"].upper() in self._files:
            return state
        bound = copy.deepcopy(state)
        target = bound_certificate(bound)
        assert target is not None  # noqa: S101 - the copy equals the state
        old = target["thumbprint"]
        target.update(self._make(target))
        custom = read_value(bound, RDP_TCP, "SSLCertificateSHA1Hash")
        if custom is not None and base64.b64decode(str(custom[1])).hex().upper() == old.upper():
            write_value(
                bound,
                RDP_TCP,
                "SSLCertificateSHA1Hash",
                [custom[0], base64.b64encode(bytes.fromhex(target["thumbprint"])).decode()],
            )
        return bound

    def files(self, thumbprint: str) -> CertificateFiles:
        """Returns the certificate and key of a thumbprint.

        Raises:
            UsageError: no guest was bound to it here.
        """
        try:
            return self._files[thumbprint.upper()]
        except KeyError:
            raise UsageError(
                f"No guest of this lab was given the certificate {thumbprint}. Call GuestCertificates.bind on the "
                "guest's state before its RDP port is opened."
            ) from None

    def _make(self, entry: dict[str, Any]) -> dict[str, Any]:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        not_before = _moment(entry.get("not_before")) or datetime.now(UTC) - timedelta(days=6)
        not_after = _moment(entry.get("not_after")) or not_before + timedelta(days=183)
        subject = _name(entry["subject"])
        issuer = _name(entry.get("issuer") or entry["subject"])
        # An entry with another issuer is signed by a key that nobody keeps: only the name of the issuer is visible.
        signer = key if issuer == subject else rsa.generate_private_key(public_exponent=65537, key_size=2048)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=False,
                    content_commitment=False,
                    key_encipherment=True,
                    data_encipherment=True,
                    key_agreement=False,
                    key_cert_sign=False,
                    crl_sign=False,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=False,
            )
        )
        certificate = builder.sign(signer, hashes.SHA256())
        thumbprint = certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - Windows names certificates so
        files = CertificateFiles(self._folder / f"{thumbprint}.pem", self._folder / f"{thumbprint}.key")
        files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files.key.touch(mode=0o600)
        files.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self._files[thumbprint] = files
        return {
            "thumbprint": thumbprint,
            "serial": f"{certificate.serial_number:X}",
            "not_before": _text(certificate.not_valid_before_utc),
            "not_after": _text(certificate.not_valid_after_utc),
        }


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _name(text: str) -> x509.Name:
    """A distinguished name as Windows writes it, with a blank after each comma, which RFC 4514 has not."""
    return x509.Name.from_rfc4514_string(re.sub(r"\s*,\s*", ",", text))
