from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rdp_remediate.models.probe_words import INTERCEPTION, POSSIBLE_INTERCEPTION
from rdp_remediate.probe.certificate import CertificateContents, ServerCertificate
from rdp_remediate.probe.findings import (
    SENTENCES,
    computer_label,
    judge_findings,
    judge_identity,
    remarks,
)
from rdp_remediate.probe.ntlm import NtlmChallenge
from rdp_remediate.probe.outcome import Outcome
from rdp_remediate.probe.result import Identity, ProbeFinding, ProbeResult
from rdp_remediate.probe.target import ProbeTarget

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
CONTENTS = CertificateContents(
    serial="1F",
    subject="CN=VM-PROD-01",
    issuer="CN=VM-PROD-01",
    self_issued=True,
    names=("VM-PROD-01",),
    not_before=AT - timedelta(days=10),
    not_after=AT + timedelta(days=170),
)
CERTIFICATE = ServerCertificate("A1" * 20, "A2" * 32, CONTENTS)
HEALTHY = ProbeResult(
    "203.0.113.7",
    3389,
    Outcome.NLA_OK,
    AT,
    x224_answered=True,
    tls_done=True,
    selected="nla_ex",
    tls_version="TLSv1.3",
    cert=CERTIFICATE,
    ntlm=NtlmChallenge(nb_computer="VM-PROD-01", dns_computer="vm-prod-01.contoso.example"),
    clock_skew_s=0.2,
)
OWN = ("a1" * 20,)
OTHER = ("b1" * 20,)


def target(thumbprints: tuple[str, ...] = (), names: tuple[str, ...] = ()) -> ProbeTarget:
    return ProbeTarget("203.0.113.7", expected_thumbprints=thumbprints, expected_computer_names=names)


def with_contents(**changes: object) -> ProbeResult:
    values = {name: getattr(CONTENTS, name) for name in CONTENTS.__slots__} | changes
    return replace(HEALTHY, cert=replace(CERTIFICATE, contents=CertificateContents(**values)))


def test_a_healthy_server_has_no_findings() -> None:
    assert judge_findings(HEALTHY, target(OWN, ("VM-PROD-01",))) == ()
    assert judge_findings(HEALTHY, target()) == ()


def test_every_finding_has_a_sentence() -> None:
    assert set(SENTENCES) == set(ProbeFinding)


@pytest.mark.parametrize(
    ("result", "finding"),
    [
        (with_contents(not_after=AT - timedelta(seconds=1)), ProbeFinding.CERT_EXPIRED),
        (with_contents(not_after=AT + timedelta(days=13)), ProbeFinding.CERT_EXPIRING),
        (with_contents(self_issued=False, issuer="CN=Contoso CA"), ProbeFinding.CERT_ISSUED_BY_CA),
        (with_contents(names=("proxy.example",)), ProbeFinding.CERT_NAME_NOT_NTLM_NAME),
        (with_contents(names=("*.example",)), ProbeFinding.CERT_NAME_NOT_NTLM_NAME),
        (replace(HEALTHY, cert=ServerCertificate("A1" * 20, "A2" * 32, None, "bad")), ProbeFinding.CERT_UNREADABLE),
        (replace(HEALTHY, tls_version="TLSv1.1"), ProbeFinding.LEGACY_TLS),
        (replace(HEALTHY, tls_version="TLSv1"), ProbeFinding.LEGACY_TLS),
        (replace(HEALTHY, clock_skew_s=-301.0), ProbeFinding.CLOCK_SKEW),
        (replace(HEALTHY, outcome=Outcome.TLS_OK, selected="tls", ntlm=None), ProbeFinding.NO_NLA),
        (ProbeResult("h", 1, Outcome.STANDARD_RDP, AT, x224_answered=True), ProbeFinding.NO_NLA),
        (ProbeResult("h", 1, Outcome.ENTRA_ONLY, AT, x224_answered=True), ProbeFinding.ENTRA_ONLY),
    ],
)
def test_one_oddity_gives_one_finding_and_leaves_the_verdict(result: ProbeResult, finding: ProbeFinding) -> None:
    assert judge_findings(result, target()) == (finding,)
    assert result.verdict is result.outcome.verdict


@pytest.mark.parametrize(
    "names", [("rdp.contoso.example", "vm-prod-01.contoso.example"), ("*.CONTOSO.example",), ("vm-prod-01",)]
)
def test_a_certificate_may_name_the_computer_in_several_ways(names: tuple[str, ...]) -> None:
    assert judge_findings(with_contents(names=names), target()) == ()


@pytest.mark.parametrize(
    ("thumbprints", "names", "identity", "findings"),
    [
        ((), (), Identity.UNKNOWN, ()),
        (OWN, (), Identity.OWN, ()),
        (("a2" * 32,), (), Identity.OWN, ()),
        (OTHER, (), Identity.UNKNOWN, (ProbeFinding.CERT_CHANGED,)),
        ((), ("vm-prod-01",), Identity.OWN, ()),
        ((), ("VM-PROD-01.contoso.example", "alias"), Identity.OWN, ()),
        ((), ("vm-prod-02",), Identity.OTHER, (ProbeFinding.OTHER_MACHINE_ANSWERED,)),
        (OTHER, ("vm-prod-02",), Identity.OTHER, (ProbeFinding.CERT_CHANGED, ProbeFinding.OTHER_MACHINE_ANSWERED)),
        # Windows renewed the certificate that it made for itself.
        (OTHER, ("vm-prod-01",), Identity.OWN, (ProbeFinding.CERT_CHANGED,)),
        # Renamed inside Windows: Azure still knows the old name, the key is the machine's own.
        (OWN, ("old-name",), Identity.OWN, ()),
    ],
)
def test_identity_follows_the_certificate_then_the_name(
    thumbprints: tuple[str, ...],
    names: tuple[str, ...],
    identity: Identity,
    findings: tuple[ProbeFinding, ...],
) -> None:
    assert judge_identity(HEALTHY, target(thumbprints, names)) is identity
    assert judge_findings(HEALTHY, target(thumbprints, names)) == findings


@pytest.mark.parametrize(
    "result",
    [
        with_contents(self_issued=False),
        with_contents(names=("proxy",)),
        with_contents(not_before=AT - timedelta(days=300)),
        with_contents(not_before=AT + timedelta(days=1)),
        replace(HEALTHY, cert=ServerCertificate("A1" * 20, "A2" * 32, None, "bad")),
    ],
)
def test_the_right_name_behind_another_certificate_is_interception(result: ProbeResult) -> None:
    assert judge_identity(result, target(OTHER, ("vm-prod-01",))) is Identity.INTERCEPTED


FOREIGN = with_contents(self_issued=False, issuer="CN=Inspection CA", names=("proxy.example",))


def test_a_foreign_certificate_outweighs_the_name_where_no_thumbprint_tells() -> None:
    assert judge_identity(FOREIGN, target((), ("vm-prod-01",))) is Identity.UNKNOWN
    assert judge_identity(FOREIGN, target(OWN, ("vm-prod-01",))) is Identity.OWN
    # One of both alone is usual: a company's own authority, or an alias in a self-issued certificate.
    for usual in (
        with_contents(self_issued=False, issuer="CN=Contoso CA"),
        with_contents(names=("rdp.contoso.example",)),
    ):
        assert judge_identity(usual, target((), ("vm-prod-01",))) is Identity.OWN


def judged(result: ProbeResult, of: ProbeTarget) -> tuple[str, ...]:
    return remarks(replace(result, identity=judge_identity(result, of), findings=judge_findings(result, of)))


def test_interception_says_that_nla_sign_ins_fail() -> None:
    assert judged(FOREIGN, target(OTHER, ("vm-prod-01",)))[0] == INTERCEPTION
    assert "NLA sign-ins fail through this path" in INTERCEPTION
    assert judged(FOREIGN, target())[0] == POSSIBLE_INTERCEPTION
    assert POSSIBLE_INTERCEPTION not in judged(FOREIGN, target(OWN))
    assert judged(with_contents(self_issued=False), target()) == (SENTENCES[ProbeFinding.CERT_ISSUED_BY_CA],)
    assert judged(HEALTHY, target(OWN)) == ()


def test_an_answer_before_tls_identifies_nobody() -> None:
    answered = ProbeResult("h", 1, Outcome.TLS_RESET, AT, x224_answered=True, selected="nla")
    assert judge_identity(answered, target(OWN, ("vm-prod-01",))) is Identity.UNKNOWN


@pytest.mark.parametrize(
    ("name", "label"),
    [("VM-PROD-01", "vm-prod-01"), ("Vm1.contoso.example", "vm1"), ("averylongcomputername", "averylongcomput")],
)
def test_names_compare_by_what_netbios_and_dns_share(name: str, label: str) -> None:
    assert computer_label(name) == label
