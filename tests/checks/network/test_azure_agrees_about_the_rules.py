"""Azure's own answer beside the path engine's: agreement is evidence, disagreement stops network writes."""

import pytest

from rdp_remediate.diagnosis import diagnose
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.report import FindingStatus
from rdp_remediate.planning import plan
from tests import factories as f
from tests.checks.judging import diagnosis, finding

CHECK = "azure_agrees_about_the_rules"


def azure(
    access: str, rule: str, *, local: str = f.PRIVATE_ADDRESS, port: str = "3389", remote: str = f.CLIENT
) -> f.Change:
    """IP flow verify's answer for the question's NIC."""
    asked = {"localIPAddress": local, "localPort": port, "remoteIPAddress": remote}
    answer: JsonObject = {"access": access, "ruleName": rule, "ruleId": ""}
    return f.operation("ip_flow", f.NIC, {"asked": asked, "answer": answer})


CLIENT = f.target(client_address=f.CLIENT)
CLOSED = (CLIENT, f.silent, f.security_rules(f.NIC_NSG))
DENIES = azure("Deny", "defaultSecurityRules/DenyAllInBound")


def test_agreement_is_shown_as_evidence() -> None:
    one = finding(CHECK, CLIENT, azure("Allow", "securityRules/Allow-RDP"))
    assert (one.status, one.reason) == (
        FindingStatus.PASS,
        "IP flow verify says Allow by Allow-RDP, as our engine does",
    )
    assert finding(CHECK, *CLOSED, DENIES).status is FindingStatus.PASS


def test_disagreement_is_named_and_forbids_network_rules() -> None:
    facts = read_facts(f.healthy_bundle(*CLOSED, azure("Allow", "securityRules/Allow-RDP")))
    found = diagnose(facts)
    one = next(one for one in found.findings if one.check == CHECK)
    assert (one.status, one.because) == (FindingStatus.UNKNOWN, "engine_disagrees")
    assert "says Allow by Allow-RDP, our engine says Deny by DenyAllInBound" in (one.reason or "")
    planned = plan(facts, found.findings)
    assert [step for step in planned.steps if step.layer == "network"] == []
    assert "engine_disagrees" in {refusal.code for refusal in planned.refusals}


def test_the_same_rules_are_written_where_azure_agrees() -> None:
    facts = read_facts(f.healthy_bundle(*CLOSED, DENIES))
    assert [step.fix for step in plan(facts, diagnose(facts).findings).steps] == ["allow_rdp_in_nsg"]


def test_a_probe_that_got_through_a_deny_forbids_network_rules_too() -> None:
    facts = read_facts(f.healthy_bundle(CLIENT, f.security_rules(f.NIC_NSG), DENIES))
    found = diagnose(facts)
    assert "nsg-no-allow-rule" in {one.fault for one in found.findings}
    planned = plan(facts, found.findings)
    assert [step for step in planned.steps if step.layer == "network"] == []
    assert "our probe connected although the path engine says DENY" in planned.refusals[0].why


@pytest.mark.parametrize("field", [{"local": "10.0.0.9"}, {"port": "3390"}, {"remote": "203.0.113.9"}])
def test_an_answer_to_another_question_is_no_disagreement(field: dict[str, str]) -> None:
    assert finding(CHECK, *CLOSED, azure("Allow", "x", **field)).status is FindingStatus.SKIPPED


@pytest.mark.parametrize("reason", ["not_configured", "not_collected"])
def test_no_network_watcher_is_no_noise(reason: str) -> None:
    hidden = (DENIES, f.hide("ip_flow", f.NIC, reason))
    assert finding(CHECK, *CLOSED, *hidden).status is FindingStatus.SKIPPED
    assert diagnosis(*CLOSED, *hidden).verdict == diagnosis(*CLOSED).verdict


@pytest.mark.parametrize("reason", ["forbidden", "timeout", "server_error"])
def test_an_answer_that_failed_is_unknown_and_changes_no_cause(reason: str) -> None:
    hidden = (DENIES, f.hide("ip_flow", f.NIC, reason))
    assert finding(CHECK, *CLOSED, *hidden).status is FindingStatus.UNKNOWN
    assert diagnosis(*CLOSED, *hidden).verdict.causes == ["nsg-no-allow-rule"]


def test_another_shape_is_unknown() -> None:
    assert finding(CHECK, CLIENT, azure("Maybe", "x")).status is FindingStatus.UNKNOWN
