"""Genuine certificates made at lab start: the lab's CA, its server's, and those that guests present for RDP."""

import os
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rdp_remediate.lab.guest_runtime import CertificateFiles
from rdp_remediate.lab.time_shift import format_moment, parse_moment

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_STORES = ("LocalMachine\\Remote Desktop", "LocalMachine\\My")


def _write(path: Path, data: bytes, *, private: bool = False) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if private else 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    return path


def _pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


@cache
def _guest_key() -> rsa.RSAPrivateKey:
    """One key for all guests of a process: making one takes longer than starting a lab."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class LabAuthority:
    """The lab's certificate authority and the certificate of its https endpoint."""

    def __init__(self, folder: Path) -> None:
        now = datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = _name("rdp-remediate lab CA")
        authority = (
            x509.CertificateBuilder()
            .subject_name(issuer)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    key_cert_sign=True,
                    crl_sign=True,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
            .sign(key, hashes.SHA256())
        )
        leaf_key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        leaf = (
            x509.CertificateBuilder()
            .subject_name(_name("localhost"))
            .issuer_name(issuer)
            .public_key(leaf_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=29))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        authority_pem = authority.public_bytes(serialization.Encoding.PEM)
        self.ca_file = _write(folder / "ca.pem", authority_pem)
        self.certificate = _write(folder / "server.pem", leaf.public_bytes(serialization.Encoding.PEM) + authority_pem)
        self.key = _write(folder / "server.key", _pem(leaf_key), private=True)


def concatenated_bundle(folder: Path, ca_file: Path, others: Iterable[Path]) -> Path:
    """Writes the lab's CA after existing bundles, so that other hosts stay verifiable; returns the file."""
    parts = [p.read_bytes().rstrip() + b"\n" for p in others if p.is_file()]
    return _write(folder / "bundle.pem", b"".join([*parts, ca_file.read_bytes()]))


class GuestCertificates:
    """Gives every certificate with a private key in guest state a genuine counterpart.

    A thumbprint is a hash, so state cannot name it before the certificate is made: the thumbprint of the genuine one
    takes the place of the written one wherever it stands in the state, in the registry's binary binding too.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, CertificateFiles] = {}

    def files(self, thumbprint: str) -> CertificateFiles:
        """Returns the genuine certificate of a thumbprint.

        Raises:
            KeyError: no state that was adopted holds it.
        """
        return self._files[thumbprint.upper()]

    def adopt(self, state: dict[str, Any]) -> dict[str, Any]:
        """Returns the state with the thumbprints of genuine certificates; certificates made before stay."""
        replaced: dict[str, str] = {}
        for store in _STORES:
            for entry in state.get("certificates", {}).get(store) or []:
                old = str(entry.get("thumbprint", "")).upper()
                if not entry.get("has_private_key", True) or old in self._files or old in replaced:
                    continue
                replaced[old] = self._make(entry)
        return _rename(state, replaced) if replaced else state

    def _make(self, entry: dict[str, Any]) -> str:
        begin = parse_moment(str(entry["not_before"]))
        end = parse_moment(str(entry["not_after"]))
        key = _guest_key()
        subject = _name(str(entry.get("subject", "CN=unknown")).split("CN=", 1)[-1].split(",")[0])
        issuer = _name(str(entry.get("issuer", "CN=unknown")).split("CN=", 1)[-1].split(",")[0])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(max(end, begin + timedelta(seconds=1)))
        )
        usages = [x509.ObjectIdentifier(str(oid)) for oid in entry.get("eku") or []]
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if entry.get("dns_names"):
            names: list[x509.GeneralName] = [x509.DNSName(str(n)) for n in entry["dns_names"]]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(key, hashes.SHA256())
        # Windows names certificates by SHA-1 of their DER form; no security rests on it
        thumbprint = certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 (a name, not a protection)
        stem = self._folder / f"rdp-{thumbprint}"
        self._files[thumbprint] = CertificateFiles(
            _write(stem.with_suffix(".pem"), certificate.public_bytes(serialization.Encoding.PEM)),
            _write(stem.with_suffix(".key"), _pem(key), private=True),
        )
        entry["not_before"], entry["not_after"] = format_moment(begin), format_moment(end)
        return thumbprint


def _rename(value: Any, replaced: dict[str, str]) -> Any:
    """Replaces thumbprints, written as hex or as base64 of their bytes, anywhere in a JSON value."""
    texts = dict(replaced)
    for old, new in replaced.items():
        if len(old) == 40:
            texts[b64encode(bytes.fromhex(old)).decode()] = b64encode(bytes.fromhex(new)).decode()

    def walk(node: Any) -> Any:
        if isinstance(node, str):
            found = texts.get(node) or texts.get(node.upper())
            if found:
                return found
            for old, new in replaced.items():
                if old and old in node.upper():
                    index = node.upper().index(old)
                    node = node[:index] + new + node[index + len(old) :]
            return node
        if isinstance(node, list):
            return [walk(v) for v in node]
        if isinstance(node, dict):
            return {k: walk(v) for k, v in node.items()}
        return node

    return walk(value)
