"""A private address that is not the NIC's any more (the network side of nic-ip-changed)."""

from rdp_remediate.models.report import Confidence, FindingStatus
from tests import factories as f
from tests.checks import surroundings as s
from tests.checks.judging import faults, finding

CHECK = "client_dials_the_private_address"
INSIDE = f.target(client_address="10.0.0.30", dialled_address="10.0.0.99")
STATIC = f.resource(
    f.NIC, "properties", "ipConfigurations", 0, "properties", "privateIPAllocationMethod", value="Static"
)


def test_the_old_private_address_is_dialled() -> None:
    one = finding(CHECK, INSIDE)
    assert (one.status, one.fault, one.confidence) == (FindingStatus.FAIL, "nic-ip-changed", Confidence.CONFIRMED)
    assert "10.0.0.4" in (one.reason or "")
    assert "--private-ip-address 10.0.0.4" in (one.by_hand or "")
    assert faults(INSIDE) == {"nic-ip-changed"}


def test_a_static_address_makes_it_likely_only() -> None:
    assert finding(CHECK, INSIDE, STATIC).confidence is Confidence.LIKELY


def test_an_address_of_another_nic_is_only_possible() -> None:
    one = finding(CHECK, INSIDE, s.machine("other", "10.0.0.99", "running"))
    assert one.confidence is Confidence.POSSIBLE


def test_the_nics_own_address_is_healthy() -> None:
    near = f.target(client_address="10.0.0.30", dialled_address=f.PRIVATE_ADDRESS)
    assert finding(CHECK, near).status is FindingStatus.PASS
    assert faults(near) == set()


def test_an_address_outside_the_network_is_somebody_elses() -> None:
    assert finding(CHECK, f.target(dialled_address="192.168.7.7")).status is FindingStatus.PASS


def test_a_nic_that_could_not_be_read_is_unknown() -> None:
    assert finding(CHECK, INSIDE, f.hide("resource", f.NIC)).status is FindingStatus.UNKNOWN
