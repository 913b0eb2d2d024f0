"""Who outside the configured sources gets in."""

from typing import Any

import pytest

from rdp_remediate.facts.network import parse_network
from rdp_remediate.network.entries import entries
from rdp_remediate.network.exposure import Exposure, admits_outside
from tests.network.arm_entries import bastion, firewall, load_balancer, nat_rule
from tests.network.arm_network import NET, VM, bundle, facts, route, rule, system_routes

SOURCES = ("203.0.113.0/24",)


def exposure(port: int = 3389, sources: tuple[str, ...] = SOURCES, **fields: Any) -> Exposure:
    network = facts(**fields)
    return admits_outside(network, entries(network, VM, port), port, sources)


def addresses(found: Exposure) -> set[str]:
    return {text for one in found.internet for text in one.sources}


def test_rule_inside_the_sources_is_safe_and_the_vnet_is_reported() -> None:
    found = exposure(nic_rules=[rule("Office", 100, source="203.0.113.0/25")])
    assert found.safe
    assert {text for one in found.virtual_network for text in one.sources} == {"10.1.0.0/16", "10.9.0.0/16"}


def test_one_address_outside_is_found_exactly() -> None:
    found = exposure(
        nic_rules=[rule("Office", 100, source=None, sourceAddressPrefixes=["203.0.113.0/24", "203.0.114.0"])]
    )
    assert not found.safe
    assert addresses(found) == {"203.0.114.0/32"}
    assert [one.rule for one in found.internet[0].deciders] == ["Office"]


@pytest.mark.parametrize("source", ["*", "Internet", "0.0.0.0/0", "AzureCloud"])
def test_open_or_unreadable_tags_are_not_safe(source: str) -> None:
    assert not exposure(nic_rules=[rule("Open", 100, source=source)]).safe


def test_deny_above_the_open_rule_makes_it_safe() -> None:
    closed = rule("Closed", 150, "Deny", source="Internet", port="*")
    office = rule("Office", 100, source="203.0.113.0/24")
    assert exposure(nic_rules=[office, closed, rule("Open", 200)]).safe


def test_open_on_another_port_is_safe() -> None:
    assert exposure(nic_rules=[rule("Web", 100, port="443")]).safe
    assert not exposure(443, nic_rules=[rule("Web", 100, port="443")]).safe


def test_basic_address_without_nsg_is_open_and_standard_is_not() -> None:
    assert not exposure(sku="Basic").safe
    assert exposure(sku="Standard").safe


def test_unread_nsg_is_not_safe() -> None:
    raw = bundle(nic_rules=[])
    raw["resources"] = {key: one for key, one in raw["resources"].items() if "networksecuritygroups" not in key}
    network = parse_network(raw)
    assert not admits_outside(network, entries(network, VM), 3389, SOURCES).safe


def test_unread_admin_rules_leave_an_allow_open_and_a_deny_closed() -> None:
    assert exposure(nic_rules=[], admin=None).safe
    assert not exposure(nic_rules=[rule("Open", 100)], admin=None).safe


def test_forced_tunnel_counts_what_the_appliance_may_bring_in() -> None:
    tunnel = [one for one in system_routes() if one["addressPrefix"] != ["0.0.0.0/0"]]
    tunnel.append(route("0.0.0.0/0", "VirtualAppliance", "User"))
    assert not exposure(nic_rules=[], effective_routes=tunnel).safe
    closed = [rule("Closed", 4000, "Deny", protocol="*", port="*")]
    assert exposure(nic_rules=closed, effective_routes=tunnel).safe


def test_door_of_the_load_balancer_counts() -> None:
    extra = load_balancer(inboundNatRules=[nat_rule()])
    assert not exposure(nic_rules=[rule("Open", 100)], sku=None, extra=extra).safe
    other = load_balancer(inboundNatRules=[nat_rule(backendPort=22)])
    assert exposure(nic_rules=[rule("Open", 100)], sku=None, extra=other).safe


def test_dnat_rule_for_everybody_counts() -> None:
    assert not exposure(nic_rules=[], sku=None, extra=firewall()).safe
    assert exposure(nic_rules=[], sku=None, extra=firewall(sources=list(SOURCES))).safe


def test_bastion_is_not_the_internet() -> None:
    assert exposure(nic_rules=[], sku=None, extra=bastion()).safe


def test_address_that_is_not_assigned_now_can_not_be_judged() -> None:
    raw = bundle(nic_rules=[])
    del raw["resources"][f"{NET}/publicIPAddresses/pip-app".lower()]["properties"]["ipAddress"]
    network = parse_network(raw)
    assert not admits_outside(network, entries(network, VM), 3389, SOURCES).safe


def test_no_configured_source_means_nobody() -> None:
    assert not exposure(sources=(), nic_rules=[rule("Office", 100, source="203.0.113.0/24")]).safe
    assert exposure(sources=(), nic_rules=[]).safe
