"""What a finished attempt says beyond its outcome: findings and the identity of the machine that answered.

Both are pure functions over the result and what was expected.
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from rdp_remediate.models.probe_words import FINDINGS, INTERCEPTION, POSSIBLE_INTERCEPTION
from rdp_remediate.probe.certificate import CertificateContents
from rdp_remediate.probe.outcome import Outcome
from rdp_remediate.probe.result import Identity, ProbeFinding, ProbeResult
from rdp_remediate.probe.target import ProbeTarget

EXPIRING_WITHIN = timedelta(days=14)
CLOCK_SKEW_LIMIT_S = 300.0
# Kerberos refuses a clock that is more than five minutes off (Microsoft: "Maximum tolerance for computer clock
# synchronization"), hence the limit.
RENEWED_WITHIN = timedelta(days=190)
# Windows renews the certificate that it made for itself about every six months.

_LEGACY_TLS = frozenset({"SSLv3", "TLSv1", "TLSv1.1"})

SENTENCES: Mapping[ProbeFinding, str] = MappingProxyType({ProbeFinding(word): said for word, said in FINDINGS.items()})


def remarks(result: ProbeResult) -> tuple[str, ...]:
    """What a judged result is worth saying beyond its outcome, in sentences."""
    said = tuple(SENTENCES[finding] for finding in result.findings)
    if result.identity is Identity.INTERCEPTED:
        return (INTERCEPTION, *said)
    foreign = {ProbeFinding.CERT_ISSUED_BY_CA, ProbeFinding.CERT_NAME_NOT_NTLM_NAME} <= set(result.findings)
    # A thumbprint that was expected and seen settles it.
    return (POSSIBLE_INTERCEPTION, *said) if foreign and result.identity is not Identity.OWN else said


def computer_label(name: str) -> str:
    """Reduces a NetBIOS or DNS name to what both have in common: lower case, first label, 15 characters."""
    return name.lower().split(".", 1)[0][:15]


def judge_identity(result: ProbeResult, target: ProbeTarget) -> Identity:
    """Says which machine answered.

    A matching certificate is the strongest evidence, because the TLS handshake proves that the peer holds its key.
    NTLM names travel through a TLS-terminating middlebox unchanged, so they count only where the certificate does not
    contradict them.
    """
    if not result.tls_done or result.cert is None:
        return Identity.UNKNOWN
    if {result.cert.sha1, result.cert.sha256} & set(target.expected_thumbprints):
        return Identity.OWN
    answered = _ntlm_labels(result)
    expected = {computer_label(name) for name in target.expected_computer_names}
    if not answered or not expected:
        return Identity.UNKNOWN
    if not answered & expected:
        return Identity.OTHER
    if not target.expected_thumbprints:
        return Identity.UNKNOWN if _is_foreign(result) else Identity.OWN
    return Identity.OWN if _is_renewal(result) else Identity.INTERCEPTED


def judge_findings(result: ProbeResult, target: ProbeTarget) -> tuple[ProbeFinding, ...]:
    """Lists the findings of a result, in the order of their definition."""
    found: set[ProbeFinding] = set()
    if result.cert is not None:
        found |= _certificate_findings(result, target)
    if judge_identity(result, target) is Identity.OTHER:
        found.add(ProbeFinding.OTHER_MACHINE_ANSWERED)
    if result.tls_version in _LEGACY_TLS:
        found.add(ProbeFinding.LEGACY_TLS)
    if result.clock_skew_s is not None and abs(result.clock_skew_s) > CLOCK_SKEW_LIMIT_S:
        found.add(ProbeFinding.CLOCK_SKEW)
    if result.selected in ("tls", "rdp") or result.outcome is Outcome.STANDARD_RDP:
        found.add(ProbeFinding.NO_NLA)
    if result.outcome is Outcome.ENTRA_ONLY:
        found.add(ProbeFinding.ENTRA_ONLY)
    return tuple(finding for finding in ProbeFinding if finding in found)


def _certificate_findings(result: ProbeResult, target: ProbeTarget) -> set[ProbeFinding]:
    found: set[ProbeFinding] = set()
    certificate = result.cert
    if certificate is None:
        return found
    if target.expected_thumbprints and not {certificate.sha1, certificate.sha256} & set(target.expected_thumbprints):
        found.add(ProbeFinding.CERT_CHANGED)
    contents = certificate.contents
    if contents is None:
        return found | {ProbeFinding.CERT_UNREADABLE}
    if contents.not_after < result.at:
        found.add(ProbeFinding.CERT_EXPIRED)
    elif contents.not_after - result.at < EXPIRING_WITHIN:
        found.add(ProbeFinding.CERT_EXPIRING)
    if not contents.self_issued:
        found.add(ProbeFinding.CERT_ISSUED_BY_CA)
    if _ntlm_labels(result) and contents.names and not _names_the_computer(contents, result):
        found.add(ProbeFinding.CERT_NAME_NOT_NTLM_NAME)
    return found


def _ntlm_labels(result: ProbeResult) -> set[str]:
    if result.ntlm is None:
        return set()
    names = (result.ntlm.nb_computer, result.ntlm.dns_computer)
    return {computer_label(name) for name in names if name}


def _names_the_computer(contents: CertificateContents, result: ProbeResult) -> bool:
    if _ntlm_labels(result) & {computer_label(name) for name in contents.names}:
        return True
    full_name = (result.ntlm.dns_computer or "" if result.ntlm else "").lower()
    domain = full_name.partition(".")[2]
    return bool(domain) and f"*.{domain}" in {name.lower() for name in contents.names}


def _is_foreign(result: ProbeResult) -> bool:
    """Whether a certification authority issued the certificate for another name than the computer's."""
    contents = result.cert.contents if result.cert is not None else None
    return (
        contents is not None
        and not contents.self_issued
        and bool(contents.names)
        and not _names_the_computer(contents, result)
    )


def _is_renewal(result: ProbeResult) -> bool:
    contents = result.cert.contents if result.cert is not None else None
    return (
        contents is not None
        and contents.self_issued
        and _names_the_computer(contents, result)
        and timedelta(0) <= result.at - contents.not_before < RENEWED_WITHIN
    )
