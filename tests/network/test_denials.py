"""Which layers deny, how, and what is not told for want of evidence."""

import pytest

from rdp_remediate.facts.facts import Facts, read_facts
from rdp_remediate.facts.need import UnseenError
from rdp_remediate.models.report import Confidence
from rdp_remediate.network.decision import Layer
from rdp_remediate.network.denials import confidence_of, denials, judged, nsg_layers, other_clients_allowed
from rdp_remediate.network.question import ask
from tests import factories as f
from tests.factories import Change, healthy_bundle, hide


def _facts(*changes: Change) -> Facts:
    return read_facts(healthy_bundle(*changes))


def test_no_layer_denies_a_healthy_vm() -> None:
    facts = _facts()
    assert denials(facts) == ()
    assert nsg_layers(facts) == {Layer.SUBNET, Layer.NIC}


def test_both_layers_are_named_though_the_first_already_denies() -> None:
    found = denials(_facts(f.security_rules(f.NIC_NSG), f.security_rules(f.SUBNET_NSG)))
    assert [(one.layer, one.by_default, one.rule.lower()) for one in found] == [
        (Layer.SUBNET, True, "denyallinbound"),
        (Layer.NIC, True, "denyallinbound"),
    ]
    assert [one.nsg_id.lower() for one in found] == [f.SUBNET_NSG.lower(), f.NIC_NSG.lower()]


@pytest.mark.parametrize(
    ("name", "jit"),
    [
        ("SecurityCenter-JITRule_-1329742345_6BC3B21C6DDF44C5", True),
        ("securitycenter-jitrule-4242", True),
        ("Deny-RDP", False),
        ("My-SecurityCenter-JITRule", False),
    ],
)
def test_a_written_deny_is_told_from_defenders(name: str, jit: bool) -> None:
    (found,) = denials(_facts(f.security_rules(f.NIC_NSG, f.rule(name, 150, access="Deny", source="*"))))
    assert (found.by_default, found.jit, found.priority) == (False, jit, 150)


@pytest.mark.parametrize(
    ("rule", "counts"),
    [
        (f.rule("Allow-Other", 300, source="198.51.100.0/24"), True),
        (f.rule("Allow-Tag", 300, source="VirtualNetwork"), False),
        (f.rule("Allow-Port", 300, source="198.51.100.0/24", ports="3390"), False),
        (f.rule("Allow-Udp", 300, source="198.51.100.0/24", protocol="Udp"), False),
        (f.rule("Allow-Elsewhere", 300, source="198.51.100.0/24", destination="10.0.0.9"), False),
        (f.rule("Deny-Other", 300, source="198.51.100.0/24", access="Deny"), False),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else None,
)
def test_a_rule_for_other_addresses(rule: dict[str, object], counts: bool) -> None:
    facts = _facts(f.security_rules(f.NIC_NSG, rule))
    (denial,) = denials(facts)
    assert (other_clients_allowed(facts, denial) == rule["name"]) is counts


def test_whether_a_rule_names_addresses_is_not_guessed_from_effective_rules() -> None:
    others = f.security_rules(f.NIC_NSG, f.rule("Allow-Other", 300, source="198.51.100.0/24"))
    facts = _facts(others, hide("resource", f.NIC_NSG))
    (denial,) = denials(facts)
    with pytest.raises(UnseenError):
        other_clients_allowed(facts, denial)


def test_an_open_end_is_unseen_and_nobody_to_judge_as_well() -> None:
    with pytest.raises(UnseenError, match="stays open"):
        judged(ask(_facts(hide("resource", f.NIC_NSG), hide("effective_security_rules", f.NIC))))
    with pytest.raises(UnseenError, match="neither the client"):
        judged(ask(_facts(f.target(client_address=None), f.policy(sources=[]))))


def test_unread_admin_rules_make_a_denial_likely() -> None:
    closed = f.security_rules(f.NIC_NSG)
    (_, sure), *_ = judged(ask(_facts(closed)))
    (_, likely), *_ = judged(ask(_facts(closed, hide("effective_admin_rules", f.VNET))))
    assert confidence_of(sure) is Confidence.CONFIRMED
    assert confidence_of(likely) is Confidence.LIKELY


def test_a_denial_of_a_port_that_may_not_be_rdps_is_unseen() -> None:
    moved = (f.registry(f.PORT, 3390), f.security_rules(f.NIC_NSG, f.rule("Allow-RDP", 300, ports="3390")))
    with pytest.raises(UnseenError, match="3390"):
        denials(_facts(*moved, hide("guest.firewall")))
    written = f.security_rules(
        f.NIC_NSG, f.rule("Deny-RDP", 200, access="Deny", source="*"), f.rule("Allow-RDP", 300, ports="3390")
    )
    assert denials(_facts(moved[0], written, hide("guest.firewall")))
