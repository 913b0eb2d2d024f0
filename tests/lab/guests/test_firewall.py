"""What a SYN from a client meets at the guest; the vectors of the shared material are the judge where they are."""

import json
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.lab.guest_runtime import Admission
from rdp_remediate.lab.guests import states
from rdp_remediate.lab.guests.dynamics import settle
from rdp_remediate.lab.guests.firewall import active_profiles, admits
from rdp_remediate.lab.guests.listener import rdp_listener
from rdp_remediate.lab.json_ops import apply_ops
from tests.lab.guests.cases import FWP, TCP_RULE, Op, ops, rule, service, value
from tests.lab.guests.winps_guest import winps_or_skip

VECTORS = Path(__file__).resolve().parents[4] / "shared" / "vectors"
CLIENT = "203.0.113.7"
OFF: list[Op] = ops("firewall off")


def admitted(operations: list[Op], client: str = CLIENT, port: int = 3389) -> Admission:
    state = states.healthy_state("server2022")
    apply_ops(state, operations)
    return admits(settle(state), client, port)


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([], Admission.ACCEPT),
        (ops("rule off"), Admission.SILENT),
        (ops("rule off, another one on"), Admission.ACCEPT),
        (ops("rule missing"), Admission.SILENT),
        (ops("block rule"), Admission.SILENT),
        (ops("rule for any port"), Admission.ACCEPT),
        (ops("all inbound blocked"), Admission.SILENT),
        (ops("all inbound blocked elsewhere"), Admission.ACCEPT),
        (OFF, Admission.ACCEPT),
        (ops("policy blocks all"), Admission.SILENT),
        (ops("policy ignores local rules"), Admission.ACCEPT),
        ([value(rf"{FWP}\PublicProfile", "AllowLocalPolicyMerge", 0)], Admission.SILENT),
        ([value(rf"{FWP}\FirewallRules", "R", "v2.30|Action=Block|Active=TRUE|Dir=In|Protocol=6|LPort=3389|", "String")],
         Admission.SILENT),
        ([value(rf"{FWP}\FirewallRules", "R", "v2.30|Action=Block|Active=FALSE|Dir=In|Protocol=6|LPort=3389|", "String")],
         Admission.ACCEPT),
        (ops("service stopped"), Admission.SILENT),
        ([*ops("service stopped"), *OFF], Admission.REFUSE),
        (ops("connections denied locally"), Admission.SILENT),
        (ops("another port"), Admission.SILENT),
        (service("mpssvc", state="Stopped"), Admission.SILENT),
        ([rule("R", action="Block", program=r"%SystemRoot%\system32\svchost.exe", service="termservice",
               local_ports=["Any"])], Admission.SILENT),
        ([rule("R", action="Block", service="spooler")], Admission.ACCEPT),
        ([rule("R", action="Block", program=r"C:\Windows\System32\other.exe")], Admission.ACCEPT),
        ([rule("R", action="Block", profiles=["Domain", "Private"])], Admission.ACCEPT),
        ([rule("R", action="Block", remote_addresses=["192.0.2.0/24"])], Admission.ACCEPT),
        ([rule("R", action="Block", remote_addresses=["203.0.113.0-203.0.113.9"])], Admission.SILENT),
        ([rule("R", action="Block", local_ports=["RPC", "443"])], Admission.ACCEPT),
        ([rule("R", action="Block", protocol="UDP")], Admission.ACCEPT),
        ([rule("R", action="Block", direction="Outbound")], Admission.ACCEPT),
        ([rule("R", action="Block", local_addresses=["10.0.0.99"])], Admission.ACCEPT),
    ],
)  # fmt: skip
def test_a_client_meets_what_the_rules_say(operations: list[Op], expected: Admission) -> None:
    assert admitted(operations) is expected


@pytest.mark.parametrize(("client", "expected"), [("10.0.0.9", Admission.ACCEPT), (CLIENT, Admission.SILENT)])
def test_the_local_subnet_is_that_of_the_guest(client: str, expected: Admission) -> None:
    scope: Op = {"path": ["firewall", "rules", TCP_RULE, "remote_addresses"], "value": ["LocalSubnet"]}
    assert admitted([scope], client) is expected


def test_another_port_of_the_guest_is_silent_behind_the_firewall() -> None:
    assert admitted([], port=4000) is Admission.SILENT
    assert admitted(OFF, port=4000) is Admission.REFUSE


def test_the_active_profile_is_the_network_s() -> None:
    assert active_profiles(states.healthy_state("server2022")) == ["Public"]
    assert active_profiles(states.healthy_state("server2022-domain")) == ["Domain"]


def test_the_vectors_of_the_guest_firewall_agree() -> None:
    path = VECTORS / "guest_firewall.json"
    if not path.is_file():
        pytest.skip("the shared vectors are not there: put them at ../shared/vectors beside the checkout")
    winps = winps_or_skip()
    wrong = []
    scenarios: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    for scenario in scenarios:
        statuses = scenario["expect"]["status"]
        # IPsec and other vendors' firewalls are not Windows Firewall's verdict on a SYN.
        if len(statuses) != 1 or scenario["name"].startswith(("GF10", "GF11")):
            continue
        state = winps.healthy_state(scenario["base"])
        apply_ops(state, scenario["guest"])
        state = settle(state)
        listener = rdp_listener(state)
        port = 3389 if listener is None else listener.port
        seen = admits(state, scenario["ask"]["client"], port)
        if (seen is Admission.ACCEPT) != (statuses == ["reachable"]):
            wrong.append((scenario["name"], seen, statuses, scenario["title"]))
    assert wrong == []
