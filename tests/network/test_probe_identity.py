"""Which machine a probe met, and what the report says of certificate, name, TLS and clock."""

from typing import Any

import pytest

from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.probe_words import FINDINGS, INTERCEPTION, POSSIBLE_INTERCEPTION
from rdp_remediate.models.report import ProbeView, Proof
from rdp_remediate.network.proof import Reachability, reachability
from tests.factories import Change, healthy_bundle, hide


def probed(*changes: Change) -> Reachability:
    return reachability(read_facts(healthy_bundle(*changes)))


def view(*changes: Change) -> ProbeView:
    return probed(*changes).probes[0]


def result(**fields: Any) -> Change:
    def change(data: JsonObject) -> None:
        data["probes"][0]["result"].update(fields)

    return change


def certificate(*, sha1: str = "AA" * 20, ca: bool = True, findings: tuple[str, ...] = ()) -> Change:
    """Another certificate in the probe's answer, the NTLM name stays the VM's."""

    def change(data: JsonObject) -> None:
        answer = data["probes"][0]["result"]
        answer["cert"].update(sha1=sha1, self_issued=not ca, issuer="CN=Inspection CA" if ca else "CN=RDPVM01")
        answer["findings"] = list(findings)

    return change


FOREIGN = ("cert_name_not_ntlm_name", "cert_issued_by_ca")


def test_a_healthy_answer_has_no_remarks() -> None:
    assert view().findings == []


def test_interception_says_that_nla_sign_ins_fail_and_is_no_proof() -> None:
    proof = probed(certificate(findings=FOREIGN))
    met = proof.probes[0]
    assert (met.proves, proof.proof is Proof.END_TO_END) == ("answered", False)
    assert "terminates TLS" in met.detail
    assert met.findings[0] == INTERCEPTION
    assert "NLA sign-ins fail through this path" in INTERCEPTION
    assert "CN=Inspection CA" in met.findings[1]


def test_interception_under_the_vms_own_name_is_seen_by_the_guests_thumbprint() -> None:
    assert view(certificate(findings=("cert_issued_by_ca",))).findings[0] == INTERCEPTION


def test_another_self_issued_certificate_of_the_right_name_may_be_a_renewal() -> None:
    met = view(certificate(ca=False))
    assert met.proves == "answered"
    assert INTERCEPTION not in met.findings
    assert "is not the one that Windows uses" in met.findings[0]


def test_a_certificate_of_an_authority_that_is_the_guests_own_is_only_remarked() -> None:
    data = healthy_bundle()
    own = data.probes[0].result["cert"]["sha1"]
    proof = probed(certificate(sha1=own, findings=FOREIGN))
    assert proof.proof is Proof.END_TO_END
    assert proof.probes[0].findings == [FINDINGS[one] for one in FOREIGN]


def test_a_foreign_certificate_proves_nothing_while_the_guests_own_is_unread() -> None:
    proof = probed(hide("guest.certificate"), certificate(findings=FOREIGN))
    assert proof.probes[0].proves == "answered"
    assert proof.probes[0].findings[0] == POSSIBLE_INTERCEPTION
    # One of both alone is usual, and the name stays good evidence.
    usual = probed(hide("guest.certificate"), certificate(findings=("cert_issued_by_ca",)))
    assert usual.proof is Proof.END_TO_END
    assert usual.probes[0].findings == [FINDINGS["cert_issued_by_ca"]]


def test_another_machine_is_named() -> None:
    met = view(hide("guest.certificate"), result(ntlm={"nb_computer": "OTHER"}))
    assert met.proves == "answered"
    assert met.detail.startswith("another machine answered")
    assert "OTHER" in met.findings[0]
    assert "RDPVM01" in met.findings[0]


@pytest.mark.parametrize(
    "word", ["cert_expired", "cert_expiring", "legacy_tls", "clock_skew", "no_nla", "entra_only", "cert_unreadable"]
)
def test_a_finding_is_said_and_leaves_the_proof(word: str) -> None:
    proof = probed(result(findings=[word]))
    assert proof.probes[0].findings == [FINDINGS[word]]
    assert proof.proof is probed().proof


@pytest.mark.parametrize("findings", [None, "cert_expired", ["of a later version", 7], {}])
def test_words_that_are_not_known_are_left_out(findings: Any) -> None:
    assert view(result(findings=findings)).findings == []
