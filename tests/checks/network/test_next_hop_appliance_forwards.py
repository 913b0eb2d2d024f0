"""Appliances on the way: their NIC's IP forwarding and their power."""

from rdp_remediate.models.report import FindingStatus
from tests import factories as f
from tests.checks import surroundings as s
from tests.checks.judging import faults, finding

CHECK = "next_hop_appliance_forwards"
HOP = "10.0.0.200"
THROUGH = (s.peered(), s.routed("10.77.0.0/16", "VirtualAppliance", HOP))


def test_an_appliance_whose_nic_does_not_forward() -> None:
    broken = (*THROUGH, s.machine("nva1", HOP, "running"))
    one = finding(CHECK, *broken)
    assert (one.status, one.fault) == (FindingStatus.FAIL, "nva-not-forwarding")
    assert "az network nic update -g rg-app -n nva1-nic --ip-forwarding true" in (one.by_hand or "")
    assert "nva-not-forwarding" in faults(*broken)


def test_an_appliance_that_is_off() -> None:
    one = finding(CHECK, *THROUGH, s.machine("nva1", HOP, "deallocated", forwards=True))
    assert "deallocated" in (one.reason or "")
    assert "az vm start -g rg-app -n nva1" in (one.by_hand or "")


def test_an_appliance_that_runs_and_forwards_is_healthy() -> None:
    assert finding(CHECK, *THROUGH, s.machine("nva1", HOP, "running", forwards=True)).status is FindingStatus.PASS


def test_an_appliance_that_the_subscription_does_not_show_is_neither_accused_nor_trusted() -> None:
    one = finding(CHECK, *THROUGH, s.nobody_holds)
    assert (one.status, one.fault) == (FindingStatus.UNKNOWN, None)
    assert HOP in (one.reason or "")


def test_an_asymmetric_default_route_is_another_fault() -> None:
    default = (f.silent, s.routed("0.0.0.0/0", "VirtualAppliance", HOP), s.machine("nva1", HOP, "running"))
    assert faults(*default) == {"udr-default-route-asymmetric"}


def test_an_owner_that_was_not_looked_up_is_unknown() -> None:
    one = finding(CHECK, *THROUGH)
    assert one.status is FindingStatus.UNKNOWN
    assert "address_owners" in (one.because or "")
