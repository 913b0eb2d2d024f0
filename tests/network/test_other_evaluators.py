"""The bugs of other evaluators (network-semantics §7.8), each as a flow that they get wrong."""

from typing import Any

import pytest

from rdp_remediate.network.decision import Flow, Verdict
from rdp_remediate.network.path import decide
from rdp_remediate.network.rule_plan import plan_rule
from rdp_remediate.network.rule_request import RuleRequest
from tests.network.arm_network import CLIENT, NET, PRIVATE, PUBLIC, facts, rule

OTHER_GROUP = {"id": f"{NET}/applicationSecurityGroups/asg-other"}


def verdict(client: str = CLIENT, dialled: str = PUBLIC, **fields: Any) -> Verdict:
    return decide(facts(**fields), Flow(client, dialled)).verdict


def test_ports_in_the_plural_field_count() -> None:
    """Prowler, PSRule.Azure: the singular field only."""
    only = rule("Many", 100, port=None, destinationPortRanges=["22", "3389"])
    assert verdict(nic_rules=[only]) is Verdict.ALLOW


def test_a_range_around_the_port_counts() -> None:
    """Prowler: the exact text 3389 only."""
    assert verdict(nic_rules=[rule("Range", 100, port="3000-4000")]) is Verdict.ALLOW


@pytest.mark.parametrize("protocol", ["Tcp", "TCP", "tcp", "*"])
def test_protocol_compares_without_case(protocol: str) -> None:
    """Prowler: compared with TCP, which ARM writes Tcp."""
    assert verdict(nic_rules=[rule("P", 100, protocol=protocol)]) is Verdict.ALLOW


def test_sources_in_the_plural_field_count() -> None:
    """Prowler: the singular source only."""
    many = rule("Many", 100, source=None, sourceAddressPrefixes=["198.51.100.0/24", "203.0.113.0/24"])
    assert verdict(nic_rules=[many]) is Verdict.ALLOW


def test_a_deny_above_an_open_allow_wins() -> None:
    """Prowler, mql, PaladinCloud: any open allow counted, priority ignored."""
    assert verdict(nic_rules=[rule("Open", 200), rule("Closed", 100, "Deny")]) is Verdict.DENY


def test_an_open_rule_on_one_layer_is_not_enough() -> None:
    """mql, c7n: layers ignored."""
    assert verdict(subnet_rules=[], nic_rules=[rule("Open", 100)]) is Verdict.DENY


def test_both_spellings_at_once_are_a_union() -> None:
    """c7n: singular or plural, never both."""
    both = rule("Both", 100, port="22", destinationPortRanges=["3389"])
    assert verdict(nic_rules=[both]) is Verdict.ALLOW


def test_addresses_compare_as_networks_not_as_text() -> None:
    """c7n: 203.0.113.7 is not the text 203.0.113.0/25 but lies in it."""
    assert verdict(nic_rules=[rule("Net", 100, source="203.0.113.0/25")]) is Verdict.ALLOW


def test_default_rules_decide_when_nothing_else_does() -> None:
    """c7n: default rules ignored."""
    assert verdict(nic_rules=[]) is Verdict.DENY
    assert verdict("10.1.3.7", PRIVATE, nic_rules=[]) is Verdict.ALLOW


def test_our_rule_has_no_star_and_its_priority_is_free_and_at_least_100() -> None:
    """c7n `open`: source and destination `*` at lowest-10, which may fall below 100 or be taken."""
    taken = [rule(f"R{p}", p, port="443") for p in range(100, 4097) if p != 118]
    plan = plan_rule(facts(nic_rules=taken[:900]), RuleRequest((CLIENT,)))
    assert plan.refusal is None
    body = plan.rules[0].body["properties"]
    assert body["sourceAddressPrefix"] == "203.0.113.7/32"
    assert body["destinationAddressPrefix"] == PRIVATE
    assert body["destinationPortRange"] == "3389"
    assert body["priority"] == 4096
    assert body["priority"] not in {one["properties"]["priority"] for one in taken[:900]}


def test_group_as_destination_counts_only_for_members() -> None:
    """ScoutSuite: destination groups ignored."""
    open_to_others = rule("Asg", 100, destination=None, destinationApplicationSecurityGroups=[OTHER_GROUP])
    assert verdict(nic_rules=[open_to_others]) is Verdict.DENY
    member = {"applicationSecurityGroups": [{"id": OTHER_GROUP["id"].upper()}]}
    assert verdict(nic_rules=[open_to_others], ip_fields=member) is Verdict.ALLOW


@pytest.mark.parametrize("tag", ["Internet", "INTERNET", "0.0.0.0/0", "*"])
def test_every_word_for_the_internet_counts(tag: str) -> None:
    """ScoutSuite: knows `*` and Internet only."""
    assert verdict(nic_rules=[rule("Open", 100, source=tag)]) is Verdict.ALLOW


def test_ten_slash_eight_is_not_everybody() -> None:
    """inspec-azure: a pattern takes 10.0.0.0/8 for 0.0.0.0/0."""
    assert verdict(nic_rules=[rule("Private", 100, source="10.0.0.0/8")]) is Verdict.DENY


def test_the_peer_of_an_inbound_rule_is_its_source() -> None:
    """cloudpods: inbound rules took the destination for the peer, `*` became 0.0.0.0/24, tag rules were dropped."""
    other_way = rule("Reversed", 100, source=PRIVATE, destination=CLIENT)
    assert verdict(nic_rules=[other_way]) is Verdict.DENY
    assert verdict("8.8.8.8", nic_rules=[rule("Star", 100, source="*")]) is Verdict.ALLOW
    assert verdict(nic_rules=[rule("Tag", 100, "Deny", source="Internet"), rule("All", 200)]) is Verdict.DENY


def test_a_rule_for_the_public_address_never_matches() -> None:
    """The classic mistake: inbound rules see the private address."""
    assert verdict(nic_rules=[rule("Public", 100, destination=PUBLIC)]) is Verdict.DENY


def test_source_port_3389_never_matches_for_certain() -> None:
    """The other classic mistake: the client's port is ephemeral, 3389 only one of many."""
    decision = decide(facts(nic_rules=[rule("Sport", 100, sourcePortRange="3389")]), Flow(CLIENT, PUBLIC))
    assert decision.verdict is Verdict.INDETERMINATE
    assert {one.rule for one in decision.deciders} == {"Sport", "DenyAllInBound"}
