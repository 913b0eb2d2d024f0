"""Unseen is not absent, for every fault of the hops endpoint and network: taking one fact away never makes another cause."""

import pytest

from rdp_remediate.diagnosis import diagnose
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.report import Diagnosis, FindingStatus
from tests import factories as f
from tests.checks import surroundings as s
from tests.checks.endpoint.test_bastion_reaches_the_vm import BEHIND, DENY
from tests.checks.endpoint.test_client_dials_the_public_address import DYNAMIC, NIC_WRITTEN, OLD, detached
from tests.checks.network.test_next_hop_appliance_forwards import HOP, THROUGH
from tests.checks.network.test_rdp_is_closed_to_the_internet import opened

pytestmark = pytest.mark.slow

CASES: dict[str, tuple[f.Change, ...]] = {
    "lb-nat-rule-missing-or-wrong-port": (s.behind_load_balancer(rule=False),),
    "lb-public-ip-sku-mismatch": (s.behind_load_balancer(sku="Basic"),),
    "azfw-dnat-missing": (s.behind_firewall(rule=False),),
    "public-ip-changed": (f.silent, DYNAMIC, OLD),
    "public-ip-dissociated": (detached, NIC_WRITTEN),
    "nic-ip-changed": (f.target(client_address="10.0.0.30", dialled_address="10.0.0.99"),),
    "bastion-target-nsg-blocks": (*BEHIND, f.security_rules(f.NIC_NSG, DENY)),
    "nsg-wrong-port": (f.silent, f.security_rules(f.NIC_NSG, f.rule("Allow-RDP", 300, ports="3390"))),
    "nsg-wrong-protocol-or-direction": (f.silent, f.security_rules(f.NIC_NSG, f.rule("R", 300, protocol="Udp"))),
    "nsg-destination-is-public-ip": (
        f.silent,
        f.security_rules(f.NIC_NSG, f.rule("R", 300, destination=f.PUBLIC_ADDRESS)),
    ),
    "nsg-open-to-internet": opened("*"),
    "nva-not-forwarding": (*THROUGH, s.machine("nva1", HOP, "running")),
    "vnet-peering-disconnected": (s.peered("Disconnected"),),
    "vnet-custom-dns-broken": (s.dns_servers("10.0.0.10"), s.machine("dc1", "10.0.0.10", "deallocated")),
    "egress-blocked-for-agent": (f.security_rules(f.NIC_NSG, f.NIC_ALLOW, s.outbound("No", 4000, "Deny", "Internet")),),
    "secondary-nic-has-no-default-route": (f.silent, s.on_secondary_nic),
}
REPORTED = (FindingStatus.FAIL, FindingStatus.BY_DESIGN)


def _judge(bundle: Bundle) -> tuple[Diagnosis, set[str]]:
    found = diagnose(read_facts(bundle))
    return found, {one.fault for one in found.findings if one.fault and one.status in REPORTED}


@pytest.mark.parametrize("fault", CASES)
def test_taking_one_fact_away_makes_no_other_cause(fault: str) -> None:
    whole = f.healthy_bundle(*CASES[fault])
    full, reported = _judge(whole)
    assert fault in reported
    for fact, key in f.every_fact(whole):
        seen, less = _judge(f.altered(whole, f.hide(fact, key)))
        where = f"{fault} without {fact} {key or ''}"
        assert less <= reported, where
        assert not [one for one in seen.findings if one.status is FindingStatus.ERROR], where
        if full.verdict.status != "reachable":
            assert seen.verdict.status in (full.verdict.status, "not_proven"), where
