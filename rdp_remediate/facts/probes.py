"""Probe records as facts: what answered, and who it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rdp_remediate.models.bundle import ProbeRecord


@dataclass(frozen=True)
class ProbeFact:
    """One probe of an RDP endpoint (rdp-probe.md 1.2, 1.3).

    Attributes:
        vantage: Where the probe ran.
        source_address: Address that the target saw, if known.
        address: Address that was probed.
        port: Port that was probed.
        outcome: The probe's own word, such as tls_ok or tcp_timeout.
        verdict: ok, degraded, no_answer, not_rdp, filtered, refused, unreachable or error.
        answered: An RDP server answered X.224.
        handshake: X.224 and TLS both ended well.
        thumbprint: Upper-case SHA-1 hex of the server's certificate, if TLS was reached.
        computer_name: The NetBIOS name of the NTLM challenge, if one came.
        detail: One sentence.
        findings: The probe's own words for what else it saw, such as cert_expired.
        selected: The protocol that the server chose: rdp, tls, nla or nla_ex.
        self_issued: Whether the certificate names one subject as issuer, too; None if it is not known.
        certificate_names: Computers that the certificate names.
        issuer: Who issued the certificate.
    """

    vantage: str
    source_address: str | None
    address: str
    port: int
    outcome: str
    verdict: str
    answered: bool
    handshake: bool
    thumbprint: str | None
    computer_name: str | None
    detail: str
    findings: tuple[str, ...] = ()
    selected: str | None = None
    self_issued: bool | None = None
    certificate_names: tuple[str, ...] = ()
    issuer: str | None = None


_BEFORE_X224 = ("dns_", "tcp_", "x224_", "not_rdp_")
_WITHOUT_TLS = ("standard_rdp", "neg_failure_", "entra_only", "tls_timeout", "tls_closed", "tls_reset", "tls_error")


def read_probes(records: Sequence[ProbeRecord]) -> tuple[ProbeFact, ...]:
    """Reads the probe results of a bundle; an unknown outcome word proves nothing."""
    return tuple(_read(record) for record in records)


def _read(record: ProbeRecord) -> ProbeFact:
    result = record.result
    outcome, verdict = str(result.get("outcome", "")), str(result.get("verdict", ""))
    known = verdict in ("ok", "degraded")
    answered = known and not outcome.startswith(_BEFORE_X224)
    certificate, ntlm = _object(result.get("cert")), _object(result.get("ntlm"))
    sha1 = certificate.get("sha1")
    return ProbeFact(
        vantage=record.vantage,
        source_address=record.source_address,
        address=record.address,
        port=record.port,
        outcome=outcome,
        verdict=verdict,
        answered=answered,
        handshake=answered and sha1 is not None and not outcome.startswith(_WITHOUT_TLS),
        thumbprint=str(sha1).replace(":", "").upper() if sha1 else None,
        computer_name=ntlm.get("nb_computer") or None,
        detail=str(result.get("detail") or outcome),
        findings=_words(result.get("findings")),
        selected=_text(result.get("selected")),
        self_issued=certificate["self_issued"] if isinstance(certificate.get("self_issued"), bool) else None,
        certificate_names=_words(certificate.get("names")),
        issuer=_text(certificate.get("issuer")),
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _words(value: Any) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
