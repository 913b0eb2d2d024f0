"""The steps on firewall rules, adapters, addresses and the proxy: repair, repetition, undo, and what is refused."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.guest.on_winps import FWP, RT, RULE, Op, Step, changes_but_record, comparable, repair, set_, step, undo_of
from tests.winps import BASES, Winps

pytestmark = pytest.mark.slow

CUSTOM = "rdp-remediate-In-TCP-3390"
OUT_RULE = "CoreNet-GP-LSASS-Out-TCP"
RULES = ("firewall", "rules", {"name": RULE})
ADAPTER = ("network", "adapters", {"name": "Ethernet"})
NIC = {"adapter": "Ethernet"}
TARGET_3389: Any = {"rule": RULE, "port": 3389}
TARGET_3390: Any = {"rule": CUSTOM, "port": 3390}
BLOCKING: dict[str, Any] = {
    "name": "{0D9A51B2-7C1E-4F80-B0A4-5E3C9D7F1A22}", "display_name": "Block RDP", "group": "", "display_group": "",
    "enabled": True, "direction": "Inbound", "action": "Block", "profiles": ["Any"], "protocol": "TCP",
    "local_ports": ["3389"], "remote_ports": ["Any"], "local_addresses": ["Any"], "remote_addresses": ["Any"],
    "program": "Any", "service": "Any", "edge": "Block", "interface_types": ["Any"], "store": "PersistentStore",
    "owner": None, "description": "",
}  # fmt: skip


def address(text: str, **more: Any) -> dict[str, Any]:
    row = {
        "if_index": 5,
        "address": text,
        "prefix_length": 24,
        "origin": "Manual",
        "family": "IPv4",
        "state": "Preferred",
    }
    return {**row, **more}


def filtered(dimension: str, field: str, wrong: Any, expected: str, desired: str) -> "Case":
    steps = [step("firewall_rule_filter", {"rule": RULE, "dimension": dimension}, expected, desired)]
    return Case(dimension, [set_(wrong, *RULES, field)], steps, [("firewall.rule.set", RULE)])


@dataclass(frozen=True)
class Case:
    """What is broken, the steps that repair it, and what they may touch."""

    name: str
    ops: list[Op]
    steps: list[Step]
    touched: list[tuple[str, str]]


CASES = [
    Case(
        "rule gone",
        [{"path": list(RULES), "remove": True}],
        [step("firewall_rule_created", TARGET_3389, None, 3389)],
        [("firewall.rule.add", RULE)],
    ),
    Case(
        "custom port",
        [set_(["DWord", 3390], "registry", RT, "PortNumber")],
        [step("firewall_rule_created", TARGET_3390, None, 3390)],
        [("firewall.rule.add", CUSTOM)],
    ),
    filtered("service", "service", "sessionenv", "sessionenv", "termservice"),
    filtered("program", "program", "C:\\x\\other.exe", "C:\\x\\other.exe", "%SystemRoot%\\system32\\svchost.exe"),
    filtered("local_address", "local_addresses", ["10.0.0.9"], "10.0.0.9", "Any"),
    filtered("interface", "interface_types", ["Wireless"], "Wireless", "Any"),
    filtered("port", "local_ports", ["3390"], "3390", "3389"),
    filtered("profile", "profiles", ["Domain"], "Domain", "Domain,Public"),
    filtered("remote_address", "remote_addresses", ["LocalSubnet"], "LocalSubnet", "203.0.113.7,LocalSubnet"),
    Case(
        "block rule",
        [{"path": ["firewall", "rules"], "append": BLOCKING}],
        [step("firewall_block_rule", {"rule": BLOCKING["name"], "direction": "Inbound"}, True, False)],
        [("firewall.rule.set", BLOCKING["name"])],
    ),
    Case(
        "skip as source",
        [{"path": ["network", "addresses"], "append": address("10.0.0.3", skip_as_source=False)}],
        [step("skip_as_source", {"address": "10.0.0.3"}, False, True)],
        [("network.address.set", "10.0.0.3")],
    ),
    Case(
        "proxy",
        [set_("proxy:8080", "network", "winhttp_proxy"), set_("*.corp", "network", "winhttp_bypass")],
        [step("winhttp_proxy", {"setting": "winhttp"}, "proxy:8080 *.corp", "proxy:8080 *.corp;168.63.129.16")],
        [("network.winhttp_proxy.set", "winhttp")],
    ),
]


def cycle(winps: Winps, base: str, case: Case) -> None:
    before = winps.prepare(base, case.ops)
    repaired = repair(winps, before, case.steps)
    assert repaired.outcomes == ["applied"] * len(case.steps), repaired.answer["repair"]
    assert changes_but_record(repaired) == case.touched
    again = repair(winps, repaired.state, case.steps)
    assert again.outcomes == ["already_true"] * len(case.steps)
    assert again.mutations == []
    undone = repair(winps, repaired.state, undo_of(case.steps))
    assert undone.outcomes == ["applied"] * len(case.steps)
    assert comparable(undone.state) == comparable(before)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_repair_repeat_and_undo(winps: Winps, case: Case) -> None:
    cycle(winps, "server2022", case)


@pytest.mark.parametrize("base", [base for base in BASES if base != "server2022"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_repair_repeat_and_undo_elsewhere(winps: Winps, base: str, case: Case) -> None:
    cycle(winps, base, case)


@pytest.mark.parametrize("base", BASES)
def test_an_address_of_dhcp_and_the_typed_in_one_again(winps: Winps, base: str) -> None:
    ops = [set_(False, *ADAPTER, "dhcp_enabled"), set_([address("10.0.0.40")], "network", "addresses")]
    before = winps.prepare(base, ops)
    steps = [step("adapter_ipv4", NIC, "static 10.0.0.40/24 10.0.0.1", "dhcp")]
    repaired = repair(winps, before, steps)
    assert repaired.outcomes == ["applied"]
    assert repaired.answer["adapters"]["nics"][0]["dhcp"] is True
    assert repair(winps, repaired.state, steps).mutations == []
    undone = repair(winps, repaired.state, undo_of(steps))
    assert undone.outcomes == ["applied"]
    assert undone.answer["adapters"]["nics"][0]["dhcp"] is False
    assert [one["address"] for one in undone.answer["addresses"]] == ["10.0.0.40"]
    assert undone.answer["adapters"]["nics"][0]["gateways"] == ["10.0.0.1"]


@pytest.mark.parametrize("base", BASES)
def test_an_adapter_is_enabled_and_never_disabled(winps: Winps, base: str) -> None:
    before = winps.prepare(base, [set_("Disabled", *ADAPTER, "status"), set_([], "network", "routes")])
    steps = [step("adapter_enabled", NIC, False, True)]
    repaired = repair(winps, before, steps)
    assert repaired.outcomes == ["applied"]
    assert repaired.answer["adapters"]["nics"][0]["status"] == "Up"
    assert repair(winps, repaired.state, undo_of(steps)).outcomes == ["refused"]


@pytest.mark.parametrize("base", BASES)
def test_a_firewall_profile_is_switched_on_and_never_off(winps: Winps, base: str) -> None:
    before = winps.prepare(base, [set_(False, "firewall", "profiles", "Public", "enabled")])
    steps = [step("firewall_profile_on", {"profile": "Public"}, False, True)]
    repaired = repair(winps, before, steps)
    assert repaired.outcomes == ["applied"]
    assert changes_but_record(repaired) == [("firewall.profile.set", "Public")]
    assert repair(winps, repaired.state, undo_of(steps)).outcomes == ["refused"]


@pytest.mark.parametrize("base", BASES)
def test_firewall_services_start(winps: Winps, base: str) -> None:
    before = winps.prepare(base, [set_("Stopped", "services", "mpssvc", "state")])
    steps = [step("service_state", {"service": "mpssvc"}, "Stopped", "Running")]
    repaired = repair(winps, before, steps)
    assert repaired.outcomes == ["applied"]
    assert changes_but_record(repaired) == [("service.start", "mpssvc")]


def test_the_rule_for_the_domain_and_a_secondary_address(winps: Winps) -> None:
    ops = [
        set_(False, "firewall", "rules", {"name": OUT_RULE}, "enabled"),
        set_(False, *ADAPTER, "dhcp_enabled"),
        set_([address("10.0.0.4"), address("10.0.0.5")], "network", "addresses"),
    ]
    before = winps.prepare("server2022-domain", ops)
    target = {"adapter": "Ethernet", "address": "10.0.0.5", "length": 24}
    steps = [
        step("firewall_domain_rule", {"rule": OUT_RULE}, False, True),
        {**step("unassigned_address", {}, True, False, id="g2", group="b"), "target": target},
    ]
    repaired = repair(winps, before, steps)
    assert repaired.outcomes == ["applied", "applied"]
    undone = repair(winps, repaired.state, undo_of(steps))
    assert undone.outcomes == ["applied", "applied"]
    assert comparable(undone.state)["firewall"] == comparable(before)["firewall"]


REFUSED = [
    step("firewall_rule_created", {"rule": "Other"}, None, 3389),
    step("firewall_rule_created", {"rule": RULE}, None, 3390),
    step("firewall_rule_created", {"rule": "Spooler-In"}, 3389, None),
    step("firewall_rule_filter", {"rule": RULE, "dimension": "edge"}, "Block", "Allow"),
    step("firewall_rule_filter", {"rule": RULE, "dimension": "remote_address"}, "10.0.0.0/8", "Any"),
    step("firewall_rule_filter", {"rule": OUT_RULE, "dimension": "service"}, "Any", "termservice"),
    step("firewall_block_rule", {"rule": RULE, "direction": "Inbound"}, True, False),
    step("firewall_domain_rule", {"rule": "CoreNet-DNS-Out-UDP"}, True, False),
    step("firewall_profile_on", {"profile": "*"}, False, True),
    step("adapter_ipv4", {"adapter": "Loopback Pseudo-Interface 1"}, "dhcp", "dhcp"),
    step("adapter_ipv4", NIC, "dhcp", 'static 10.0.0.4/24 10.0.0.1" & calc'),
    step("adapter_dns", NIC, None, "10.0.0.4; calc"),
    step("unassigned_address", {"adapter": "Ethernet", "address": "10.0.0.4", "length": "24"}, True, False),
    step("skip_as_source", {"address": "127.0.0.1"}, False, True),
    step("winhttp_proxy", {"setting": "winhttp"}, None, 'a" b c'),
]


def test_everything_else_is_refused(winps: Winps) -> None:
    steps = [{**one, "id": f"g{n}", "group": f"{n}"} for n, one in enumerate(REFUSED)]
    scoped = winps.prepare("server2022", [set_(["10.0.0.0/8"], *RULES, "remote_addresses")])
    for some in (steps[:8], steps[8:]):
        ran = repair(winps, scoped, some)
        assert ran.outcomes == ["refused"] * len(some), ran.answer["repair"]
        assert ran.mutations == []


def test_a_profile_that_a_policy_decides_is_left_alone(winps: Winps) -> None:
    off = set_(["DWord", 0], "registry", f"{FWP}\\PublicProfile", "EnableFirewall")
    ran = repair(
        winps, winps.prepare("server2022", [off]), [step("firewall_profile_on", {"profile": "Public"}, False, True)]
    )
    assert ran.outcomes == ["refused"]
    assert ran.mutations == []
