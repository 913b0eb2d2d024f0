"""Peerings between the client's network and the VM's."""

import pytest

from rdp_remediate.models.report import FindingStatus
from tests import factories as f
from tests.checks import surroundings as s
from tests.checks.judging import faults, finding

CHECK = "vnet_peering_is_connected"


@pytest.mark.parametrize(
    ("peering", "said"),
    [
        (s.peered("Disconnected"), "is not connected"),
        (s.peered("Initiated"), "is not connected"),
        (s.peered(access=False), "does not allow access"),
        (s.peered(remote_state="Disconnected"), "to-app of vnet-spoke"),
    ],
    ids=["disconnected", "initiated", "no access", "the other side"],
)
def test_a_broken_peering_explains_routes_and_rules(peering: f.Change, said: str) -> None:
    one = finding(CHECK, peering)
    assert (one.status, one.fault) == (FindingStatus.FAIL, "vnet-peering-disconnected")
    assert said in (one.reason or "")
    assert "az network vnet peering create" in (one.by_hand or "")
    assert faults(peering) == {"vnet-peering-disconnected"}


def test_a_connected_peering_is_healthy() -> None:
    assert finding(CHECK, s.peered(remote_state="Connected")).status is FindingStatus.PASS
    assert "vnet-peering-disconnected" not in faults(s.peered())


def test_a_broken_peering_that_nobody_comes_through_does_not_matter() -> None:
    public = (s.peered("Disconnected"), f.target(client_address=f.CLIENT, dialled_address=None))
    assert finding(CHECK, *public).status is FindingStatus.PASS


def test_a_network_that_could_not_be_read_is_unknown() -> None:
    hidden = (s.peered("Disconnected"), f.hide("resource", f.VNET), f.hide("effective_routes", f.NIC))
    assert finding(CHECK, *hidden).status in {FindingStatus.UNKNOWN, FindingStatus.SKIPPED}
    assert faults(*hidden) == set()
