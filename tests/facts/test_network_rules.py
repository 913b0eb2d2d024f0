"""Parsing fixtures P01 to P12 of network-semantics §8.13, and rules that ARM would reject."""

from typing import Any

import pytest

from rdp_remediate.facts.network_addresses import EVERY_ADDRESS, EVERY_PORT, address_number, prefix_range
from rdp_remediate.facts.network_model import DataNote, Rule
from rdp_remediate.facts.network_rules import nsg_rule, parse_admin_rules, parse_effective, parse_nsg, transport
from rdp_remediate.facts.network_words import Access, Direction, Transport

NSG = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkSecurityGroups/n"


def parsed(**properties: Any) -> tuple[Rule, list[DataNote]]:
    notes: list[DataNote] = []
    given: dict[str, Any] = {
        "protocol": "Tcp",
        "access": "Allow",
        "direction": "Inbound",
        "priority": 100,
        "sourcePortRange": "*",
        "destinationPortRange": "3389",
        "sourceAddressPrefix": "*",
        "destinationAddressPrefix": "*",
    }
    given.update(properties)
    return nsg_rule({"name": "r", "properties": given}, NSG, False, notes), notes


def span(text: str) -> tuple[int, int]:
    found = prefix_range(text)
    assert found is not None
    return found


def test_p01_plural_ports_beside_a_null_singular() -> None:
    rule, notes = parsed(destinationPortRange=None, destinationPortRanges=["22", "3389"])
    assert rule.destination_ports.ranges == ((22, 22), (3389, 3389))
    assert notes == []


def test_p02_empty_singular_is_dropped_not_any() -> None:
    rule, notes = parsed(destinationPortRange="", destinationPortRanges=["3380-3400"])
    assert rule.destination_ports.ranges == ((3380, 3400),)
    assert notes == []


def test_p03_star_is_every_port() -> None:
    rule, _ = parsed(destinationPortRange="*", destinationPortRanges=[])
    assert rule.destination_ports.ranges == EVERY_PORT


def test_p04_star_is_every_address_of_both_families() -> None:
    rule, _ = parsed(sourceAddressPrefix="*", sourceAddressPrefixes=[])
    assert rule.source.ranges == EVERY_ADDRESS


def test_p05_plural_sources() -> None:
    rule, _ = parsed(sourceAddressPrefix="", sourceAddressPrefixes=["203.0.113.7", "198.51.100.0/24"])
    assert rule.source.ranges == (span("198.51.100.0/24"), span("203.0.113.7"))


def test_p06_group_only_with_its_id_in_lower_case() -> None:
    group = {"id": "/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/applicationSecurityGroups/ASG-Jump"}
    rule, notes = parsed(sourceAddressPrefix=None, sourceAddressPrefixes=[], sourceApplicationSecurityGroups=[group])
    assert rule.source.groups == (group["id"].lower(),)
    assert rule.source.ranges == ()
    assert not rule.source.unreadable
    assert notes == []


def _effective(**fields: Any) -> Rule:
    given = {
        "name": "securityRules/AllowRDP",
        "protocol": "All",
        "sourcePortRange": "0-65535",
        "destinationPortRange": "3389-3389",
        "destinationPortRanges": ["3389-3389"],
        "sourceAddressPrefix": "0.0.0.0/0",
        "destinationAddressPrefix": "0.0.0.0/0",
        "access": "Allow",
        "priority": 100,
        "direction": "Inbound",
    }
    given.update(fields)
    element = {
        "networkSecurityGroup": {"id": NSG},
        "association": {"networkInterface": {"id": "nic"}},
        "effectiveSecurityRules": [given],
    }
    found = parse_effective({"value": [element]}, "nic", [])
    assert found is not None
    return found[0][0].rules[0]


def test_p07_effective_tag_is_its_printed_expansion() -> None:
    rule = _effective(
        sourceAddressPrefix="Internet",
        sourceAddressPrefixes=["Internet"],
        expandedSourceAddressPrefix=["1.0.0.0/8", "2.0.0.0/7"],
    )
    assert rule.transport is Transport.ANY
    assert rule.destination_ports.ranges == ((3389, 3389),)
    assert rule.source.ranges == ((span("1.0.0.0/8")[0], span("2.0.0.0/7")[1]),)
    assert rule.source.tags == ()


def test_p08_prefixes_of_effective_names() -> None:
    rule = _effective()
    assert (rule.name, rule.is_default) == ("AllowRDP", False)
    assert rule.arm_id == f"{NSG}/securityRules/AllowRDP"
    other = _effective(name="defaultSecurityRules/AllowSomethingNew", priority=65100)
    assert (other.name, other.is_default) == ("AllowSomethingNew", True)


@pytest.mark.parametrize("expanded", [None, []])
def test_p09_nothing_expanded_beside_a_star(expanded: object) -> None:
    rule = _effective(sourceAddressPrefix="*", expandedSourceAddressPrefix=expanded)
    assert rule.source.ranges == EVERY_ADDRESS


def test_p10_admin_rule_without_sides_and_ports_is_any() -> None:
    properties = {"protocol": "Any", "sources": [], "destinations": [], "destinationPortRanges": [], "access": "Deny",
                  "direction": "Inbound", "priority": 10}  # fmt: skip
    rules = parse_admin_rules({"value": [{"id": "/x/rules/r", "properties": properties}]}, "vnet", {}, [])
    assert rules is not None
    assert rules[0].transport is Transport.ANY
    assert rules[0].source.ranges == rules[0].destination.ranges == EVERY_ADDRESS
    assert rules[0].destination_ports.ranges == rules[0].source_ports.ranges == EVERY_PORT


def test_p11_rule_without_any_source_is_uncertain_and_noted() -> None:
    rule, notes = parsed(sourceAddressPrefix=None, sourceAddressPrefixes=[])
    assert rule.source.unreadable
    assert [note.problem for note in notes] == ["no source address at all"]


def test_p12_case_is_ignored_and_priority_may_be_text() -> None:
    rule, notes = parsed(protocol="TCP", access="allow", direction="inbound", priority="100")
    assert (rule.transport, rule.access, rule.direction, rule.priority) == (
        Transport.TCP,
        Access.ALLOW,
        Direction.INBOUND,
        100,
    )
    assert notes == []


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("sourceAddressPrefix", "any", "source address 'any' is no address, prefix or tag"),
        ("sourceAddressPrefix", "10.0.0.0/8,10.1.0.0/16", "is no address, prefix or tag"),
        ("sourceAddressPrefix", 7, "is no address, prefix or tag"),
        ("destinationPortRange", "3400-3389", "is no port or range of ports"),
        ("destinationPortRange", "70000", "is no port or range of ports"),
        ("destinationPortRange", True, "is no port"),
        ("priority", "high", "priority 'high' is not valid"),
        ("priority", 99, "priority '99' is not valid"),
        ("priority", True, "priority 'True' is not valid"),
        ("access", "Perhaps", "access 'Perhaps' is not known"),
        ("direction", None, "direction 'None' is not known"),
        ("protocol", "Sctp", "protocol 'Sctp' is not known"),
        ("sourceAddressPrefixes", ["10.0.0.0/8", "fd00::/8"], "source mixes IPv4 and IPv6"),
    ],
)
def test_malformed_field_is_noted(field: str, value: object, problem: str) -> None:
    rule, notes = parsed(**{field: value}, **({"sourceAddressPrefix": None} if field.endswith("Prefixes") else {}))
    assert any(problem in note.problem for note in notes)
    assert rule.problems


def test_host_bits_are_masked_and_bare_zero_is_one_host() -> None:
    assert span("175.1.0.1/24") == span("175.1.0.0/24")
    rule, notes = parsed(sourceAddressPrefix="0.0.0.0")
    assert rule.source.ranges == ((0, 0),)
    assert "one host" in notes[0].problem


def test_zero_slash_zero_is_ipv4_only() -> None:
    rule, _ = parsed(sourceAddressPrefix="0.0.0.0/0")
    assert rule.source.ranges == (EVERY_ADDRESS[0],)


def test_classic_spellings_and_blanks_of_tags() -> None:
    rule, _ = parsed(sourceAddressPrefix="VIRTUAL_NETWORK")
    assert rule.source.tags == ("virtualnetwork",)
    rule, _ = parsed(sourceAddressPrefix="Azure Cloud.West Europe")
    assert rule.source.tags == ("azurecloud.westeurope",)


def test_default_rules_that_the_answer_leaves_out_are_completed() -> None:
    nsg = parse_nsg(NSG.lower(), {"id": NSG, "properties": {"securityRules": []}}, [])
    assert [(rule.name, rule.priority) for rule in nsg.rules] == [
        ("AllowVnetInBound", 65000),
        ("AllowAzureLoadBalancerInBound", 65001),
        ("DenyAllInBound", 65500),
    ]


def test_unreadable_rule_list_stands_for_any_rule() -> None:
    notes: list[DataNote] = []
    nsg = parse_nsg(NSG.lower(), {"id": NSG, "properties": {"securityRules": "none"}}, notes)
    assert any(rule.access is Access.UNKNOWN and rule.priority is None for rule in nsg.rules)
    assert notes


@pytest.mark.parametrize(
    ("word", "meaning"),
    [("tcp", Transport.TCP), ("6", Transport.TCP), ("All", Transport.ANY), ("Udp", Transport.OTHER), ("17", Transport.OTHER),
     (None, Transport.UNKNOWN), ("", Transport.UNKNOWN)],
)  # fmt: skip
def test_protocol_words(word: object, meaning: Transport) -> None:
    assert transport(word) is meaning


def test_mapped_address_is_the_ipv4_one() -> None:
    assert address_number("::ffff:203.0.113.7") == address_number("203.0.113.7")
    assert address_number("[2001:db8::1]") == address_number("2001:db8::1")


def test_id_that_names_another_resource_is_not_believed() -> None:
    other = NSG.replace("/n", "/other")
    rule = {"name": "r", "id": f"{other}/securityRules/r", "properties": {}}
    nsg = parse_nsg(NSG.lower(), {"id": other, "properties": {"securityRules": [rule]}}, [])
    assert nsg.arm_id == NSG.lower()
    assert nsg.rules[0].arm_id == f"{NSG.lower()}/securityRules/r"
