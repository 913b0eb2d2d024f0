"""VMs with several NICs: only the primary one has a default gateway."""

from rdp_remediate.models.report import Confidence, FindingStatus
from tests import factories as f
from tests.checks import surroundings as s
from tests.checks.judging import faults, finding

CHECK = "client_dials_the_primary_nic"


def test_a_client_from_elsewhere_on_the_second_nic() -> None:
    one = finding(CHECK, f.silent, s.on_secondary_nic)
    assert (one.status, one.fault) == (FindingStatus.FAIL, "secondary-nic-has-no-default-route")
    assert one.confidence is Confidence.LIKELY
    assert "10.0.0.9" in (one.by_hand or "")


def test_a_client_of_the_same_subnet_needs_no_gateway() -> None:
    near = (f.silent, s.on_secondary_nic, f.target(client_address="10.0.0.30", dialled_address=f.PRIVATE_ADDRESS))
    assert "secondary-nic-has-no-default-route" not in faults(*near)


def test_a_handshake_shows_that_somebody_added_the_route() -> None:
    assert finding(CHECK, s.on_secondary_nic).status is FindingStatus.PASS


def test_the_only_nic_is_the_primary_one() -> None:
    assert finding(CHECK, f.silent).status is FindingStatus.PASS


def test_a_nic_that_could_not_be_read_is_unknown() -> None:
    hidden = (f.silent, s.on_secondary_nic, f.hide("resource", f.NIC))
    assert finding(CHECK, *hidden).status is FindingStatus.UNKNOWN
