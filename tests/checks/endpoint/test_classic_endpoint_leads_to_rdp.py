"""Input endpoints and ACLs of classic VMs, as Azure shows them and as PowerShell exports them."""

import pytest

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.report import Effect, FindingStatus
from tests import factories as f
from tests.checks import surroundings as s
from tests.checks.judging import diagnosis, faults, finding

CHECK = "classic_endpoint_leads_to_rdp"
OPEN: JsonObject = {"RDP": []}
PERMIT_ONE = {"RDP": [{"Order": 1, "Action": "permit", "RemoteSubnet": "198.51.100.0/24"}]}


@pytest.mark.parametrize(
    ("endpoints", "acls", "fault"),
    [
        ([s.endpoint(443, 443, "Web")], OPEN, "classic-endpoint-missing"),
        ([s.endpoint(57123, 3389)], OPEN, "classic-endpoint-wrong-port"),
        ([s.endpoint(3389, 3390)], OPEN, "classic-endpoint-wrong-port"),
        ([s.endpoint(3389, 3389)], PERMIT_ONE, "classic-acl-denies"),
    ],
    ids=["no endpoint", "other public port", "other private port", "acl"],
)
def test_an_endpoint_that_does_not_lead_the_client_to_rdp(
    endpoints: list[JsonObject], acls: object, fault: str
) -> None:
    one = finding(CHECK, s.classic(endpoints, acls))
    assert (one.status, one.fault) == (FindingStatus.FAIL, fault)
    assert fault in diagnosis(s.classic(endpoints, acls)).verdict.causes
    assert "no-public-ip" not in faults(s.classic(endpoints, acls))


def test_the_advice_names_a_free_public_port_of_azures_range() -> None:
    taken = [s.endpoint(49152, 443, "Web"), s.endpoint(49153, 80, "Web2")]
    assert "-PublicPort 49154" in (finding(CHECK, s.classic(taken, OPEN)).by_hand or "")


def test_an_endpoint_that_leads_to_rdp_is_healthy() -> None:
    assert finding(CHECK, s.classic([s.endpoint(3389, 3389)], OPEN)).status is FindingStatus.PASS
    deny_first = {"RDP": [{"Order": 1, "Action": "deny", "RemoteSubnet": "198.51.100.0/24"}]}
    assert finding(CHECK, s.classic([s.endpoint(3389, 3389)], deny_first)).status is FindingStatus.PASS


def test_an_export_stands_in_for_what_azure_does_not_show() -> None:
    exported = [{"Name": "RDP", "Port": 57123, "LocalPort": 3389, "Protocol": "tcp", "Acl": []}]
    one = finding(CHECK, s.classic(None, exported))
    assert one.fault == "classic-endpoint-wrong-port"
    assert "mstsc /v:SERVICE.cloudapp.net:57123" in (one.by_hand or "")


def test_an_acl_that_was_not_shown_is_unknown() -> None:
    assert finding(CHECK, s.classic([s.endpoint(3389, 3389)])).status is FindingStatus.UNKNOWN
    assert finding(CHECK, s.classic(None)).status is FindingStatus.UNKNOWN
    assert finding(CHECK, s.classic([], OPEN), f.hide("resource", s.CLASSIC)).status is FindingStatus.UNKNOWN


def test_a_vm_of_resource_manager_is_not_asked() -> None:
    assert finding(CHECK).status is FindingStatus.SKIPPED


def test_a_classic_vm_is_always_called_retired() -> None:
    running = finding("classic_vm_is_migrated", s.classic([s.endpoint(3389, 3389)], OPEN))
    stopped = finding("classic_vm_is_migrated", s.classic([s.endpoint(3389, 3389)], OPEN, status="StoppedVM"))
    assert (running.fault, running.effect) == ("classic-retired", Effect.RISK)
    assert (stopped.fault, stopped.effect) == ("classic-retired", Effect.BLOCKS)
    assert finding("classic_vm_is_migrated").status is FindingStatus.SKIPPED
