"""The probe's result as it is printed and kept in bundles: the words that others may build on."""

from typing import Literal

from pydantic import Field

from rdp_remediate.models.base import Document, UtcTime

Milliseconds = float | None


class ProbeTimings(Document):
    """Durations of the last attempt's stages; null where a stage was not reached or not needed."""

    dns: Milliseconds = None
    tcp: Milliseconds = None
    x224: Milliseconds = None
    tls: Milliseconds = None
    credssp: Milliseconds = None
    total: float = 0.0


class ProbeCertificate(Document):
    """The certificate that the server presented; without its fields where they could not be parsed."""

    sha1: str = Field(description="thumbprint as Windows shows it, upper-case hexadecimal")
    sha256: str
    unreadable: str | None = Field(default=None, description="why the fields could not be parsed")
    serial: str | None = None
    subject: str | None = None
    issuer: str | None = None
    self_issued: bool | None = None
    names: list[str] = []
    not_before: UtcTime | None = None
    not_after: UtcTime | None = None
    days_left: float | None = None


class ProbeNtlm(Document):
    """What the server's NTLM challenge says of it, before any sign-in."""

    target_name: str | None = None
    nb_domain: str | None = None
    nb_computer: str | None = None
    dns_domain: str | None = None
    dns_computer: str | None = None
    dns_tree: str | None = None
    product_version: str | None = None
    system_time: UtcTime | None = None


class Probe(Document):
    """One probe of one endpoint."""

    schema_: Literal["rdp-remediate/probe/1"] = Field(alias="schema", default="rdp-remediate/probe/1")
    host: str
    port: int
    at: UtcTime = Field(description="when the last attempt began")
    peer: str | None = Field(default=None, description="address that was connected to, or tried")
    source: str | None = Field(default=None, description="our own address on that connection")
    stage: str = Field(description="dns, tcp, x224, tls or credssp: where it ended")
    outcome: str = Field(description="how it ended, such as nla_ok or tcp_timeout; docs/probe.md lists all")
    verdict: str = Field(
        description="ok, degraded, not_rdp, no_answer, filtered, refused, unreachable or error (ours, says nothing of the target)"
    )
    handshake: bool = Field(description="X.224 and TLS were both completed")
    x224_answered: bool
    tls_done: bool
    identity: str = Field(description="own, intercepted, other or unknown, by what was expected")
    detail: str
    os_error: str | None = None
    attempts: int
    earlier_outcomes: list[str] = []
    ms: ProbeTimings
    selected: str | None = Field(default=None, description="rdp, tls, nla or nla_ex")
    neg_flags: list[str] = []
    neg_failure: str | None = None
    tls_version: str | None = None
    tls_cipher: str | None = None
    cert: ProbeCertificate | None = None
    credssp_version: int | None = None
    credssp_error: str | None = Field(default=None, description="NTSTATUS, such as 0xC0000418")
    ntlm: ProbeNtlm | None = None
    nla_required: bool | None = Field(default=None, description="null when not asked or not known")
    clock_skew_s: float | None = Field(default=None, description="the server's clock less ours")
    clock_uncertainty_s: float | None = None
    banner_hex: str | None = Field(default=None, description="first bytes of an answer that is not RDP")
    findings: list[str] = Field(default=[], description="what else is worth knowing; never changes the verdict")


class Probes(Document):
    """What `rdp-remediate probe --output json` prints: one probe for each target, in the order asked."""

    schema_: Literal["rdp-remediate/probes/1"] = Field(alias="schema", default="rdp-remediate/probes/1")
    probes: list[Probe]
