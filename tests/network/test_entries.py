"""The ways in: load balancers, DNAT, Bastion, several IP configurations, and what blocks them."""

from typing import Any

import pytest

from rdp_remediate.facts.network import parse_network
from rdp_remediate.network.arrival import EntryKind
from rdp_remediate.network.decision import Decision, Flow, Layer, Verdict
from rdp_remediate.network.entries import entries
from rdp_remediate.network.path import decide
from tests.network.arm_entries import (
    FIREWALL_ADDRESS,
    FRONTEND_ADDRESS,
    IP_CONFIGURATION,
    POOL,
    balancing_rule,
    bastion,
    firewall,
    load_balancer,
    nat_rule,
)
from tests.network.arm_network import CLIENT, NET, NIC, PRIVATE, PUBLIC, VM, Json, bundle, facts, ip_configuration, rule

OPEN = [rule("Open", 100, source="203.0.113.0/24")]


def through_lb(port: int = 50001, client: str = CLIENT, nic_rules: list[Json] | None = None, **fields: Any) -> Decision:
    extra = load_balancer(**fields)
    address = "10.1.2.100" if fields.get("internal") else FRONTEND_ADDRESS
    network = facts(nic_rules=OPEN if nic_rules is None else nic_rules, extra=extra, sku=None)
    return decide(network, Flow(client, address, port))


def said(decision: Decision) -> tuple[str, set[tuple[str, str]]]:
    return decision.verdict.value, {(one.layer.value, one.rule) for one in decision.deciders}


def test_nat_rule_shows_the_filters_the_backend_port() -> None:
    decision = through_lb(inboundNatRules=[nat_rule()])
    assert said(decision) == ("ALLOW", {("nic", "Open")})
    assert (decision.address, decision.port) == (PRIVATE, 3389)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"inboundNatRules": [nat_rule(backendIPConfiguration=None)]}, "nat-rule-unattached"),
        ({"inboundNatRules": [nat_rule(protocol="Udp")]}, "protocol"),
        ({"inboundNatRules": []}, "no-rule-on-frontend-port"),
        ({"inboundNatRules": [nat_rule(backendIPConfiguration={"id": f"{NIC}-other/ipConfigurations/x"})]},
         "no-rule-on-frontend-port"),
    ],
)  # fmt: skip
def test_what_leads_nowhere(fields: dict[str, Any], word: str) -> None:
    assert said(through_lb(**fields)) == ("NO_PATH", {("path", word)})


@pytest.mark.parametrize("field", ["backendPort", "frontendPort", "protocol"])
def test_unreadable_nat_rule_is_indeterminate(field: str) -> None:
    assert through_lb(inboundNatRules=[nat_rule(**{field: "odd"})]).verdict is Verdict.INDETERMINATE


def _v2(**fields: Any) -> Json:
    pool: Json = {"backendAddressPool": {"id": POOL}, "frontendPortRangeStart": 50001, "frontendPortRangeEnd": 50010}
    return nat_rule(**{"backendIPConfiguration": None, "frontendPort": None, **pool, **fields})


def _mapped(port: int) -> Json:
    mapping = [{"inboundNatRuleName": "rdp", "protocol": "Tcp", "frontendPort": port, "backendPort": 3389}]
    member = {"networkInterfaceIPConfiguration": {"id": IP_CONFIGURATION}, "inboundNatRulesPortMapping": mapping}
    return {"loadBalancerBackendAddresses": [{"name": "m", "properties": member}]}


def test_v2_mapping_is_read_not_computed() -> None:
    rules = [_v2()]
    assert through_lb(50004, inboundNatRules=rules, members=_mapped(50004)).verdict is Verdict.ALLOW
    assert said(through_lb(50007, inboundNatRules=rules, members=_mapped(50004))) == (
        "NO_PATH",
        {("path", "no-rule-on-frontend-port")},
    )
    assert through_lb(50004, inboundNatRules=rules).verdict is Verdict.INDETERMINATE
    assert through_lb(50011, inboundNatRules=rules).verdict is Verdict.NO_PATH


def test_v2_rule_of_one_port_and_one_member_is_certain() -> None:
    assert through_lb(50001, inboundNatRules=[_v2(frontendPortRangeEnd=50001)]).verdict is Verdict.ALLOW


def test_balancing_rule_is_gated_by_its_probe() -> None:
    assert through_lb(3389, loadBalancingRules=[balancing_rule()]).verdict is Verdict.ALLOW
    no_probes = [*OPEN, rule("NoProbes", 4000, "Deny", protocol="*", port="*")]
    blocked = through_lb(3389, loadBalancingRules=[balancing_rule()], nic_rules=no_probes)
    assert said(blocked) == ("LB_PROBE_BLOCKED", {("lb", "NoProbes")})
    unread = through_lb(3389, loadBalancingRules=[balancing_rule(probe={"id": f"{POOL}-unknown"})])
    assert unread.verdict is Verdict.INDETERMINATE
    without = through_lb(3389, loadBalancingRules=[balancing_rule(probe=None)], nic_rules=no_probes)
    assert without.verdict is Verdict.ALLOW


def test_a_deny_is_reported_before_the_probe() -> None:
    closed = [rule("All", 4000, "Deny", protocol="*", port="*")]
    assert said(through_lb(3389, loadBalancingRules=[balancing_rule()], nic_rules=closed)) == ("DENY", {("nic", "All")})


def test_ha_ports_keep_the_port() -> None:
    ha = [balancing_rule(protocol="All", frontendPort=0, backendPort=0)]
    inside = through_lb(3389, "10.1.3.7", loadBalancingRules=ha, internal=True, nic_rules=[])
    assert (inside.verdict, inside.port) == (Verdict.ALLOW, 3389)


def test_internal_frontend_is_closed_to_the_internet() -> None:
    decision = through_lb(inboundNatRules=[nat_rule()], internal=True)
    assert said(decision) == ("NO_PATH", {("path", "no-public-entry")})


def test_unread_load_balancer_leaves_the_dialled_frontend_open() -> None:
    network = facts(nic_rules=OPEN, sku=None, ip_fields={"loadBalancerInboundNatRules": [{"id": nat_rule()["id"]}]})
    decision = decide(network, Flow(CLIENT, FRONTEND_ADDRESS, 50001))
    assert decision.verdict is Verdict.INDETERMINATE
    assert "/loadbalancers/lb could not be read" in decision.data_gaps[0]


@pytest.mark.parametrize("policy", [False, True])
def test_dnat_shows_the_filters_the_firewalls_subnet(policy: bool) -> None:
    network = facts(nic_rules=[], sku=None, extra=firewall(policy=policy))
    assert said(decide(network, Flow(CLIENT, FIREWALL_ADDRESS))) == ("ALLOW", {("nic", "AllowVnetInBound")})
    no_hub = facts(
        nic_rules=[rule("NoHub", 100, "Deny", source="10.9.255.0/27")], sku=None, extra=firewall(policy=policy)
    )
    assert decide(no_hub, Flow(CLIENT, FIREWALL_ADDRESS)).verdict is Verdict.INDETERMINATE


def test_dnat_rule_filters_clients_itself() -> None:
    network = facts(nic_rules=[], sku=None, extra=firewall(sources=["198.51.100.0/24"]))
    assert decide(network, Flow(CLIENT, FIREWALL_ADDRESS)).verdict is Verdict.NO_PATH
    assert decide(network, Flow("198.51.100.9", FIREWALL_ADDRESS)).verdict is Verdict.ALLOW
    assert decide(network, Flow(CLIENT, FIREWALL_ADDRESS, 3390)).verdict is Verdict.NO_PATH


def test_dnat_rule_with_address_groups_is_indeterminate() -> None:
    extra = firewall(sourceIpGroups=["/subscriptions/s/ipGroups/g"])
    network = facts(nic_rules=[], sku=None, extra=extra)
    assert decide(network, Flow(CLIENT, FIREWALL_ADDRESS)).verdict is Verdict.INDETERMINATE


def test_unread_firewall_policy_is_indeterminate() -> None:
    extra = [one for one in firewall(policy=True) if "ruleCollectionGroups" not in one["id"]]
    network = facts(nic_rules=[], sku=None, extra=extra)
    assert decide(network, Flow(CLIENT, FIREWALL_ADDRESS)).verdict is Verdict.INDETERMINATE


def test_bastion_session_comes_from_its_subnet() -> None:
    flow = Flow(None, PRIVATE, 3389, entry="bastion")
    assert decide(facts(nic_rules=[], sku=None, extra=bastion()), flow).verdict is Verdict.ALLOW
    closed = [rule("NoBastion", 100, "Deny", source="10.9.250.0/26")]
    denied = decide(facts(nic_rules=closed, sku=None, extra=bastion()), flow)
    assert said(denied) == ("DENY", {("nic", "NoBastion")})
    assert decide(facts(nic_rules=[], sku=None), flow).verdict is Verdict.NO_PATH


def test_private_client_at_a_public_address_leaves_its_egress_open() -> None:
    flow = Flow("10.1.3.7", PUBLIC)
    assert decide(facts(nic_rules=OPEN), flow).verdict is Verdict.INDETERMINATE
    assert decide(facts(nic_rules=[]), flow).verdict is Verdict.DENY
    assert decide(facts(nic_rules=[rule("All", 100)]), flow).verdict is Verdict.ALLOW


def test_name_of_a_public_address_can_be_dialled() -> None:
    raw = bundle(nic_rules=OPEN)
    pip = raw["resources"][f"{NET}/publicIPAddresses/pip-app".lower()]
    pip["properties"]["dnsSettings"] = {"fqdn": "vm-app.westeurope.cloudapp.azure.com"}
    network = parse_network(raw)
    assert decide(network, Flow(CLIENT, "VM-app.westeurope.cloudapp.azure.com")).verdict is Verdict.ALLOW
    assert decide(network, Flow(CLIENT, "elsewhere.example.com")).verdict is Verdict.INDETERMINATE


@pytest.mark.parametrize("client", [None, "", "nobody", "203.0.113.7; rm"])
def test_client_that_is_no_address_is_indeterminate(client: str | None) -> None:
    assert decide(facts(nic_rules=OPEN), Flow(client, PUBLIC)).verdict is Verdict.INDETERMINATE


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_port_that_is_none_is_indeterminate(port: int) -> None:
    assert decide(facts(nic_rules=OPEN), Flow(CLIENT, PUBLIC, port)).verdict is Verdict.INDETERMINATE


def test_every_door_of_a_vm_is_listed() -> None:
    extra = [*load_balancer(inboundNatRules=[nat_rule()], loadBalancingRules=[balancing_rule(frontendPort=4000)]),
             *firewall(), *bastion()[1:]]  # fmt: skip
    found = entries(facts(nic_rules=OPEN, extra=extra), VM.upper(), 3389)
    listed = {(one.kind, one.address, one.port, one.backend_port, one.public) for one in found}
    assert {
        (EntryKind.PUBLIC, PUBLIC, 3389, 3389, True),
        (EntryKind.LB, FRONTEND_ADDRESS, 50001, 3389, True),
        (EntryKind.LB, FRONTEND_ADDRESS, 4000, 3389, True),
        (EntryKind.DNAT, FIREWALL_ADDRESS, 3389, 3389, True),
        (EntryKind.PRIVATE, PRIVATE, 3389, 3389, False),
    } <= listed
    assert found[0].kind is EntryKind.PUBLIC
    assert found[-1].kind is EntryKind.PRIVATE
    assert all(one.ip_configuration_id == IP_CONFIGURATION for one in found)


def test_each_ip_configuration_has_its_own_doors() -> None:
    second = ip_configuration(NIC, "ipconfig2", "10.1.2.10")
    first = ip_configuration(NIC, "ipconfig1", PRIVATE)
    network = facts(nic_rules=OPEN, sku=None, nic_fields={"ipConfigurations": [first, second]})
    assert [one.private_address for one in entries(network, VM)] == [PRIVATE, "10.1.2.10"]
    flow = Flow("10.1.3.7", "10.1.2.10", ip_configuration=first["id"])
    assert decide(network, flow).verdict is Verdict.NO_PATH


def test_unassigned_dynamic_address_is_a_door_without_address() -> None:
    raw = bundle(nic_rules=OPEN)
    del raw["resources"][f"{NET}/publicIPAddresses/pip-app".lower()]["properties"]["ipAddress"]
    found = entries(parse_network(raw), VM)
    assert [(one.kind, one.address) for one in found if one.public] == [(EntryKind.PUBLIC, None)]


def test_unknown_sku_without_nsg_names_both_possibilities() -> None:
    raw = bundle()
    del raw["resources"][f"{NET}/publicIPAddresses/pip-app".lower()]["sku"]
    decision = decide(parse_network(raw), Flow(CLIENT, PUBLIC))
    assert said(decision) == ("INDETERMINATE", {("platform", "no-nsg"), ("platform", "standard-no-nsg")})
    assert {one.layer for one in decision.candidates} == {Layer.PLATFORM}
