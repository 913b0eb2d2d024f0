"""RDP that the whole Internet may reach: a risk, never a cause."""

import pytest

from rdp_remediate.models.report import Effect, FindingStatus
from tests import factories as f
from tests.checks.judging import diagnosis, faults, finding

CHECK = "rdp_is_closed_to_the_internet"


def opened(source: str) -> tuple[f.Change, ...]:
    """Both layers admit a source to the RDP port."""
    return (
        f.security_rules(f.NIC_NSG, f.rule("AllowRDP", 300, source=source)),
        f.security_rules(f.SUBNET_NSG, f.rule("AllowRDP", 300, source=source)),
    )


@pytest.mark.parametrize("source", ["*", "Internet", "0.0.0.0/0"])
def test_an_open_rule_is_a_risk_and_no_cause(source: str) -> None:
    one = finding(CHECK, *opened(source))
    assert (one.status, one.fault, one.effect) == (FindingStatus.FAIL, "nsg-open-to-internet", Effect.RISK)
    assert "--nsg-name vm1-nsg -n AllowRDP" in (one.by_hand or "")
    assert diagnosis(*opened(source)).verdict.status == "reachable"


def test_one_closed_layer_is_enough() -> None:
    assert finding(CHECK, f.security_rules(f.NIC_NSG, f.rule("AllowRDP", 300, source="*"))).status is FindingStatus.PASS


def test_an_open_rule_under_a_deny_opens_nothing() -> None:
    shut = (*opened("*"), f.security_rules(f.NIC_NSG, f.rule("No", 100, access="Deny", source="Internet")))
    assert "nsg-open-to-internet" not in faults(*shut)


def test_an_open_rule_without_a_public_way_in_opens_nothing() -> None:
    assert "nsg-open-to-internet" not in faults(f.without_public_address, *opened("*"))


def test_tags_that_hold_no_internet_address_do_not_count() -> None:
    assert "nsg-open-to-internet" not in faults(f.silent, *opened("VirtualNetwork"))


def test_an_nsg_that_could_not_be_read_is_unknown() -> None:
    hidden = (*opened("*"), f.hide("resource", f.NIC_NSG), f.hide("effective_security_rules", f.NIC))
    assert finding(CHECK, *hidden).status is FindingStatus.UNKNOWN
