"""What a probe and the parts prove: identity, the same entry, the same rules, and nothing beyond."""

from typing import Any

import pytest

from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.report import Proof
from rdp_remediate.network.proof import Reachability, reachability
from tests import factories as f
from tests.factories import Change, healthy_bundle, hide


def _proof(*changes: Change) -> Reachability:
    return reachability(read_facts(healthy_bundle(*changes)))


def _probe(**fields: Any) -> Change:
    def change(data: JsonObject) -> None:
        record = data["probes"][0]
        for key, value in fields.items():
            holder = record if key in record else record["result"]
            holder[key] = value

    return change


def _of(proof: Reachability) -> str:
    return proof.probes[0].proves


OTHER_CERTIFICATE = {"sha1": "AA" * 20, "subject": "CN=OTHER"}
OTHER_NAME = {"nb_computer": "OTHER"}


def test_a_handshake_with_the_vm_itself_is_end_to_end() -> None:
    proof = _proof()
    assert proof.proof is Proof.END_TO_END
    assert "certificate" in proof.detail


def test_the_computer_name_is_as_good_as_the_certificate() -> None:
    proof = _proof(hide("guest.certificate"))
    assert proof.proof is Proof.END_TO_END
    assert "RDPVM01" in proof.detail


def test_computer_names_compare_as_netbios_does() -> None:
    long_name = f.resource(f.VM, "properties", "instanceView", "computerName", value="rdpvm01.contoso.local")
    assert _proof(hide("guest.certificate"), long_name).proof is Proof.END_TO_END


@pytest.mark.parametrize(
    "changes",
    [
        (_probe(cert=OTHER_CERTIFICATE),),
        (hide("guest.certificate"), _probe(ntlm=OTHER_NAME)),
        (hide("guest.certificate"), _probe(ntlm=None)),
    ],
    ids=["other certificate", "other name", "no identity"],
)
def test_an_answer_of_another_or_unknown_machine_proves_nothing(changes: tuple[Change, ...]) -> None:
    proof = _proof(*changes, f.listens())
    assert _of(proof) == "answered"
    assert proof.proof is Proof.NONE


def test_another_certificate_is_not_outweighed_by_the_right_name() -> None:
    assert _of(_proof(_probe(cert=OTHER_CERTIFICATE))) == "answered"


@pytest.mark.parametrize("outcome", ["standard_rdp", "tls_timeout", "tls_reset", "neg_failure_ssl_required"])
def test_x224_alone_is_answered_and_never_a_handshake(outcome: str) -> None:
    proof = _proof(_probe(outcome=outcome, verdict="degraded", cert=None), f.listens())
    assert _of(proof) == "answered"
    assert proof.proof is Proof.NONE


def test_a_connect_against_the_engines_deny_is_a_disagreement() -> None:
    proof = _proof(f.security_rules(f.NIC_NSG))
    assert _of(proof) == "engine_disagrees"
    assert proof.proof is Proof.NONE


def test_silence_where_the_engine_denies_is_expected() -> None:
    assert _of(_proof(f.security_rules(f.NIC_NSG), f.silent)) == "expected_filtered"


def test_silence_from_an_unknown_source_is_expected_and_does_not_contradict_the_parts() -> None:
    proof = _proof(_probe(source_address=None), f.silent)
    assert _of(proof) == "expected_filtered"
    assert proof.proof is Proof.COMPOSED


def test_silence_of_an_admitted_probe_contradicts_the_parts() -> None:
    proof = _proof(f.silent)
    assert _of(proof) == "nothing"
    assert proof.proof is Proof.NONE


def test_an_answer_to_an_unknown_source_does_not_show_that_the_client_gets_in() -> None:
    proof = _proof(_probe(source_address=None))
    assert _of(proof) == "answered"
    assert proof.proof is Proof.COMPOSED


def test_a_vantage_that_other_rules_admit_is_no_end_to_end_proof() -> None:
    ours = f.rule("Allow-Monitoring", 310, source="198.51.100.9")
    proof = _proof(
        _probe(source_address="198.51.100.9"),
        f.security_rules(f.NIC_NSG, f.NIC_ALLOW, ours),
        f.security_rules(f.SUBNET_NSG, f.SUBNET_ALLOW, ours),
    )
    assert _of(proof) == "answered"
    assert proof.proof is Proof.COMPOSED


def test_a_vantage_whose_own_admission_is_unclear_is_no_end_to_end_proof() -> None:
    proof = _proof(hide("effective_admin_rules", f.VNET), f.listens())
    assert proof.proof is Proof.NONE


def test_another_port_than_the_clients_is_another_entry() -> None:
    wide = f.security_rules(f.NIC_NSG, f.rule("Allow-RDP", 300, ports="3389-3400"))
    proof = _proof(_probe(port=3395), wide, f.listens())
    assert _of(proof) == "answered"
    assert proof.proof is Proof.NONE


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ((f.listens(),), "did not answer X.224"),
        ((hide("guest.self_probe"),), "was not probed"),
        ((f.guest("self_probe", "address", value="10.0.0.5"),), "another address or port"),
        ((f.guest("self_probe", "port", value=3390),), "another address or port"),
        ((f.profile("Public", allow_inbound_rules=False),), "does not admit"),
        ((hide("guest.firewall"),), "could not be read"),
        ((f.security_rules(f.NIC_NSG),), "does not allow the client"),
        ((hide("effective_admin_rules", f.VNET),), "does not allow the client"),
    ],
)
def test_composed_needs_every_part(changes: tuple[Change, ...], missing: str) -> None:
    assert _proof(hide("probes")).proof is Proof.COMPOSED
    proof = _proof(hide("probes"), *changes)
    assert proof.proof is Proof.NONE
    assert missing in proof.detail
