"""A load balancer's rules against the port that is dialled and the port that RDP has."""

import pytest

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.report import FindingStatus
from tests import factories as f
from tests.checks import surroundings as s
from tests.checks.judging import faults, finding

CHECK = "load_balancer_leads_to_the_rdp_port"
FAULT = "lb-nat-rule-missing-or-wrong-port"


@pytest.mark.parametrize(
    ("balancer", "said"),
    [
        (s.behind_load_balancer(rule=False), "no inbound NAT rule"),
        (s.behind_load_balancer(attached=False), "attached to no IP configuration"),
        (s.behind_load_balancer(protocol="Udp"), "another protocol"),
        (s.behind_load_balancer(frontend_port=50001), "Its port 50001 leads to the VM"),
        (s.behind_load_balancer(backend_port=3390), "leads its port 3389 to port 3390"),
    ],
    ids=["no rule", "unattached", "protocol", "frontend port", "backend port"],
)
def test_a_load_balancer_that_leads_elsewhere_is_named(balancer: f.Change, said: str) -> None:
    one = finding(CHECK, balancer)
    assert (one.status, one.fault) == (FindingStatus.FAIL, FAULT)
    assert said in (one.reason or "")
    assert "lb-rdp" in (one.by_hand or "")
    assert not {"no-public-ip", "rdp-port-unmatched", "nsg-no-allow-rule"} & faults(balancer)


def test_a_load_balancer_that_leads_to_rdp_is_healthy() -> None:
    balancer = s.behind_load_balancer(frontend_port=50001)
    assert finding(CHECK, balancer, f.target(dialled_port=50001)).status is FindingStatus.PASS
    assert FAULT not in faults(balancer, f.target(dialled_port=50001))


def test_a_moved_guest_port_is_not_the_load_balancers_fault() -> None:
    found = faults(s.behind_load_balancer(), f.registry(f.PORT, 3390))
    assert "rdp-port-unmatched" in found
    assert FAULT not in found


def test_a_load_balancer_that_could_not_be_read_is_no_cause() -> None:
    one = finding(CHECK, s.behind_load_balancer(rule=False), f.hide("resource", s.LOAD_BALANCER))
    assert one.status is FindingStatus.UNKNOWN
    assert one.because == "forbidden: resource"


def test_a_load_balancer_behind_which_a_public_address_is_dialled_is_not_judged() -> None:
    def with_own_address(data: JsonObject) -> None:
        kept = data["resources"][f.PUBLIC_IP.lower()]
        s.behind_load_balancer(rule=False)(data)
        data["resources"][f.PUBLIC_IP.lower()] = kept
        inner = data["resources"][f.NIC.lower()]["properties"]["ipConfigurations"][0]["properties"]
        inner["publicIPAddress"] = {"id": f.PUBLIC_IP}

    assert finding(CHECK, with_own_address).status is FindingStatus.PASS
