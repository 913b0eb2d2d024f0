"""Each refusal of a rule, and what a planned rule looks like."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rdp_remediate.facts.network import parse_network
from rdp_remediate.network.decision import Layer
from rdp_remediate.network.documents import rule_document
from rdp_remediate.network.marker import content_hash, description, is_still_ours, read_marker
from rdp_remediate.network.rule_plan import RulePlan, plan_rule
from rdp_remediate.network.rule_request import RuleRequest
from tests.network.arm_network import (
    CLIENT,
    NET,
    NIC,
    NIC_NSG,
    PRIVATE,
    SUBNET_NSG,
    VM,
    VNET,
    Json,
    bundle,
    facts,
    resource,
    route,
    rule,
    system_routes,
)

JIT = rule("SecurityCenter-JITRule_-110_9EF6", 4096, "Deny", protocol="*", destination=PRIVATE)


def planned(request: RuleRequest | None = None, **fields: Any) -> RulePlan:
    return plan_rule(facts(**fields), request or RuleRequest((CLIENT,)))


def refused(request: RuleRequest | None = None, **fields: Any) -> str:
    plan = planned(request, **fields)
    assert plan.rules == ()
    assert plan.refusal is not None
    assert len(plan.refusal.why) > 20, "a refusal says what stands in the way"
    return plan.refusal.code.value


def admin(access: str) -> dict[str, Any]:
    return {
        "id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkManagers/nm/"
        "securityAdminConfigurations/c/ruleCollections/rc/rules/Central",
        "properties": {"access": access, "direction": "Inbound", "priority": 5, "protocol": "Any"},
    }


@pytest.mark.parametrize(
    "source",
    ["*", "Internet", "VirtualNetwork", "0.0.0.0/0", "::/0", "203.0.0.0/16", "2001:db8::/48", "any", "0.0.0.0", "127.0.0.1",
     "224.0.0.1", "not an address"],
)  # fmt: skip
def test_wide_or_unusable_sources_are_refused_even_if_configured(source: str) -> None:
    assert refused(RuleRequest((CLIENT, source)), nic_rules=[]) == "REFUSE_WIDE"


def test_no_source_is_refused() -> None:
    assert refused(RuleRequest(()), nic_rules=[]) == "REFUSE_NO_SOURCE"
    assert refused(RuleRequest((" ",)), nic_rules=[]) == "REFUSE_NO_SOURCE"


def test_private_ranges_are_as_wide_as_configured() -> None:
    closed = [rule("Closed", 4000, "Deny", protocol="*", port="*")]
    request = RuleRequest(("10.0.0.0/8",), dialled_address=PRIVATE, override_deny=True)
    plan = planned(request, nic_rules=closed)
    assert [one.sources for one in plan.rules] == [("10.0.0.0/8",)]
    assert planned(RuleRequest(("10.0.0.0/8",), dialled_address=PRIVATE), nic_rules=[]).rules == ()
    narrow = RuleRequest(("10.0.0.0/8",), dialled_address=PRIVATE, override_deny=True, shortest_private_ipv4=16)
    assert refused(narrow, nic_rules=closed) == "REFUSE_WIDE"


def test_admin_deny_names_the_rule_and_whom_to_ask() -> None:
    plan = planned(nic_rules=[], admin=[admin("Deny")])
    assert plan.refusal is not None
    assert plan.refusal.code == "REFUSE_ADMIN"
    assert "Central" in plan.refusal.why
    assert plan.refusal.resource_id.endswith("/rules/Central")


def test_admin_always_allow_needs_no_rule() -> None:
    plan = planned(nic_rules=[], admin=[admin("AlwaysAllow")])
    assert (plan.rules, plan.refusal) == ((), None)


def test_broken_reply_is_refused_with_its_route() -> None:
    routes = [*system_routes(), route("203.0.113.0/24", "VirtualAppliance", "User")]
    plan = planned(nic_rules=[], effective_routes=routes)
    assert plan.refusal is not None
    assert plan.refusal.code == "REFUSE_ROUTE"
    assert "User 203.0.113.0/24->VirtualAppliance" in plan.refusal.why


def test_private_source_without_a_way_back_is_refused() -> None:
    assert refused(RuleRequest(("172.20.0.0/16",), dialled_address=PRIVATE), nic_rules=[]) == "REFUSE_ROUTE"


def test_no_public_entry_is_refused_for_a_public_source() -> None:
    assert refused(nic_rules=[], sku=None) == "REFUSE_NO_PATH"


def test_standard_address_without_nsg_needs_one() -> None:
    assert refused() == "NEEDS_NSG"
    assert refused(sku="Unheard of") == "NEEDS_NSG"


def test_basic_address_without_nsg_needs_nothing() -> None:
    plan = planned(sku="Basic")
    assert (plan.rules, plan.refusal) == ((), None)


def test_only_jit_in_the_way_is_left_to_jit() -> None:
    assert refused(nic_rules=[JIT]) == "USE_JIT"
    assert refused(RuleRequest((CLIENT,), override_deny=True), nic_rules=[JIT]) == "USE_JIT"


def test_written_deny_needs_an_override_and_jit_keeps_its_priorities() -> None:
    written = rule("Closed", 120, "Deny")
    assert refused(nic_rules=[JIT, written]) == "REFUSE_EXPLICIT_DENY"
    override = RuleRequest((CLIENT,), override_deny=True)
    assert refused(override, nic_rules=[JIT, written]) == "NO_SLOT"
    plan = planned(override, nic_rules=[written])
    assert [one.priority for one in plan.rules] == [119]
    assert plan.rules[0].above == ("Closed",)
    policy = {"value": [{"properties": {"virtualMachines": [{"id": VM.upper(), "ports": [{"number": 3389}]}]}}]}
    with_policy = bundle(nic_rules=[written], operations={"jit_policies": {"westeurope": policy}})
    assert plan_rule(parse_network(with_policy), override).refusal is not None


def test_deny_at_the_first_priority_leaves_no_slot() -> None:
    override = RuleRequest((CLIENT,), override_deny=True)
    assert refused(override, nic_rules=[rule("Closed", 100, "Deny")]) == "NO_SLOT"


def test_unreadable_tag_of_an_allow_is_indeterminate() -> None:
    maybe = rule("Maybe", 200, source="AzureCloud.northeurope")
    assert refused(nic_rules=[maybe]) == "REFUSE_INDETERMINATE"


def test_unreadable_tag_of_a_deny_counts_as_in_the_way() -> None:
    maybe = rule("Maybe", 200, "Deny", source="AzureCloud.northeurope")
    assert refused(nic_rules=[maybe]) == "REFUSE_EXPLICIT_DENY"
    plan = planned(RuleRequest((CLIENT,), override_deny=True), nic_rules=[maybe])
    assert [one.priority for one in plan.rules] == [199]


def test_deny_without_a_readable_priority_can_not_be_passed() -> None:
    broken = rule("Broken", "first", "Deny")
    assert refused(RuleRequest((CLIENT,), override_deny=True), nic_rules=[broken]) == "REFUSE_INDETERMINATE"


def test_unreadable_nsg_is_refused() -> None:
    raw = bundle(nic_rules=[], subnet_rules=[])
    del raw["resources"][SUBNET_NSG.lower()]
    plan = plan_rule(parse_network(raw), RuleRequest((CLIENT,)))
    assert plan.refusal is not None
    assert plan.refusal.code == "REFUSE_INDETERMINATE"


def test_limits_of_an_nsg() -> None:
    full = [rule(f"R{n}", 100 + n, port="443") for n in range(1000)]
    assert refused(nic_rules=full) == "REFUSE_RULE_LIMIT"
    many = rule(
        "Many",
        100,
        port="443",
        source=None,
        sourceAddressPrefixes=[f"198.51.{n // 250}.{n % 250}" for n in range(0, 8000, 2)],
    )
    assert refused(nic_rules=[many]) == "REFUSE_RULE_LIMIT"


def test_nsg_in_change_is_left_alone() -> None:
    raw = bundle(nic_rules=[])
    raw["resources"][NIC_NSG.lower()]["properties"]["provisioningState"] = "Updating"
    plan = plan_rule(parse_network(raw), RuleRequest((CLIENT,)))
    assert plan.refusal is not None
    assert plan.refusal.code == "REFUSE_NSG_NOT_READY"


@pytest.mark.parametrize(
    "name", ["NRMS-Rule-101", "Microsoft.Databricks-workspaces_UseOnly_worker", "k8s-azure-lb_allow"]
)
def test_nsg_of_another_service_is_left_alone(name: str) -> None:
    assert refused(nic_rules=[rule(name, 300, port="443")]) == "REFUSE_FOREIGN_NSG"


def _behind_a_load_balancer(frontend_port: int, **nat_fields: bool) -> list[Json]:
    """A load balancer on 52.1.1.9 whose inbound NAT rule leads to port 3389 of the NIC."""
    lb = f"{NET}/loadBalancers/lb"
    frontend = f"{lb}/frontendIPConfigurations/fe"
    nat = {
        "name": "rdp",
        "id": f"{lb}/inboundNatRules/rdp",
        "properties": {
            "frontendIPConfiguration": {"id": frontend},
            "protocol": "Tcp",
            "frontendPort": frontend_port,
            "backendPort": 3389,
            "backendIPConfiguration": {"id": f"{NIC}/ipConfigurations/ipconfig1"},
            **nat_fields,
        },
    }
    standard = {"name": "Standard"}
    pip = resource(f"{NET}/publicIPAddresses/pip-lb", "publicIPAddresses", {"ipAddress": "52.1.1.9"}, sku=standard)
    shown = {"id": frontend, "properties": {"publicIPAddress": {"id": pip["id"]}}}
    return [
        pip,
        resource(lb, "loadBalancers", {"frontendIPConfigurations": [shown], "inboundNatRules": [nat]}, sku=standard),
    ]


def test_wrong_port_behind_the_door_is_refused() -> None:
    extra = _behind_a_load_balancer(50001)
    wrong = RuleRequest((CLIENT,), dialled_address="52.1.1.9", dialled_port=50001, guest_port=3390)
    assert refused(wrong, nic_rules=[], extra=extra) == "REFUSE_NO_PATH"
    right = RuleRequest((CLIENT,), dialled_address="52.1.1.9", dialled_port=50001)
    plan = planned(right, nic_rules=[], extra=extra)
    assert [(one.destination, one.port) for one in plan.rules] == [(PRIVATE, 3389)]


def test_guest_port_other_than_3389_is_the_rules_port() -> None:
    plan = planned(RuleRequest((CLIENT,), guest_port=13389), nic_rules=[])
    assert plan.rules[0].body["properties"]["destinationPortRange"] == "13389"


def test_same_nsg_on_both_layers_gets_one_rule() -> None:
    raw = bundle(nic_rules=[])
    raw["resources"][VNET.lower()]["properties"]["subnets"][0]["properties"]["networkSecurityGroup"] = {"id": NIC_NSG}
    plan = plan_rule(parse_network(raw), RuleRequest((CLIENT,)))
    assert [one.layers for one in plan.rules] == [(Layer.NIC, Layer.SUBNET)]
    assert plan.after is not None
    assert plan.after.verdict == "ALLOW"


def test_only_the_layer_that_denies_gets_a_rule() -> None:
    plan = planned(subnet_rules=[rule("Open", 100)], nic_rules=[])
    assert [one.nsg_id for one in plan.rules] == [NIC_NSG]


def test_blast_radius_lists_who_shares_the_nsg_and_is_limited() -> None:
    nics = [
        resource(
            f"{NET}/networkInterfaces/nic-{n}",
            "networkInterfaces",
            {
                "virtualMachine": {"id": f"{VM}-{n}"},
                "networkSecurityGroup": {"id": NIC_NSG},
                "ipConfigurations": [{"name": "ipconfig1", "properties": {"privateIPAddress": f"10.1.2.{n}"}}],
            },
        )
        for n in (20, 21)
    ]
    plan = planned(nic_rules=[], extra=nics)
    assert len(plan.blast_radius[0].vms) == 3
    assert len(plan.blast_radius[0].network_interfaces) == 3
    assert refused(RuleRequest((CLIENT,), most_vms=2), nic_rules=[], extra=nics) == "REFUSE_BLAST_RADIUS"


def test_destination_that_exists_twice_behind_the_nsg_is_refused() -> None:
    twin = resource(
        f"{NET}/networkInterfaces/nic-twin",
        "networkInterfaces",
        {
            "virtualMachine": {"id": f"{VM}-twin"},
            "networkSecurityGroup": {"id": NIC_NSG},
            "ipConfigurations": [{"name": "ipconfig1", "properties": {"privateIPAddress": PRIVATE}}],
        },
    )
    assert refused(nic_rules=[], extra=[twin]) == "REFUSE_BLAST_RADIUS"


def test_overlapping_sources_are_collapsed_not_widened() -> None:
    plan = planned(RuleRequest(("203.0.113.7", "203.0.113.0/25", "198.51.100.9")), nic_rules=[])
    properties = plan.rules[0].body["properties"]
    assert properties["sourceAddressPrefixes"] == ["198.51.100.9/32", "203.0.113.0/25"]
    assert "sourceAddressPrefix" not in properties


def test_rule_is_marked_and_recognised_until_somebody_changes_it() -> None:
    expires = datetime(2026, 1, 31, 18, 0, tzinfo=UTC)
    plan = planned(RuleRequest((CLIENT,), run_id="run-7", expires_at=expires), nic_rules=[])
    rule_ = plan.rules[0]
    properties = rule_.body["properties"]
    assert properties["description"].startswith("rdp_remediate id=run-7 exp=2026-01-31T18:00Z h=")
    assert len(properties["description"]) <= 140
    marker = read_marker(properties["description"])
    assert marker is not None
    assert marker.expires_at == expires
    assert is_still_ours(rule_.name, properties)
    assert is_still_ours(rule_.name, {**properties, "priority": 300, "provisioningState": "Succeeded"})
    plural = {**properties, "sourceAddressPrefix": None, "sourceAddressPrefixes": [CLIENT]}
    assert is_still_ours(rule_.name, plural), "another spelling of the same source is the same rule"
    assert not is_still_ours(rule_.name, {**properties, "sourceAddressPrefix": "*"})
    assert not is_still_ours("somebody-elses", properties)
    assert not is_still_ours(rule_.name, {**properties, "description": "mine now"})


def test_description_fits_whatever_the_run_is_called() -> None:
    assert len(description("x" * 500 + "\n\"';", datetime(2026, 1, 1, tzinfo=UTC), {})) <= 140
    assert read_marker("rdp_remediate id=a exp=2026-13-01T00:00Z h=00000000") is None
    assert len(content_hash({})) == 8


def test_own_rule_that_a_newer_deny_shadows_is_moved_above_it() -> None:
    first = planned(nic_rules=[]).rules[0]
    own = {"name": first.name, "properties": first.body["properties"]}
    newer = rule("Newer", 300, "Deny")
    plan = planned(RuleRequest((CLIENT,), override_deny=True), nic_rules=[own, newer])
    assert [(one.name, one.priority, one.replaces) for one in plan.rules] == [(first.name, 299, True)]
    assert all(proof.holds for proof in plan.proof)


def test_foreign_rule_with_our_name_is_never_overwritten() -> None:
    name = planned(nic_rules=[]).rules[0].name
    plan = planned(nic_rules=[rule(name, 300, "Deny", port="443", description="not ours")])
    assert [(one.name, one.replaces) for one in plan.rules] == [(f"{name}-2", False)]


def test_unread_admin_rules_are_said_and_the_verdict_stays_open() -> None:
    plan = planned(nic_rules=[], admin=None)
    assert len(plan.rules) == 1
    assert plan.admin_unread
    assert plan.after is not None
    assert plan.after.verdict == "INDETERMINATE"


def test_floating_ip_rule_names_the_frontend() -> None:
    extra = _behind_a_load_balancer(3389, enableFloatingIP=True)
    plan = planned(RuleRequest((CLIENT,), dialled_address="52.1.1.9"), nic_rules=[], extra=extra)
    assert [one.destination for one in plan.rules] == ["52.1.1.9"]


def test_document_of_a_plan_and_of_a_refusal() -> None:
    found = rule_document(planned(nic_rules=[]))
    assert found["refused"] is None
    assert found["rules"][0]["nsg_id"] == NIC_NSG
    assert found["proof"]["holds"] is True
    assert found["proof"]["verdict_after"] == "ALLOW"
    assert found["blast_radius"][NIC_NSG]["vms"] == [VM.lower()]
    none = rule_document(planned(RuleRequest(("*",)), nic_rules=[]))
    assert none["rules"] == []
    assert none["refused"]["code"] == "REFUSE_WIDE"
