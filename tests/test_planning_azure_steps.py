"""Approval steps in Azure: exactly what would be written, and every reason not to."""

import ipaddress
from datetime import timedelta
from typing import Any

import pytest

from rdp_remediate.models.plan import Plan, Risk, Step
from tests import factories as f
from tests.checks import surroundings as s
from tests.factories import Change, hide
from tests.planned import planned

HOP = "10.0.9.4"
DENY_ALL = f.rule("Deny-All", 4000, access="Deny", source="*", ports="*", protocol="*")


def open_to_all(source: str = "*", *more: Any, **changes: Any) -> tuple[Change, ...]:
    """RDP open to the Internet at the NIC; the subnet's NSG admits everybody as well."""
    return (
        f.security_rules(f.NIC_NSG, f.rule("Any-RDP", 300, source=source, **changes), *more),
        f.security_rules(f.SUBNET_NSG, f.rule("Any-RDP", 300, source="*")),
    )


def steps(made: Plan, kind: str) -> list[Step]:
    return [step for step in made.steps if step.kind == kind]


def code(made: Plan, fault: str = "nsg-open-to-internet") -> str:
    (found,) = [refusal for refusal in made.refusals if refusal.fault == fault]
    return found.code


# Narrowing


@pytest.mark.parametrize("source", ["*", "Internet", "0.0.0.0/0", "internet"])
def test_only_the_source_of_the_rule_changes(source: str) -> None:
    (step,) = steps(planned(*open_to_all(source)), "narrow_nsg_rule")
    before, after = step.expected["properties"], step.desired["properties"]
    assert after["sourceAddressPrefix"] == f.SOURCES
    assert {key for key in before | after if before.get(key) != after.get(key)} == {"sourceAddressPrefix"}
    assert (step.target["nsg_id"], step.target["name"]) == (f.NIC_NSG, "Any-RDP")
    assert step.risk is Risk.SENSITIVE
    assert step.approval
    assert step.undoable


def test_several_sources_stand_in_the_plural_field_and_what_was_narrow_stays() -> None:
    def plural(data: Any) -> None:
        properties = data["resources"][f.NIC_NSG.lower()]["properties"]["securityRules"][0]["properties"]
        del properties["sourceAddressPrefix"]
        properties["sourceAddressPrefixes"] = ["0.0.0.0/0", "198.51.100.0/24"]

    changes = (*open_to_all(), plural, hide("effective_security_rules", f.NIC))
    (step,) = steps(planned(*changes, f.policy(sources=["203.0.113.0/25", "203.0.113.128/26"])), "narrow_nsg_rule")
    after = step.desired["properties"]
    assert "sourceAddressPrefix" not in after
    assert after["sourceAddressPrefixes"] == ["198.51.100.0/24", "203.0.113.0/25", "203.0.113.128/26"]


def test_a_second_open_rule_of_the_same_nsg_is_narrowed_too() -> None:
    second = f.rule("Any-RDP-too", 310, source="Internet")
    found = steps(planned(*open_to_all("*", second)), "narrow_nsg_rule")
    assert [step.target["name"] for step in found] == ["Any-RDP", "Any-RDP-too"]


def test_another_rule_needs_another_yes() -> None:
    (first,) = steps(planned(*open_to_all()), "narrow_nsg_rule")
    (moved,) = steps(
        planned(f.security_rules(f.NIC_NSG, f.rule("Any-RDP", 310, source="*")), open_to_all()[1]), "narrow_nsg_rule"
    )
    (wider,) = steps(
        planned(*open_to_all(), f.policy(sources=["203.0.113.0/24", "198.51.100.0/24"])), "narrow_nsg_rule"
    )
    assert len({first.step_id, moved.step_id, wider.step_id}) == 3


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ((*open_to_all(), f.policy(sources=[])), "REFUSE_NO_SOURCE"),
        ((*open_to_all(), f.policy(sources=["203.0.0.0/16"])), "REFUSE_WIDE"),
        ((*open_to_all(), f.policy(sources=["203.0.113.0/24", "2001:db8::/64"])), "REFUSE_NOT_NARROWABLE"),
        ((*open_to_all(), f.target(client_address="198.51.100.4")), "REFUSE_CUTS_OTHERS"),
        (open_to_all(ports="3389-3390"), "REFUSE_CUTS_OTHERS"),
        (open_to_all(ports="*"), "REFUSE_CUTS_OTHERS"),
        (open_to_all("*", DENY_ALL), "REFUSE_CUTS_OTHERS"),
        ((*open_to_all(), f.policy(blast_radius_limit=0)), "REFUSE_BLAST_RADIUS"),
        (
            (*open_to_all(), f.resource(f.NIC_NSG, "properties", "provisioningState", value="Updating")),
            "REFUSE_NSG_NOT_READY",
        ),
    ],
)
def test_every_reason_not_to_narrow(changes: tuple[Change, ...], wanted: str) -> None:
    made = planned(*changes)
    assert steps(made, "narrow_nsg_rule") == []
    assert code(made) == wanted


def test_defenders_rule_is_left_to_defender() -> None:
    jit = f.rule("SecurityCenter-JITRule_1_A", 100, source="*")
    made = planned(f.security_rules(f.NIC_NSG, jit), open_to_all()[1])
    assert code(made) == "USE_JIT"


def test_the_rule_of_a_service_is_left_to_the_service() -> None:
    foreign = f.rule("k8s-azure-lb_allow", 500, source="10.0.0.0/16", ports="80")
    assert code(planned(*open_to_all("*", foreign))) == "REFUSE_FOREIGN_NSG"


def test_a_read_only_lock_refuses_every_write() -> None:
    row = {"id": f"{f.GROUP}/providers/Microsoft.Authorization/locks/keep", "properties": {"level": "ReadOnly"}}
    lock = f.operation("locks", f.VM, {"value": [row]})
    made = planned(*open_to_all(), f.silent, f.agent_not_ready, lock)
    assert made.steps == []
    assert {refusal.code for refusal in made.refusals} == {"locked"}


def test_who_else_stands_behind_the_nsg_is_named() -> None:
    both = (open_to_all()[1], f.detached(f.NIC_NSG))
    (step,) = steps(planned(*both), "narrow_nsg_rule")
    assert step.target["nsg_id"].lower() == f.SUBNET_NSG.lower()
    assert "subnet" in (step.approval or "")


def test_a_narrow_rule_is_left_alone() -> None:
    assert planned().steps == []


# Restart


def test_a_silent_agent_is_no_reason_to_restart_a_vm_whose_rdp_answers() -> None:
    made = planned(f.agent_not_ready)
    assert made.steps == []
    assert code(made, "agent-not-ready") == "by_hand"
    assert "RDP answers" in made.refusals[0].why


def test_a_restart_names_what_it_costs_and_cannot_be_taken_back() -> None:
    (step,) = planned(f.silent, f.agent_not_ready).steps
    assert (step.kind, step.expected, step.undoable) == ("restart_vm", "running, agent not ready", False)
    assert "ends every session" in (step.approval or "")
    assert "boot picture" in (step.approval or "")


@pytest.mark.parametrize(
    "screen", ["windows-update", "getting-ready", "working-on-features", "checking-disk", "restarting"]
)
def test_windows_is_never_restarted_while_it_works_on_itself(screen: str) -> None:
    made = planned(f.silent, f.agent_not_ready, f.policy(boot_screen=screen))
    assert {step.kind for step in made.steps} <= {"wait"}
    assert code(made, "agent-not-ready") == "windows_busy"


def test_a_question_on_the_screen_is_not_answered_by_a_restart() -> None:
    assert (
        code(planned(f.silent, f.agent_not_ready, f.policy(boot_screen="bitlocker-recovery")), "agent-not-ready")
        == "needs_hands"
    )


@pytest.mark.parametrize(("minutes", "waits"), [(10, True), (20, False)])
def test_an_agent_gets_time_after_a_start(minutes: int, waits: bool) -> None:
    started = f.activity(
        "Microsoft.Compute/virtualMachines/start/action", f.VM, "operator@example.com", timedelta(minutes=minutes)
    )
    made = planned(f.silent, f.agent_not_ready, started)
    assert (made.steps == []) is waits
    if waits:
        assert code(made, "agent-not-ready") == "just_started"


# The way back


def routed_by_table(*routes: tuple[str, str, str]) -> Change:
    """The subnet's own route table, and what Azure shows of it in force."""
    table = f"{s.NET}/routeTables/rt-hub"
    listed = [
        {
            "name": name,
            "id": f"{table}/routes/{name}",
            "properties": {"addressPrefix": prefix, "nextHopType": "VirtualAppliance", "nextHopIpAddress": hop},
        }
        for name, prefix, hop in routes
    ]

    def change(data: Any) -> None:
        s.resource(table, "Microsoft.Network/routeTables", {"routes": listed, "subnets": [{"id": s.SUBNET}]})(data)
        for subnet in data["resources"][f.VNET.lower()]["properties"]["subnets"]:
            if subnet["name"] == "snet-app":
                subnet["properties"]["routeTable"] = {"id": table}
        data["operations"]["effective_routes"] = {}

    return change


DEFAULT = routed_by_table(("default", "0.0.0.0/0", HOP))


def test_one_address_goes_past_the_inspection_and_the_text_says_so() -> None:
    (step,) = steps(planned(f.silent, DEFAULT), "host_route")
    assert step.desired == {"properties": {"addressPrefix": f"{f.CLIENT}/32", "nextHopType": "Internet"}}
    assert step.expected is None
    assert "bypasses the inspection" in (step.approval or "")
    assert "snet-app" in (step.approval or "")


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ((f.target(client_address=None),), "REFUSE_NO_SOURCE"),
        ((f.target(client_address="198.51.100.4"),), "REFUSE_NO_SOURCE"),
    ],
)
def test_no_route_for_an_address_that_nobody_configured(changes: tuple[Change, ...], wanted: str) -> None:
    made = planned(f.silent, DEFAULT, *changes)
    assert steps(made, "host_route") == []
    assert {r.code for r in made.refusals if r.fault == "udr-default-route-asymmetric"} <= {wanted}


def test_no_route_where_the_table_cannot_be_read() -> None:
    made = planned(f.silent, s.routed("0.0.0.0/0", "VirtualAppliance", HOP))
    assert code(made, "udr-default-route-asymmetric") == "REFUSE_ROUTE"


# The agent's way out


def outbound(name: str, priority: int, access: str = "Deny", destination: str = "Internet", ports: str = "*") -> Any:
    rule = f.rule(name, priority, access=access, source="*", protocol="*", ports=ports)
    rule["properties"].update(direction="Outbound", destinationAddressPrefix=destination)
    return rule


def test_the_agent_alone_is_let_out_directly_above_the_deny() -> None:
    taken = outbound("Allow-DNS", 3999, "Allow", "10.0.0.4", "53")
    (step,) = steps(
        planned(f.security_rules(f.NIC_NSG, f.NIC_ALLOW, outbound("Deny-Out", 4000), taken)), "outbound_rule"
    )
    body = step.desired["properties"]
    assert (body["priority"], body["direction"], body["access"], body["protocol"]) == (3998, "Outbound", "Allow", "Tcp")
    assert (body["destinationAddressPrefix"], body["destinationPortRange"]) == ("AzureCloud", "443")
    assert ipaddress.ip_address(body["sourceAddressPrefix"]) == ipaddress.ip_address(f.PRIVATE_ADDRESS)
    assert "Deny-Out" in (step.approval or "")


def test_both_layers_that_deny_get_a_rule() -> None:
    made = planned(
        f.security_rules(f.NIC_NSG, f.NIC_ALLOW, outbound("Deny-Out", 4000)),
        f.security_rules(f.SUBNET_NSG, f.rule("Allow-RDP", 300, source=f.SOURCES), outbound("Deny-Too", 500)),
    )
    assert [step.target["above"] for step in steps(made, "outbound_rule")] == ["Deny-Out", "Deny-Too"]


def test_a_deny_at_the_top_leaves_the_agent_no_room() -> None:
    made = planned(f.security_rules(f.NIC_NSG, f.NIC_ALLOW, outbound("Deny-Out", 100)))
    assert code(made, "egress-blocked-for-agent") == "NO_SLOT"


def test_an_nsg_that_only_its_effect_shows_is_not_written() -> None:
    made = planned(f.security_rules(f.NIC_NSG, f.NIC_ALLOW, outbound("Deny-Out", 4000)), hide("resource", f.NIC_NSG))
    assert steps(made, "outbound_rule") == []
