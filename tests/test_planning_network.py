"""What planning makes of a closed network: narrow rules that end, just-in-time requests, and refusals."""

import pytest

from rdp_remediate.diagnosis import diagnose
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.plan import Risk
from rdp_remediate.planning import plan
from tests import factories as f
from tests.factories import Change, healthy_bundle, hide
from tests.fault_cases import BY_FAULT
from tests.planned import NO_RULE, PERSON, only_step, planned, refusal_codes, why_it_waits


def test_a_rule_admits_the_client_alone_and_ends() -> None:
    step = only_step(planned(*NO_RULE))
    body = step.desired["properties"]
    assert body["sourceAddressPrefix"] == "203.0.113.7/32"
    assert body["destinationAddressPrefix"].removesuffix("/32") == f.PRIVATE_ADDRESS
    assert body["destinationPortRange"] == "3389"
    assert (body["protocol"], body["access"], body["direction"]) == ("Tcp", "Allow", "Inbound")
    assert "exp=2026-11-24T22:48Z" in body["description"]
    assert step.target["nsg_id"] == f.NIC_NSG
    assert step.expected is None


def test_an_unknown_client_means_the_configured_sources() -> None:
    body = only_step(planned(*NO_RULE, f.target(client_address=None))).desired["properties"]
    assert body.get("sourceAddressPrefix") or body["sourceAddressPrefixes"] == [f.SOURCES]
    assert f.SOURCES in (body.get("sourceAddressPrefix"), *body.get("sourceAddressPrefixes", []))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ((f.policy(sources=[]),), "REFUSE_NO_SOURCE"),
        ((f.target(client_address="198.51.100.4"),), "REFUSE_NO_SOURCE"),
        ((f.policy(sources=["0.0.0.0/0"]), f.target(client_address=None)), "REFUSE_WIDE"),
        ((f.policy(sources=["203.0.0.0/16"]), f.target(client_address=None)), "REFUSE_WIDE"),
        ((f.policy(blast_radius_limit=0),), "REFUSE_BLAST_RADIUS"),
    ],
)
def test_no_rule_without_a_narrow_configured_source(changes: tuple[Change, ...], code: str) -> None:
    made = planned(*NO_RULE, *changes)
    assert made.steps == []
    assert set(refusal_codes(made)) == {code}


def test_a_claimed_client_outside_the_sources_is_never_let_in() -> None:
    made = planned(*NO_RULE, f.target(client_address="198.51.100.4"))
    assert "only claimed" in made.refusals[0].why


def test_a_read_only_lock_refuses_and_a_delete_lock_does_not() -> None:
    def lock(level: str) -> Change:
        row = {"id": f"{f.GROUP}/providers/Microsoft.Authorization/locks/keep", "properties": {"level": level}}
        return f.operation("locks", f.VM, {"value": [row]})

    assert refusal_codes(planned(*NO_RULE, lock("ReadOnly"))) == ["locked"]
    assert only_step(planned(*NO_RULE, lock("CanNotDelete"))).approval is None


def test_a_guarded_port_is_asked_of_jit_and_never_opened_by_a_rule() -> None:
    step = only_step(planned(*NO_RULE, f.jit_policy(), f.policy(auto_risks=["exposing", "sensitive"])))
    assert step.kind == "jit_request"
    assert step.approval


def test_a_jit_request_names_address_time_and_person() -> None:
    jit = BY_FAULT["jit-closed"].changes
    data = healthy_bundle(*jit, f.jit_policy(duration="PT1H30M")).model_copy(update={"requested_by": PERSON})
    facts = read_facts(data)
    step = only_step(plan(facts, diagnose(facts).findings))
    machine = step.desired["virtualMachines"][0]
    assert machine["id"] == f.VM
    assert machine["ports"] == [
        {"number": 3389, "endTimeUtc": "2026-11-24T16:18:17Z", "allowedSourceAddressPrefix": "203.0.113.7"}
    ]
    assert PERSON in step.desired["justification"]
    assert PERSON in (step.approval or "")
    assert step.undoable is False


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ((f.target(client_address=None),), "REFUSE_NO_SOURCE"),
        ((f.target(client_address="198.51.100.4"),), "REFUSE_NO_SOURCE"),
        ((hide("jit_policies", f.SUBSCRIPTION),), "unseen"),
        ((f.jit_policy(port=22),), "USE_JIT"),
    ],
)
def test_no_jit_request_without_a_known_client_inside_the_sources(changes: tuple[Change, ...], code: str) -> None:
    made = planned(*BY_FAULT["jit-closed"].changes, *changes)
    assert made.steps == []
    assert refusal_codes(made) == [code]


def test_unread_jit_policies_make_a_rule_wait() -> None:
    assert "just-in-time" in (why_it_waits(*NO_RULE, hide("jit_policies", f.SUBSCRIPTION)) or "")


def test_a_rule_above_a_written_deny_is_sensitive() -> None:
    step = only_step(planned(*BY_FAULT["nsg-explicit-deny-wins"].changes))
    assert step.risk is Risk.SENSITIVE
    assert "above a deny" in (step.approval or "")
    assert step.desired["properties"]["priority"] < 200


def test_a_deny_at_the_top_leaves_no_room() -> None:
    top = f.security_rules(f.NIC_NSG, f.rule("Deny-All", 100, access="Deny", source="*"))
    assert refusal_codes(planned(f.silent, top)) == ["NO_SLOT"]


def test_unreadable_before_values_make_no_step() -> None:
    port = BY_FAULT["rdp-port-unmatched"].changes
    made = planned(*port, hide("guest.services.TermService"))
    assert made.steps == []
    assert refusal_codes(made) == ["unseen"]


def test_a_disabled_rule_for_somebody_else_is_enabled_with_a_persons_leave_only() -> None:
    disabled = f.firewall_rule("RemoteDesktop-UserMode-In-TCP", enabled=False, remote_addresses=["198.51.100.9"])
    made = planned(f.silent, disabled)
    assert [step.fix for step in made.steps] == ["enable_rdp_firewall_rule", "fit_rdp_firewall_rule"]
    assert all(step.approval is not None for step in made.steps)
