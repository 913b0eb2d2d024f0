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
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
