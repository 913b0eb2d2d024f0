"""What one probe found."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from rdp_remediate.probe.certificate import ServerCertificate
from rdp_remediate.probe.ntlm import NtlmChallenge
from rdp_remediate.probe.outcome import Outcome, ProbeVerdict, Stage

SCHEMA = "rdp-remediate/probe/1"


class ProbeFinding(StrEnum):
    """Something worth knowing about an endpoint; a finding never changes the verdict."""

    CERT_EXPIRED = "cert_expired"
    CERT_EXPIRING = "cert_expiring"
    CERT_CHANGED = "cert_changed"
    CERT_NAME_NOT_NTLM_NAME = "cert_name_not_ntlm_name"
    CERT_ISSUED_BY_CA = "cert_issued_by_ca"
    CERT_UNREADABLE = "cert_unreadable"
    OTHER_MACHINE_ANSWERED = "other_machine_answered"
    LEGACY_TLS = "legacy_tls"
    CLOCK_SKEW = "clock_skew"
    NO_NLA = "no_nla"
    ENTRA_ONLY = "entra_only"


class Identity(StrEnum):
    """Which machine answered, by what was expected."""

    OWN = "own"
    """Its certificate is an expected one, or its NTLM computer name is expected and nothing contradicts that."""
    INTERCEPTED = "intercepted"
    """The NTLM name is expected, the certificate is another one and no renewal: something terminates TLS in between,
    and NLA logons fail through it (CredSSP binds them to the server's key)."""
    OTHER = "other"
    """Another machine answered."""
    UNKNOWN = "unknown"
    """Nothing that was seen, or nothing that was expected, tells."""


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Duration of each stage in milliseconds, of the last attempt; None where it was not reached or not needed."""

    dns: float | None = None
    tcp: float | None = None
    x224: float | None = None
    tls: float | None = None
    credssp: float | None = None
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one probe found; when an attempt was repeated, what the last one found.

    Attributes:
        host: Host as asked for.
        port: Port as asked for.
        outcome: How it ended.
        at: When the last attempt began.
        peer: Address that was really connected to, or tried.
        source: Our own address on that connection.
        detail: One sentence on what happened.
        os_error: Name of the operating system's error, such as ECONNREFUSED.
        attempts: How many attempts were made.
        earlier_outcomes: Outcomes of the attempts before the last one.
        ms: Durations.
        x224_answered: Whether an X.224 answer came; alone it is an answer, never a handshake.
        tls_done: Whether the TLS handshake was completed.
        selected: The protocol that the server chose: rdp, tls, nla, nla_ex.
        neg_flags: Flags of its negotiation response.
        neg_failure: Name of its negotiation failure.
        tls_version: Such as TLSv1.3.
        tls_cipher: OpenSSL's name.
        cert: The certificate it presented.
        credssp_version: CredSSP version of its answer.
        credssp_error: NTSTATUS of its answer.
        ntlm: What its NTLM challenge says.
        nla_required: Whether it refuses clients without NLA; None when not asked or not known.
        clock_skew_s: Its clock less ours (the middle between sending and receiving).
        clock_uncertainty_s: How far that may be off.
        banner_hex: First bytes of an answer that is not RDP.
        identity: Which machine answered.
        findings: What else is worth knowing.
    """

    host: str
    port: int
    outcome: Outcome
    at: datetime
    peer: str | None = None
    source: str | None = None
    detail: str = ""
    os_error: str | None = None
    attempts: int = 1
    earlier_outcomes: tuple[Outcome, ...] = ()
    ms: StageTimes = field(default_factory=StageTimes)
    x224_answered: bool = False
    tls_done: bool = False
    selected: str | None = None
    neg_flags: tuple[str, ...] = ()
    neg_failure: str | None = None
    tls_version: str | None = None
    tls_cipher: str | None = None
    cert: ServerCertificate | None = None
    credssp_version: int | None = None
    credssp_error: int | None = None
    ntlm: NtlmChallenge | None = None
    nla_required: bool | None = None
    clock_skew_s: float | None = None
    clock_uncertainty_s: float | None = None
    banner_hex: str | None = None
    identity: Identity = Identity.UNKNOWN
    findings: tuple[ProbeFinding, ...] = ()

    @property
    def stage(self) -> Stage:
        """The stage in which the probe ended."""
        return self.outcome.stage

    @property
    def verdict(self) -> ProbeVerdict:
        """What the outcome says about RDP there."""
        return self.outcome.verdict

    @property
    def handshake(self) -> bool:
        """Whether RDP proved itself: the X.224 negotiation and the TLS handshake were both completed."""
        return self.x224_answered and self.tls_done

    def to_json(self) -> dict[str, Any]:
        """Gives the result as a JSON object; times are ISO 8601 in UTC."""
        return {
            "schema": SCHEMA,
            "host": self.host,
            "port": self.port,
            "at": _iso(self.at),
            "peer": self.peer,
            "source": self.source,
            "stage": self.stage.value,
            "outcome": self.outcome.value,
            "verdict": self.verdict.value,
            "handshake": self.handshake,
            "x224_answered": self.x224_answered,
            "tls_done": self.tls_done,
            "identity": self.identity.value,
            "detail": self.detail,
            "os_error": self.os_error,
            "attempts": self.attempts,
            "earlier_outcomes": [outcome.value for outcome in self.earlier_outcomes],
            "ms": {name: getattr(self.ms, name) for name in ("dns", "tcp", "x224", "tls", "credssp", "total")},
            "selected": self.selected,
            "neg_flags": list(self.neg_flags),
            "neg_failure": self.neg_failure,
            "tls_version": self.tls_version,
            "tls_cipher": self.tls_cipher,
            "cert": None if self.cert is None else _certificate_json(self.cert, self.at),
            "credssp_version": self.credssp_version,
            "credssp_error": None if self.credssp_error is None else f"0x{self.credssp_error:08X}",
            "ntlm": None if self.ntlm is None else _ntlm_json(self.ntlm),
            "nla_required": self.nla_required,
            "clock_skew_s": self.clock_skew_s,
            "clock_uncertainty_s": self.clock_uncertainty_s,
            "banner_hex": self.banner_hex,
            "findings": [finding.value for finding in self.findings],
        }


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _certificate_json(certificate: ServerCertificate, at: datetime) -> dict[str, Any]:
    contents = certificate.contents
    common = {"sha1": certificate.sha1, "sha256": certificate.sha256}
    if contents is None:
        return common | {"unreadable": certificate.unreadable}
    return common | {
        "serial": contents.serial,
        "subject": contents.subject,
        "issuer": contents.issuer,
        "self_issued": contents.self_issued,
        "names": list(contents.names),
        "not_before": _iso(contents.not_before),
        "not_after": _iso(contents.not_after),
        "days_left": round((contents.not_after - at).total_seconds() / 86400, 1),
    }


def _ntlm_json(challenge: NtlmChallenge) -> dict[str, Any]:
    return {
        "target_name": challenge.target_name,
        "nb_domain": challenge.nb_domain,
        "nb_computer": challenge.nb_computer,
        "dns_domain": challenge.dns_domain,
        "dns_computer": challenge.dns_computer,
        "dns_tree": challenge.dns_tree,
        "product_version": challenge.product_version,
        "system_time": None if challenge.system_time is None else _iso(challenge.system_time),
    }
