"""Allow rules that miss the connection by port, protocol, direction or source port."""

import pytest

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.report import FindingStatus
from tests import factories as f
from tests.checks import surroundings as s
from tests.checks.judging import faults, finding

CHECK = "allow_rules_name_port_and_protocol"
PORT = "nsg-wrong-port"
PROTOCOL = "nsg-wrong-protocol-or-direction"
PLAIN = f.drop("operations", "effective_security_rules")


def turned(rule: JsonObject, **fields: str) -> JsonObject:
    """The rule with other fields."""
    rule["properties"].update(fields)
    return rule


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        (f.rule("Allow-RDP", 300, ports="3390"), PORT),
        (f.rule("default-allow-rdp", 300, ports="338"), PORT),
        (f.rule("R1", 300, protocol="Udp"), PROTOCOL),
        (f.rule("Allow-RDP", 300, protocol="Icmp", ports="*"), PROTOCOL),
        (turned(f.rule("R1", 300), direction="Outbound"), PROTOCOL),
        (turned(f.rule("R1", 300), sourcePortRange="3389"), PROTOCOL),
    ],
    ids=["port", "name", "udp", "icmp", "outbound", "source port"],
)
def test_a_rule_that_misses_by_one_field_replaces_the_general_fault(rule: JsonObject, fault: str) -> None:
    broken = (f.silent, f.security_rules(f.NIC_NSG, rule), PLAIN)
    one = finding(CHECK, *broken)
    assert (one.status, one.fault) == (FindingStatus.FAIL, fault)
    assert rule["name"] in (one.reason or "")
    assert f"-n {rule['name']}" in (one.by_hand or "")
    assert faults(*broken) == {fault}


def test_the_guests_moved_port_against_a_rule_for_the_old_one() -> None:
    moved = (
        f.silent,
        f.target(dialled_port=3390),
        f.registry(f.PORT, 3390),
        f.firewall_rule("RDP-3390", local_ports=["3390"]),
    )
    assert finding(CHECK, *moved).fault == PORT
    assert "--destination-port-ranges 3390" in (finding(CHECK, *moved).by_hand or "")
    assert "nsg-no-allow-rule" not in faults(*moved)


def test_a_rule_for_the_frontend_port_of_a_load_balancer() -> None:
    broken = (
        s.behind_load_balancer(frontend_port=50001),
        f.target(dialled_port=50001),
        f.security_rules(f.NIC_NSG, f.rule("In", 300, ports="50001")),
        PLAIN,
    )
    assert finding(CHECK, *broken).fault == PORT
    assert "nsg-no-allow-rule" not in faults(*broken)


@pytest.mark.parametrize(
    "rule",
    [
        f.rule("Allow-HTTPS", 300, ports="443", source="Internet"),
        f.rule("WORDPRESS", 300, ports="80"),
        f.rule("Allow-Ping", 300, protocol="Icmp", ports="*", source="*"),
        f.rule("Allow-RDP", 300, ports="3390", source="198.51.100.0/24"),
        turned(f.rule("Out", 300, ports="*", source="*"), direction="Outbound"),
    ],
    ids=["https", "wordpress", "ping", "two fields", "outbound for everything"],
)
def test_a_rule_for_something_else_leaves_the_general_fault(rule: JsonObject) -> None:
    broken = (f.silent, f.security_rules(f.NIC_NSG, rule), PLAIN)
    assert finding(CHECK, *broken).status is FindingStatus.PASS
    assert "nsg-no-allow-rule" in faults(*broken)


def test_a_misfit_below_a_rule_that_fits_does_not_matter() -> None:
    both = (f.security_rules(f.NIC_NSG, f.NIC_ALLOW, f.rule("Old-RDP", 400, ports="3390")),)
    assert finding(CHECK, *both).status is FindingStatus.PASS


def test_a_misfit_under_a_written_deny_is_not_what_decides() -> None:
    denied = (
        f.silent,
        f.security_rules(
            f.NIC_NSG, f.rule("No", 100, access="Deny", source="*"), f.rule("Allow-RDP", 300, ports="3390")
        ),
    )
    assert faults(*denied) == {"nsg-explicit-deny-wins"}


def test_an_nsg_that_could_not_be_read_is_unknown() -> None:
    hidden = (f.silent, f.hide("resource", f.NIC_NSG), f.hide("effective_security_rules", f.NIC))
    assert finding(CHECK, *hidden).status is FindingStatus.UNKNOWN
