"""DNAT rules of an Azure Firewall whose address is dialled."""

import pytest

from rdp_remediate.models.report import FindingStatus
from tests import factories as f
from tests.checks import surroundings as s
from tests.checks.judging import faults, finding

CHECK = "firewall_translates_to_the_rdp_port"


@pytest.mark.parametrize(
    ("firewall", "said"),
    [
        (s.behind_firewall(rule=False), "has no DNAT rule"),
        (s.behind_firewall(translated="10.0.0.200"), "has no DNAT rule"),
        (s.behind_firewall(sources=["198.51.100.0/24"]), "is not among its sources"),
        (s.behind_firewall(translated_port=3390), "leads to port 3390"),
    ],
    ids=["no rule", "another machine", "source filter", "translated port"],
)
def test_a_firewall_that_does_not_lead_to_the_vm_is_named(firewall: f.Change, said: str) -> None:
    one = finding(CHECK, firewall)
    assert (one.status, one.fault) == (FindingStatus.FAIL, "azfw-dnat-missing")
    assert said in (one.reason or "")
    assert "--translated-address 10.0.0.4" in (one.by_hand or "")
    assert not {"no-public-ip", "rdp-port-unmatched"} & faults(firewall)


def test_a_dnat_rule_for_the_client_is_healthy() -> None:
    assert finding(CHECK, s.behind_firewall(sources=[f.SOURCES])).status is FindingStatus.PASS
    assert "azfw-dnat-missing" not in faults(s.behind_firewall(sources=[f.SOURCES]))


def test_a_policy_that_could_not_be_read_is_no_missing_rule() -> None:
    hidden = f.hide("resource", f"{s.FIREWALL_POLICY}/ruleCollectionGroups/dnat")
    found = finding(CHECK, s.behind_firewall(rule=False), hidden)
    assert found.fault is None
    assert "azfw-dnat-missing" not in faults(s.behind_firewall(rule=False), hidden)
