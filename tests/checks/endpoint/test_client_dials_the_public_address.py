"""A public address that is not the VM's any more."""

from datetime import timedelta

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.report import Confidence, FindingStatus
from tests import factories as f
from tests.checks.judging import faults, finding

CHECK = "client_dials_the_public_address"
DYNAMIC = f.resource(f.PUBLIC_IP, "properties", "publicIPAllocationMethod", value="Dynamic")
OLD = f.target(dialled_address="20.50.9.9")
NIC_WRITTEN = f.activity("Microsoft.Network/networkInterfaces/write", f.NIC, "mia@example.com", timedelta(hours=2))


def detached(data: JsonObject) -> None:
    """Takes the public address off the NIC; it stays in the group, attached to nothing."""
    kept = data["resources"][f.PUBLIC_IP.lower()]
    f.without_public_address(data)
    kept["properties"].pop("ipConfiguration")
    data["resources"][f.PUBLIC_IP.lower()] = kept


def test_the_old_dynamic_address_is_dialled() -> None:
    stopped = f.activity(
        "Microsoft.Compute/virtualMachines/deallocate/action", f.VM, "ops@example.com", timedelta(days=1)
    )
    one = finding(CHECK, DYNAMIC, OLD, stopped)
    assert (one.status, one.fault, one.confidence) == (FindingStatus.FAIL, "public-ip-changed", Confidence.CONFIRMED)
    assert "20.50.1.4" in (one.reason or "")
    assert "deallocate" in (one.reason or "")
    assert "az network public-ip update -g rg-app -n vm1-pip" in (one.by_hand or "")


def test_another_address_than_a_static_one_is_likely_a_mistake() -> None:
    assert finding(CHECK, OLD).confidence is Confidence.LIKELY


def test_the_address_that_the_vm_has_is_healthy() -> None:
    assert finding(CHECK, DYNAMIC, f.target(dialled_address=f.PUBLIC_ADDRESS)).status is FindingStatus.PASS
    assert finding(CHECK, DYNAMIC).status is FindingStatus.PASS


def test_a_detached_address_is_certain_when_it_is_dialled() -> None:
    one = finding(CHECK, detached, NIC_WRITTEN, f.target(dialled_address=f.PUBLIC_ADDRESS))
    assert (one.fault, one.confidence) == ("public-ip-dissociated", Confidence.CONFIRMED)
    assert "mia@example.com" in (one.reason or "")
    assert f"--public-ip-address {f.PUBLIC_IP}" in (one.by_hand or "")


def test_a_detached_address_explains_why_there_is_none() -> None:
    assert finding(CHECK, detached, NIC_WRITTEN).confidence is Confidence.LIKELY
    assert faults(detached, NIC_WRITTEN) == {"no-public-ip", "public-ip-dissociated"}


def test_without_a_change_of_the_nic_there_is_simply_no_address() -> None:
    assert faults(detached) == {"no-public-ip"}
    assert faults(detached, f.hide("changes")) == {"no-public-ip"}


def test_an_address_that_could_not_be_read_is_unknown() -> None:
    assert finding(CHECK, DYNAMIC, OLD, f.hide("resource", f.PUBLIC_IP)).status is FindingStatus.UNKNOWN
