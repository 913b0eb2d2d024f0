"""The hop guest-firewall: each row, what is near it, rows together, what is done about them, and what cannot be read."""

from typing import Any

import pytest

from rdp_remediate.diagnosis import diagnose
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.report import Finding
from rdp_remediate.planning import plan
from tests import factories as f
from tests.factories import Change, healthy_bundle, hide

RULE = "RemoteDesktop-UserMode-In-TCP"
FWP = r"FWP\PublicProfile\Services\RemoteDesktop\Enabled"
CLIENT = "203.0.113.7"


def _faults(*changes: Change) -> dict[str, Finding]:
    found = diagnose(read_facts(healthy_bundle(*changes))).findings
    return {str(one.fault): one for one in found if one.fault and one.status.value == "fail"}


def _here(*changes: Change) -> set[str]:
    return {name for name, one in _faults(*changes).items() if one.hop.value == "guest-firewall"}


def built_in(**fields: Any) -> Change:
    return f.firewall_rule(RULE, **fields)


def gone(data: JsonObject) -> None:
    rules = data["guest"]["firewall"]["rules"]
    data["guest"]["firewall"]["rules"] = [rule for rule in rules if rule["name"] != RULE]


def firewall(**fields: Any) -> Change:
    def change(data: JsonObject) -> None:
        data["guest"]["firewall"].update(fields)

    return change


def moved(port: int) -> Change:
    def change(data: JsonObject) -> None:
        data["guest"]["registry"][r"RT\PortNumber"] = port
        data["target"]["dialled_port"] = port
        data["guest"]["self_probe"]["port"] = port

    return change


def opened(port: int) -> Change:
    return f.security_rules(f.NIC_NSG, f.NIC_ALLOW, f.rule("Allow-RDP-own", 310, ports=str(port)))


def member(data: JsonObject) -> None:
    data["guest"]["os"].update(part_of_domain=True, domain="contoso.com", domain_role=3)
    data["target"]["user"] = "CONTOSO\\alice"


BLOCK = f.firewall_rule("Block-RDP", action="Block")
OUT: JsonObject = {
    "name": "Out", "enabled": True, "direction": "Outbound", "action": "Block", "profiles": ["Any"], "protocol": "TCP",
    "local_ports": ["Any"], "remote_addresses": ["Any"], "program": "Any", "service": "Any", "store": "Local",
}  # fmt: skip
IPSEC = firewall(ipsec=[{"name": "isolation"}])


def refused_by_ipsec(source: str) -> Change:
    def change(data: JsonObject) -> None:
        data["guest"]["adapters"]["blocked"].append(
            {"at": data["collected_at"], "event_id": 4653, "source": source, "origin": ""}
        )

    return change


FAULTS: list[tuple[str, set[str], tuple[Change, ...]]] = [
    ("off", {"fw-rdp-rule-disabled"}, (built_in(enabled=False),)),
    (
        "off beside a rule that misses",
        {"fw-rdp-rule-disabled"},
        (built_in(enabled=False), f.firewall_rule("Corp", profiles=["Domain"])),
    ),
    ("gone", {"fw-rdp-rule-missing"}, (gone,)),
    ("gone beside UDP", {"fw-rdp-rule-missing"}, (f.firewall_rule("Corp", protocol="UDP", local_ports=["80"]), gone)),
    ("profile", {"fw-rule-wrong-profile"}, (built_in(profiles=["Domain", "Private"]),)),
    ("block rule", {"fw-explicit-block-rule"}, (BLOCK,)),
    ("block all", {"fw-block-all-inbound"}, (f.profile("Public", allow_inbound_rules=False),)),
    ("policy", {"fw-gpo-enforced-block"}, (f.profile("Public", allow_local_rules=False, source="GroupPolicy"),)),
    ("policy and no rule", {"fw-gpo-enforced-block"}, (f.profile("Public", allow_local_rules=False), gone)),
    ("policy value", {"fw-gpo-enforced-block"}, (f.registry(FWP, 0),)),
    ("scope", {"fw-rule-remoteaddress-scope"}, (built_in(remote_addresses=["LocalSubnet"]),)),
    ("service", {"fw-rule-bound-wrong-service"}, (built_in(service="sessionenv"),)),
    ("former address", {"fw-rule-bound-wrong-service"}, (built_in(local_addresses=["192.168.10.50"]),)),
    ("interface", {"fw-rule-bound-wrong-service"}, (built_in(interface_types=["Wireless"]),)),
    ("program", {"fw-rule-bound-wrong-service"}, (built_in(program="C:\\tools\\other.exe"),)),
    ("another port", {"fw-rule-bound-wrong-service"}, (built_in(local_ports=["3390"]),)),
    ("custom port", {"fw-custom-port-rule-missing"}, (moved(3390), opened(3390))),
    (
        "custom port, UDP only",
        {"fw-custom-port-rule-missing"},
        (moved(3390), opened(3390), f.firewall_rule("RDP-3390", local_ports=["3390"], protocol="UDP")),
    ),
    ("stopped", {"firewall-services-stopped"}, (f.service("Stopped", "Auto", "mpssvc"),)),
    ("BFE too", {"firewall-services-stopped"}, (f.service("Stopped", "Disabled", "BFE"), gone)),
    ("profile off", {"firewall-profile-off"}, (f.profile("Public", enabled=False),)),
    ("ipsec", {"ipsec-domain-isolation"}, (IPSEC, refused_by_ipsec(CLIENT))),
    ("outbound default", {"fw-outbound-block"}, (member, f.profile("Public", default_outbound="Block"))),
    ("outbound rule", {"fw-outbound-block"}, (member, firewall(outbound=[OUT]))),
    ("Kerberos blocked", {"fw-outbound-block"}, (member, firewall(outbound=[{**OUT, "remote_ports": ["88"]}]))),
    # Together: each part is named.
    (
        "off and profile",
        {"fw-rdp-rule-disabled", "fw-rule-wrong-profile"},
        (built_in(enabled=False, profiles=["Domain"]),),
    ),
    ("off and block", {"fw-rdp-rule-disabled", "fw-explicit-block-rule"}, (built_in(enabled=False), BLOCK)),
    (
        "off and block all",
        {"fw-rdp-rule-disabled", "fw-block-all-inbound"},
        (built_in(enabled=False), f.profile("Public", allow_inbound_rules=False)),
    ),
    (
        "profile, scope and service",
        {"fw-rule-wrong-profile", "fw-rule-remoteaddress-scope", "fw-rule-bound-wrong-service"},
        (built_in(profiles=["Domain"], remote_addresses=["198.51.100.1"], service="other"),),
    ),
]


@pytest.mark.parametrize(("why", "faults", "changes"), FAULTS, ids=[why for why, _, _ in FAULTS])
def test_what_is_wrong_is_named_and_nothing_else(why: str, faults: set[str], changes: tuple[Change, ...]) -> None:
    assert why
    assert _here(*changes) == faults


NEAR: list[tuple[str, tuple[Change, ...]]] = [
    ("another rule admits", (built_in(enabled=False), f.firewall_rule("Corp", program="Any", service="Any"))),
    ("a program rule admits", (f.firewall_rule("Corp", local_ports=["Any"]), gone)),
    ("a list with the client", (built_in(remote_addresses=["10.0.0.0/8", "203.0.113.0-203.0.113.31"]),)),
    ("a block of others", (f.firewall_rule("IR", action="Block", remote_addresses=["192.0.2.0/24"]),)),
    ("a block that is off", (f.firewall_rule("IR", action="Block", enabled=False),)),
    ("block all elsewhere", (f.profile("Domain", allow_inbound_rules=False),)),
    ("a policy for another profile", (f.registry(r"FWP\DomainProfile\Services\RemoteDesktop\Enabled", 0),)),
    ("a policy that admits", (f.registry(FWP, 1),)),
    ("NotConfigured", (f.profile("Public", default_inbound="NotConfigured"),)),
    ("a custom port everywhere", (moved(3390), opened(3390), f.firewall_rule("RDP-3390", local_ports=["3390"]))),
    ("outbound rule of a workgroup", (firewall(outbound=[OUT]),)),
    ("outbound rule for the RDP port", (member, firewall(outbound=[{**OUT, "local_ports": ["3389"]}]))),
    ("outbound rule for web", (member, firewall(outbound=[{**OUT, "remote_ports": ["80", "443"]}]))),
    ("outbound to chosen addresses", (member, firewall(outbound=[{**OUT, "remote_addresses": ["192.0.2.1"]}]))),
    (
        "blocked by default, but lsass may",
        (
            member,
            f.profile("Public", default_outbound="Block"),
            firewall(outbound=[{**OUT, "action": "Allow", "program": "%SystemRoot%\\system32\\lsass.exe"}]),
        ),
    ),
]


@pytest.mark.parametrize(("why", "changes"), NEAR, ids=[why for why, _ in NEAR])
def test_what_is_near_is_no_fault(why: str, changes: tuple[Change, ...]) -> None:
    assert why
    assert _here(*changes) == set()


def _status(check: str, *changes: Change) -> str:
    found = diagnose(read_facts(healthy_bundle(*changes))).findings
    return next(one.status.value for one in found if one.check == check)


def test_a_requirement_of_ipsec_alone_is_unknown_and_no_proof() -> None:
    assert _status("guest_firewall_alone_filters", IPSEC) == "unknown"
    assert _status("guest_firewall_alone_filters", IPSEC, refused_by_ipsec("198.51.100.9")) == "unknown"
    silent = diagnose(read_facts(healthy_bundle(IPSEC, f.silent)))
    assert silent.verdict.status == "not_proven"
    elsewhere = firewall(ipsec=[{"name": "isolation", "remote_addresses": ["10.0.0.0/8"]}])
    assert _status("guest_firewall_alone_filters", elsewhere) == "pass"


def test_another_firewall_in_charge_is_unknown_and_never_switched() -> None:
    off = tuple(f.profile(name, enabled=False) for name in ("Domain", "Private", "Public"))
    product = firewall(products=["Other Firewall"])
    assert _status("guest_firewall_is_on", *off, product) == "unknown"
    assert _status("guest_firewall_admits_rdp", *off, product) == "unknown"
    assert _steps(*off, product) == {}
    assert _status("guest_firewall_is_on", product) == "pass"


@pytest.mark.parametrize(
    ("check", "fact"),
    [
        ("guest_firewall_services_run", "guest.services.mpssvc"),
        ("guest_firewall_services_run", "guest.services.BFE"),
        ("guest_firewall_admits_rdp", "guest.firewall"),
        ("guest_firewall_admits_rdp", "guest.services.BFE"),
        ("guest_firewall_blocks_no_rdp", "guest.firewall.rules"),
        ("guest_firewall_rule_fits_the_profile", "guest.firewall"),
        ("guest_firewall_rule_fits_the_client", "guest.firewall"),
        ("guest_firewall_rule_fits_the_connection", "guest.firewall"),
        ("guest_firewall_honours_allow_rules", rf"guest.registry.{FWP}"),
        ("guest_firewall_is_on", "guest.firewall"),
        ("guest_firewall_alone_filters", "guest.firewall.ipsec"),
        ("guest_firewall_alone_filters", "guest.adapters.blocked"),
        ("guest_firewall_lets_out_to_the_domain", "guest.os"),
    ],
)
def test_what_cannot_be_read_is_unknown(check: str, fact: str) -> None:
    assert _status(check) == "pass"
    assert _status(check, hide(fact)) == "unknown"


def test_outbound_rules_that_cannot_be_read_are_unknown_for_a_member() -> None:
    check = "guest_firewall_lets_out_to_the_domain"
    assert _status(check, member) == "pass"
    assert _status(check, member, hide("guest.firewall.outbound")) == "unknown"
    assert _status(check, member, hide("guest.firewall")) == "unknown"


def _steps(*changes: Change) -> dict[str, list[tuple[Any, ...]]]:
    facts = read_facts(healthy_bundle(*changes))
    found: dict[str, list[tuple[Any, ...]]] = {}
    for step in plan(facts, diagnose(facts).findings).steps:
        found.setdefault(step.fix, []).append((step.kind, step.expected, step.desired, step.approval is not None))
    return found


def test_the_built_in_rule_is_made_again_by_itself() -> None:
    assert _steps(gone) == {"create_rdp_firewall_rule": [("firewall_rule_created", None, 3389, False)]}


def test_a_rule_for_a_custom_port_needs_an_nsg_that_names_it() -> None:
    assert _steps(moved(3390), opened(3390)) == {
        "create_rdp_firewall_rule": [("firewall_rule_created", None, 3390, False)]
    }
    wide = f.security_rules(f.NIC_NSG, f.rule("Allow-All", 310, ports="*"))
    assert _steps(moved(3390), wide)["create_rdp_firewall_rule"] == [("firewall_rule_created", None, 3390, True)]


def test_a_filter_of_the_built_in_rule_is_put_back_alone() -> None:
    assert _steps(built_in(service="sessionenv")) == {
        "fit_rdp_firewall_rule": [("firewall_rule_filter", "sessionenv", "termservice", False)]
    }


def test_somebody_elses_rule_and_scope_wait_for_a_person() -> None:
    def corp(data: JsonObject) -> None:
        f.firewall_rule("Corp", service="sessionenv")(data)
        gone(data)

    assert _steps(corp)["fit_rdp_firewall_rule"] == [("firewall_rule_filter", "sessionenv", "termservice", True)]
    scoped = _steps(built_in(remote_addresses=["LocalSubnet"]))["fit_rdp_firewall_rule"]
    assert scoped == [("firewall_rule_filter", "LocalSubnet", f"{CLIENT},LocalSubnet", True)]
    assert _steps(BLOCK)["disable_firewall_block_rule"] == [("firewall_block_rule", True, False, True)]


def test_a_client_outside_the_sources_is_never_added() -> None:
    outside = f.target(client_address="198.51.100.200")
    steps = _steps(outside, built_in(remote_addresses=["LocalSubnet"]))
    assert "fit_rdp_firewall_rule" not in steps


def test_a_profile_is_added_by_itself_only_where_the_nsgs_are_narrow() -> None:
    domain_only = built_in(profiles=["Domain"])
    assert _steps(domain_only)["fit_rdp_firewall_rule"] == [("firewall_rule_filter", "Domain", "Domain,Public", False)]
    wide = f.security_rules(f.NIC_NSG, f.NIC_ALLOW, f.rule("Allow-Any", 310, source="*"))
    assert _steps(domain_only, wide)["fit_rdp_firewall_rule"][0][3] is True
    assert _steps(domain_only, member)["fit_rdp_firewall_rule"][0][3] is True


def test_firewall_services_start_by_themselves_and_their_start_type_does_not() -> None:
    assert _steps(f.service("Stopped", "Auto", "mpssvc")) == {
        "start_firewall_services": [("service_state", "Stopped", "Running", False)]
    }
    both = _steps(f.service("Stopped", "Disabled", "BFE"), f.service("Stopped", "Auto", "mpssvc"))
    assert both["start_firewall_services"] == [
        ("service_start", "Disabled", "Auto", True),
        ("service_state", "Stopped", "Running", True),
        ("service_state", "Stopped", "Running", True),
    ]


def test_a_firewall_is_only_switched_on_where_rdp_then_still_gets_in() -> None:
    off = f.profile("Public", enabled=False)
    assert _steps(off)["switch_firewall_on"] == [("firewall_profile_on", False, True, True)]
    assert _steps(off, gone) == {}
    assert _steps(f.profile("Public", enabled=False, source="GroupPolicy")) == {}


def test_outbound_repairs_wait_for_a_person_and_leave_policies_alone() -> None:
    assert _steps(member, firewall(outbound=[OUT]))["let_out_to_the_domain"] == [
        ("firewall_block_rule", True, False, True)
    ]
    default = _steps(member, f.profile("Public", default_outbound="Block"))
    assert default["let_out_to_the_domain"] == [("firewall_domain_rule", False, True, True)]
    assert "let_out_to_the_domain" not in _steps(member, firewall(outbound=[{**OUT, "store": "GroupPolicy"}]))
