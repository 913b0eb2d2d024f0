"""Effective rules and routes, admin rules, gateways, groups: what each piece of evidence changes."""

import json
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.facts.network import parse_network
from rdp_remediate.facts.network_addresses import address_number
from rdp_remediate.network.decision import Decision, Flow, Verdict
from rdp_remediate.network.explain import explain
from rdp_remediate.network.path import decide
from rdp_remediate.network.prefixes import contains
from tests.network.arm_network import (
    CLIENT,
    NET,
    NIC,
    NIC_NSG,
    PRIVATE,
    PUBLIC,
    SUBNET,
    VNET,
    Json,
    bundle,
    ip_configuration,
    resource,
    route,
    rule,
    system_routes,
)

SHARED = Path(__file__).parents[3] / "shared"
OPEN = [rule("Open", 100, source="203.0.113.0/24")]


def ask(raw: Json, client: str = CLIENT, dialled: str = PUBLIC) -> Decision:
    return decide(parse_network(raw), Flow(client, dialled))


def effective(*rules: Json, on: str = "networkInterface", tags: Json | None = None) -> Json:
    listed = []
    for one in rules:
        p = dict(one["properties"])
        listed.append({"name": f"securityRules/{one['name']}", **p})
    where = {"networkInterface": {"id": NIC}} if on == "networkInterface" else {on: {"id": SUBNET}}
    element = {"networkSecurityGroup": {"id": NIC_NSG}, "association": where, "effectiveSecurityRules": listed,
               "tagMap": tags or {}}  # fmt: skip
    return {"effective_security_rules": {NIC.lower(): {"value": [element]}}}


def test_effective_rules_stand_in_for_an_unread_nsg() -> None:
    raw = bundle(nic_rules=OPEN, operations=effective(*OPEN))
    del raw["resources"][NIC_NSG.lower()]
    assert ask(raw).verdict is Verdict.ALLOW


def test_effective_rules_stand_in_for_an_unread_vnet() -> None:
    raw = bundle(nic_rules=OPEN, operations=effective(*OPEN), effective_routes=system_routes())
    del raw["resources"][VNET.lower()]
    assert ask(raw).verdict is Verdict.ALLOW


def test_effective_expansion_of_a_tag_without_data_is_used() -> None:
    tagged = rule("Tagged", 100, source="AzureCloud.northeurope")
    assert ask(bundle(nic_rules=[tagged])).verdict is Verdict.INDETERMINATE
    shown = effective(tagged, tags={"AzureCloud.northeurope": ["203.0.113.0/24"]})
    assert ask(bundle(nic_rules=[tagged], operations=shown)).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("resource_rules", "effective_rules", "verdict"),
    [(OPEN, [], Verdict.DENY), ([], OPEN, Verdict.INDETERMINATE)],
)
def test_disagreement_is_said_and_never_allowed(
    resource_rules: list[Json], effective_rules: list[Json], verdict: Verdict
) -> None:
    decision = ask(bundle(nic_rules=resource_rules, operations=effective(*effective_rules)))
    assert decision.verdict is verdict
    assert any("the effective rules say" in gap for gap in decision.data_gaps)


def test_contradictory_effective_rule_never_allows() -> None:
    """The NSG resource allows; the effective rule's prefix and its expansion exclude each other."""
    shown = rule("Open", 100, source="198.51.100.0/24", expandedSourceAddressPrefix=["203.0.113.0/24"])
    decision = ask(bundle(nic_rules=[rule("Open", 100)], operations=effective(shown)))
    assert decision.verdict is Verdict.INDETERMINATE
    assert any("leave it open" in gap for gap in decision.data_gaps)
    assert any("no tag is named" in gap for gap in decision.data_gaps)
    assert {one.rule for one in decision.candidates} == {"Open", "DenyAllInBound"}


@pytest.mark.parametrize("printed", [{"destinationAddressPrefix": f"{PRIVATE}/32"}, {}], ids=["members", "nothing"])
def test_rule_for_a_group_allows_however_the_effective_rules_print_it(printed: Json) -> None:
    group = {"id": f"{NET}/applicationSecurityGroups/asg-rdp"}
    member = {"applicationSecurityGroups": [group]}
    written = rule("Grouped", 100, destination=None, destinationApplicationSecurityGroups=[group])
    shown = effective(rule("Grouped", 100, destination=None, **printed))
    assert ask(bundle(nic_rules=[written], operations=shown, ip_fields=member)).verdict is Verdict.ALLOW
    # Whoever is no member is not let in; printed addresses that say otherwise than the resources stay open.
    outside = ask(bundle(nic_rules=[written], operations=shown)).verdict
    assert outside is (Verdict.INDETERMINATE if printed else Verdict.DENY)


def test_empty_effective_answer_means_no_nsg() -> None:
    nothing: Json = {"effective_security_rules": {NIC.lower(): {"value": []}}}
    decision = ask(bundle(operations=nothing))
    assert {one.rule for one in decision.deciders} == {"standard-no-nsg"}


def test_recorded_effective_rules_are_read_whole() -> None:
    path = SHARED / "payloads" / "net-effective-nsg-lro-2021-08-01.json"
    if not path.is_file():
        pytest.skip("../shared/payloads is not there; run in a checkout beside the shared folder")
    answer = json.loads(path.read_text())["exchanges"][-1]["response"]["body"]
    network = parse_network({"operations": {"effective_security_rules": {NIC.lower(): answer}}})
    assert network.notes == ()
    tags = network.effective_tags[NIC.lower()]
    assert set(tags) == {"virtualnetwork", "azureloadbalancer", "internet"}
    inside = [contains(tags["internet"], address_number(text) or 0) for text in ("8.8.8.8", "10.0.0.1", "52.1.1.1")]
    assert inside == [True, False, True]
    assert [one.network_interface != "" for one in network.effective_rules[NIC.lower()]] == [True]


def test_recorded_effective_routes_are_read_whole() -> None:
    path = SHARED / "payloads" / "net-effective-routes-lro-c7n-2019-09-01.json"
    if not path.is_file():
        pytest.skip("../shared/payloads is not there; run in a checkout beside the shared folder")
    answer = json.loads(path.read_text())["exchanges"][-1]["response"]["body"]
    network = parse_network({"operations": {"effective_routes": {NIC.lower(): answer}}})
    assert network.notes == ()
    assert [(one.spelling, one.next_hop.value) for one in network.effective_routes[NIC.lower()]][:2] == [
        ("10.0.0.0/16", "VnetLocal"),
        ("0.0.0.0/0", "Internet"),
    ]


def admin(name: str, access: str, manager: str = "nm", **fields: Any) -> Json:
    properties = {"access": access, "direction": "Inbound", "priority": 10, "protocol": "Any", **fields}
    owner = f"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkManagers/{manager}"
    return {"id": f"{owner}/securityAdminConfigurations/c/ruleCollections/rc/rules/{name}", "properties": properties}


def test_conflict_at_one_priority_is_indeterminate() -> None:
    decision = ask(bundle(nic_rules=OPEN, admin=[admin("A", "Deny"), admin("B", "AlwaysAllow")]))
    assert decision.verdict is Verdict.INDETERMINATE
    assert {one.rule for one in decision.deciders} == {"A", "B"}


def test_managers_of_equal_standing_fork_and_a_higher_one_decides() -> None:
    rules = [admin("Low", "Deny", "nm-a", priority=5), admin("High", "AlwaysAllow", "nm-b", priority=50)]
    assert ask(bundle(nic_rules=OPEN, admin=rules)).verdict is Verdict.INDETERMINATE
    owner = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkManagers/nm-b"
    higher = resource(owner, "networkManagers", {"networkManagerScopes": {"managementGroups": ["/x/root"]}})
    decision = ask(bundle(nic_rules=OPEN, admin=rules, extra=[higher]))
    assert (decision.verdict, [one.rule for one in decision.deciders]) == (Verdict.ALLOW, ["High"])


def test_admin_allow_passes_to_the_nsgs_and_is_named() -> None:
    rules = [admin("Exception", "Allow", priority=5), admin("Central", "Deny", priority=20)]
    decision = ask(bundle(nic_rules=OPEN, admin=rules))
    assert {(one.layer.value, one.rule) for one in decision.deciders} == {("admin", "Exception"), ("nic", "Open")}
    assert ask(bundle(nic_rules=[], admin=rules)).verdict is Verdict.DENY


def test_always_allow_on_a_standard_address_without_nsg_is_not_documented() -> None:
    assert ask(bundle(admin=[admin("AA", "AlwaysAllow")])).verdict is Verdict.INDETERMINATE


def test_admin_rule_for_a_network_group_is_unreadable() -> None:
    group = [{"addressPrefix": "/g", "addressPrefixType": "NetworkGroup"}]
    decision = ask(bundle(nic_rules=OPEN, admin=[admin("Group", "Deny", sources=group)]))
    assert decision.verdict is Verdict.INDETERMINATE


def test_admin_rules_in_the_effective_answer_count_when_the_own_read_failed() -> None:
    deny = {"name": "Central", **rule("x", 5, "Deny")["properties"]}
    element = {"association": {"networkManager": {"id": "nm"}}, "effectiveSecurityRules": [deny]}
    raw = bundle(nic_rules=OPEN, admin=None)
    raw["operations"]["effective_security_rules"] = {NIC.lower(): {"value": [element]}}
    decision = ask(raw)
    assert decision.verdict is Verdict.DENY
    assert not decision.admin_unread


def test_gateway_whose_routes_are_unread_leaves_an_allow_open_and_a_default_deny_closed() -> None:
    assert ask(bundle(nic_rules=OPEN, gateway=True)).verdict is Verdict.INDETERMINATE
    denied = ask(bundle(nic_rules=[], gateway=True))
    assert (denied.verdict, [one.rule for one in denied.deciders]) == (Verdict.DENY, ["DenyAllInBound"])
    read = bundle(nic_rules=OPEN, gateway=True, effective_routes=system_routes())
    assert ask(read).verdict is Verdict.ALLOW
    no_virtual_network = [rule("No", 100, "Deny", source="VirtualNetwork"), rule("Open", 200)]
    assert ask(bundle(nic_rules=no_virtual_network, gateway=True)).verdict is Verdict.INDETERMINATE


def test_plain_route_table_is_enough_without_effective_routes() -> None:
    appliance = {"name": "r", "properties": {"addressPrefix": "0.0.0.0/0", "nextHopType": "VirtualAppliance"}}
    decision = ask(bundle(nic_rules=OPEN, user_routes=[appliance]))
    assert decision.verdict is Verdict.ASYMMETRIC
    assert decision.deciders[0].rule == "User 0.0.0.0/0->VirtualAppliance"
    assert decision.deciders[0].resource_id.endswith("/routeTables/rt-app/routes/r")


@pytest.mark.parametrize(
    ("extra", "verdict"),
    [
        ([route("203.0.113.0/24", "None", "User")], Verdict.BLACKHOLE),
        ([route("203.0.113.0/24", "None", "User", "Invalid")], Verdict.ALLOW),
        ([route("203.0.113.0/24", "None", "User"), route("203.0.113.7/32", "Internet", "User")], Verdict.ALLOW),
        ([route("203.0.113.0/24", "VirtualNetworkGateway", "VirtualNetworkGateway"),
          route("203.0.113.0/24", "Internet", "User")], Verdict.ALLOW),
        ([route("203.0.113.0/24", "Wormhole", "User")], Verdict.INDETERMINATE),
        ([route("AzureCloud.westeurope", "VirtualAppliance", "User")], Verdict.INDETERMINATE),
    ],
)  # fmt: skip
def test_which_route_the_reply_takes(extra: list[Json], verdict: Verdict) -> None:
    assert ask(bundle(nic_rules=OPEN, effective_routes=[*system_routes(), *extra])).verdict is verdict


def test_differing_route_table_is_said() -> None:
    none = {"name": "r", "properties": {"addressPrefix": "203.0.113.0/24", "nextHopType": "None"}}
    decision = ask(bundle(nic_rules=OPEN, user_routes=[none], effective_routes=system_routes()))
    assert decision.verdict is Verdict.ALLOW
    assert any("differ" in one for one in decision.assumptions)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"peeringState": "Disconnected"}, Verdict.DENY),
        ({"allowVirtualNetworkAccess": False}, Verdict.DENY),
        ({"peeringState": "Unheard of"}, Verdict.INDETERMINATE),
        ({"remoteAddressSpace": None}, Verdict.INDETERMINATE),
        ({}, Verdict.ALLOW),
    ],
)
def test_peering_decides_what_belongs_to_the_virtual_network(change: Json, verdict: Verdict) -> None:
    raw = bundle(nic_rules=[], effective_routes=[*system_routes(), route("10.9.0.0/16", "VNetPeering")])
    raw["resources"][VNET.lower()]["properties"]["virtualNetworkPeerings"][0]["properties"].update(change)
    assert ask(raw, "10.9.0.5", PRIVATE).verdict is verdict


GROUP = f"{NET}/applicationSecurityGroups/asg-jump"


def _member(address: str, vm: str = "vm-jump") -> Json:
    nic = f"{NET}/networkInterfaces/nic-jump"
    own = ip_configuration(nic, "ipconfig1", address, applicationSecurityGroups=[{"id": GROUP}])
    owner = {"id": f"/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/{vm}"}
    return resource(nic, "networkInterfaces", {"virtualMachine": owner, "ipConfigurations": [own]})


def _from_group(access: str = "Deny") -> list[Json]:
    grouped = rule("Grouped", 100, access, source=None, sourceApplicationSecurityGroups=[{"id": GROUP}])
    return [grouped, rule("Rest", 200, "Deny" if access == "Allow" else "Allow")]


def test_source_group_matches_its_members_only() -> None:
    raw = bundle(nic_rules=_from_group("Allow"), extra=[_member("10.1.3.7")])
    assert ask(raw, "10.1.3.7", PRIVATE).verdict is Verdict.ALLOW
    assert ask(raw, "10.1.3.8", PRIVATE).verdict is Verdict.DENY
    assert ask(raw, CLIENT).verdict is Verdict.DENY


def test_source_group_without_visible_members_may_hold_any_private_address() -> None:
    raw = bundle(nic_rules=_from_group())
    assert ask(raw, "10.1.3.7", PRIVATE).verdict is Verdict.INDETERMINATE
    assert ask(raw, CLIENT).verdict is Verdict.ALLOW
    raw["operations"]["application_security_group_members"] = {
        GROUP.lower(): {"value": [{"privateIPAddress": "10.1.3.9"}]}
    }
    assert ask(raw, "10.1.3.7", PRIVATE).verdict is Verdict.ALLOW
    assert ask(raw, "10.1.3.9", PRIVATE).verdict is Verdict.DENY


def test_source_group_whose_members_were_refused_is_uncertain() -> None:
    raw = bundle(nic_rules=_from_group(), extra=[_member("10.1.3.7")])
    raw["unavailable"].append(
        {"fact": "application_security_group_members", "resource_id": GROUP, "reason": "forbidden"}
    )
    assert ask(raw, "10.1.3.7", PRIVATE).verdict is Verdict.DENY
    assert ask(raw, "10.1.3.8", PRIVATE).verdict is Verdict.INDETERMINATE


def test_trace_shows_the_layer_behind_the_one_that_denies() -> None:
    told = explain(parse_network(bundle(subnet_rules=[], nic_rules=[])), Flow(CLIENT, PUBLIC))
    rows = {(row.layer.value, row.rule): (row.decides, row.reached) for row in told.trace}
    assert rows["subnet", "DenyAllInBound"] == (True, True)
    assert rows["nic", "DenyAllInBound"] == (True, False)
    assert rows["subnet", "AllowVnetInBound"] == (False, True)
    assert told.not_reached == ("nic", "lb", "route")
    assert told.steps[-1] == "verdict DENY"


def test_always_allow_with_an_unread_subnet_stays_open() -> None:
    raw = bundle(admin=[admin("AA", "AlwaysAllow")])
    del raw["resources"][VNET.lower()]
    assert ask(raw).verdict is Verdict.INDETERMINATE
