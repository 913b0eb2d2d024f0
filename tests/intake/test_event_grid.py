import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rdp_remediate.errors import PayloadError
from rdp_remediate.intake.event_grid import read_event_grid, validation_response
from rdp_remediate.intake.ignored import Ignored, IgnoredReason
from rdp_remediate.models.incident import Clue, ClueKind, Incident, Kind, Source
from tests.intake.cases import NET, SUBSCRIPTION, load, only, reasons, text, vm_id

APP_OBJECT_ID = "0f9e8d7c-6b5a-4948-8736-251403f2e1d0"
APP_CLIENT_ID = "4f1d2c3b-5a69-4788-96a5-b4c3d2e1f001"


def _event(**changes: Any) -> dict[str, Any]:
    """A VM write in Event Grid schema; `data_*` changes the data."""
    event: dict[str, Any] = {
        "id": "e1",
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "subject": vm_id("Web01"),
        "eventTime": "2026-05-04T08:00:00Z",
        "data": {
            "resourceUri": vm_id("Web01"),
            "operationName": "Microsoft.Compute/virtualMachines/write",
            "status": "Succeeded",
        },
    }
    for key, value in changes.items():
        if key.startswith("data_"):
            event["data"][key.removeprefix("data_")] = value
        else:
            event[key] = value
    return event


def _read(event: Any) -> list[Incident | Ignored]:
    return read_event_grid(json.dumps(event))


def test_a_rule_written_by_a_person_is_a_hint_at_its_security_group() -> None:
    incident = only(read_event_grid(text("eventgrid-nsg-rule-write-by-person.json")))
    assert (incident.source, incident.kind, incident.vm_id) == (Source.EVENT_GRID, Kind.HINT, None)
    assert incident.clue == Clue(
        kind=ClueKind.NETWORK_SECURITY_GROUP,
        value=f"/subscriptions/{SUBSCRIPTION}/resourcegroups/net-rg/providers/Microsoft.Network/networkSecurityGroups/web-nsg",
        subscription_id=SUBSCRIPTION,
        resource_group="net-rg",
    )
    assert incident.occurred_at == datetime(2026, 5, 4, 8, 12, 44, 123456, tzinfo=UTC)
    assert incident.client_address is None, "httpRequest tells where the administrator sat, not the RDP client"
    assert incident.summary == (
        "admin@example.com called Microsoft.Network/networkSecurityGroups/securityRules/write on DenyRdp (Succeeded)."
    )


@pytest.mark.parametrize(
    ("kept", "own"),
    [
        ("evidence and claims", APP_OBJECT_ID),
        ("evidence and claims", APP_CLIENT_ID),
        ("evidence", APP_OBJECT_ID),
        ("evidence", APP_OBJECT_ID.replace("-", "").upper()),
        ("claims", APP_OBJECT_ID.replace("-", "")),
        ("claims", f"{{{APP_CLIENT_ID.upper()}}}"),
    ],
)
def test_our_own_change_is_ignored_however_the_principal_is_written(kept: str, own: str) -> None:
    events = load("eventgrid-nsg-rule-write-by-app.json")
    if kept == "evidence":
        events[0]["data"]["claims"] = None
    if kept == "claims":
        del events[0]["data"]["authorization"]["evidence"]
    outcomes = read_event_grid(json.dumps(events), own_principal_ids=frozenset({own}))
    assert reasons(outcomes) == [IgnoredReason.OWN_CHANGE]


def test_another_apps_change_is_not_ours() -> None:
    body = text("eventgrid-nsg-rule-write-by-app.json")
    assert only(read_event_grid(body, own_principal_ids=frozenset({"11111111-2222-4333-8444-555555555555"})))
    assert only(read_event_grid(body, own_principal_ids=frozenset({"", "not a guid"})))
    assert only(read_event_grid(body))


def test_masked_claims_match_nobody() -> None:
    event = _event(
        data_claims={"http://schemas.microsoft.com/identity/claims/objectidentifier": "<masked>", "appid": ""}
    )
    assert only(read_event_grid(json.dumps(event), own_principal_ids=frozenset({"<masked>", ""})))


def test_defenders_change_is_just_in_time_access() -> None:
    outcomes = read_event_grid(text("eventgrid-nsg-rule-write-by-defender.json"))
    assert reasons(outcomes) == [IgnoredReason.JUST_IN_TIME]


def test_a_batch_of_cloud_events_is_judged_one_by_one() -> None:
    incident, ignored = read_event_grid(text("cloudevents-vm-actions-batch.json"))
    assert isinstance(incident, Incident)
    assert (incident.vm_id, incident.event_id) == (vm_id("Web01"), "b7c8-1")
    assert incident.summary.startswith("Night shutdown called Microsoft.Compute/virtualMachines/deallocate/action")
    assert isinstance(ignored, Ignored)
    assert (ignored.reason, ignored.event_id) == (IgnoredReason.NO_CHANGE, "b7c8-2")


def test_one_event_without_an_array_reads_the_same() -> None:
    assert _read(_event()) == _read([_event()])


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (vm_id("Web01"), vm_id("Web01")),
        (vm_id("Web01") + "/extensions/BGInfo", vm_id("Web01")),
        (vm_id("Web01").upper(), vm_id("Web01").upper()),
        (f"{NET}/networkInterfaces/nic1/ipConfigurations/ipconfig1", (ClueKind.NETWORK_INTERFACE, "nic1")),
        (f"{NET}/publicIPAddresses/pip1", (ClueKind.PUBLIC_IP_ADDRESS, "pip1")),
        (f"{NET}/virtualNetworks/v1", (ClueKind.VIRTUAL_NETWORK, "v1")),
        (f"{NET}/virtualNetworks/v1/subnets/s1", (ClueKind.SUBNET, "v1/subnets/s1")),
        (f"{NET}/virtualNetworks/v1/virtualNetworkPeerings/p1", (ClueKind.VIRTUAL_NETWORK, "v1")),
        (f"{NET}/routeTables/rt1/routes/r1", (ClueKind.ROUTE_TABLE, "rt1")),
        (f"{NET}/loadBalancers/lb1/inboundNatRules/rdp", (ClueKind.LOAD_BALANCER, "lb1")),
        (f"{NET}/applicationSecurityGroups/a1", (ClueKind.APPLICATION_SECURITY_GROUP, "a1")),
        (vm_id("Web01") + "/providers/Microsoft.Authorization/locks/l1", IgnoredReason.UNRELATED_RESOURCE),
        (vm_id("Web01") + "/providers/Microsoft.Resources/tags/default", IgnoredReason.UNRELATED_RESOURCE),
        (f"{NET}/dnsZones/my zone", IgnoredReason.UNRELATED_RESOURCE),
        (f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g", IgnoredReason.UNRELATED_RESOURCE),
        (f"/subscriptions/{SUBSCRIPTION}", IgnoredReason.UNRELATED_RESOURCE),
        ("/", IgnoredReason.UNRELATED_RESOURCE),
        (vm_id("s1").replace("virtualMachines", "virtualMachineScaleSets"), IgnoredReason.SCALE_SET_INSTANCE),
        (
            vm_id("s1").replace("virtualMachines", "virtualMachineScaleSets") + "/virtualMachines/3",
            IgnoredReason.SCALE_SET_INSTANCE,
        ),
        (
            vm_id("s1").replace("virtualMachines", "virtualMachineScaleSets")
            + "/virtualMachines/3/networkInterfaces/n",
            IgnoredReason.SCALE_SET_INSTANCE,
        ),
        (vm_id("m1").replace("Compute/virtualMachines", "HybridCompute/machines"), IgnoredReason.ARC_MACHINE),
        (
            f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Security/locations/westeurope/"
            "jitNetworkAccessPolicies/default",
            IgnoredReason.JUST_IN_TIME,
        ),
    ],
)
def test_what_a_changed_resource_leads_to(resource: str, expected: Any) -> None:
    outcomes = _read(_event(data_resourceUri=resource, data_operationName="x/write"))
    if isinstance(expected, IgnoredReason):
        assert reasons(outcomes) == [expected]
    elif isinstance(expected, str):
        assert only(outcomes).vm_id == expected
    else:
        clue = only(outcomes).clue
        assert clue is not None
        assert clue.kind is expected[0]
        assert clue.value.startswith(NET)
        assert clue.value.endswith("/" + expected[1])


@pytest.mark.parametrize(
    "resource",
    [
        vm_id("web01?api-version=1"),
        vm_id("web01' or 1=1"),
        vm_id(".."),
        vm_id("a\nb"),
        vm_id("a\u202eb"),
        vm_id("x" * 261),
        vm_id("web01").replace(SUBSCRIPTION, "not-a-guid"),
        vm_id("web01").replace("Shop-RG", ""),
        f"{NET}/networkSecurityGroups/a%2Fb",
    ],
)
def test_an_id_that_azure_never_writes_is_refused(resource: str) -> None:
    with pytest.raises(PayloadError, match="Nothing was started"):
        _read(_event(data_resourceUri=resource))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data_status": "Accepted"}, IgnoredReason.TWIN),
        ({"data_status": "Started"}, IgnoredReason.TWIN),
        ({"data_operationName": "Microsoft.Compute/virtualMachines/instanceView/read"}, IgnoredReason.NO_CHANGE),
        (
            {"data_operationName": "Microsoft.Network/networkInterfaces/effectiveNetworkSecurityGroups/action"},
            IgnoredReason.NO_CHANGE,
        ),
        ({"data_operationName": "Microsoft.Authorization/policies/audit/action"}, IgnoredReason.NO_CHANGE),
        ({"eventType": "Microsoft.Storage.BlobCreated"}, IgnoredReason.UNRELATED_EVENT),
        ({"eventType": "Microsoft.ResourceNotifications.Resources.CreatedOrUpdated"}, IgnoredReason.UNRELATED_EVENT),
    ],
)
def test_what_is_no_reason_to_look(changes: dict[str, Any], reason: IgnoredReason) -> None:
    assert reasons(_read(_event(**changes))) == [reason]


@pytest.mark.parametrize("status", ["Succeeded", "Failed", "Canceled", None, "Reticulating"])
def test_an_outcome_of_any_kind_is_a_hint(status: str | None) -> None:
    assert only(_read(_event(data_status=status))).kind is Kind.HINT


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"previousAvailabilityState": "Available", "availabilityState": "Unavailable"}, None),
        ({"previousAvailabilityState": "Unavailable", "availabilityState": "Available"}, None),
        ({"availabilityState": "Unavailable"}, None),
        ({"previousAvailabilityState": "Unavailable", "availabilityState": "Unknown"}, None),
        ({"availabilityState": "Available"}, IgnoredReason.NO_CHANGE),
        ({"previousAvailabilityState": "Available", "availabilityState": "Available"}, IgnoredReason.NO_CHANGE),
        (
            {"annotationName": "VirtualMachineHostCrashed", "context": "Platform Initiated", "summary": "Host died"},
            None,
        ),
        ({"annotationName": "VirtualMachineStopped", "context": "Customer Initiated"}, IgnoredReason.USER_INITIATED),
    ],
)
def test_health_events(properties: dict[str, Any], reason: IgnoredReason | None) -> None:
    event = load("cloudevent-vm-annotated-customer.json")
    event["data"]["resourceInfo"]["properties"] = {"targetResourceId": vm_id("Web01")} | properties
    if reason is None:
        incident = only(_read(event))
        assert (incident.vm_id, incident.kind) == (vm_id("Web01"), Kind.HINT)
    else:
        assert reasons(_read(event)) == [reason]


def test_a_reboot_that_a_user_asked_for_is_ignored() -> None:
    (outcome,) = read_event_grid(text("cloudevent-vm-annotated-customer.json"))
    assert isinstance(outcome, Ignored)
    assert outcome.reason is IgnoredReason.USER_INITIATED
    assert "as an authorized user or process asked for it" in outcome.detail


def test_subscription_validation_is_answered_with_its_code() -> None:
    body = text("eventgrid-subscription-validation.json")
    assert reasons(read_event_grid(body)) == [IgnoredReason.SUBSCRIPTION_VALIDATION]
    assert validation_response(body) == {"validationResponse": "512d38b6-0000-40c8-89fe-f46f9e9622b6"}
    assert validation_response(json.dumps([_event()])) is None


@pytest.mark.parametrize(
    "event",
    [
        [],
        [1],
        [[_event()]],
        "text",
        {},
        _event(id=None),
        _event(id=7),
        _event(id="x" * 2000),
        _event(id="a\u0007b"),
        _event(eventType=None),
        _event(eventType=5),
        _event(data=None),
        _event(data="text"),
        _event(eventTime=None),
        _event(eventTime="yesterday"),
        _event(eventTime="0001-01-01T00:00:00+14:00"),
        _event(data_authorization=[1]),
        _event(data_operationName=["x"]),
        {"specversion": "0.3", "type": "Microsoft.Resources.ResourceWriteSuccess", "id": "e1"},
        {"specversion": "1.0", "id": "e1"},
    ],
)
def test_malformed_events_are_refused(event: Any) -> None:
    with pytest.raises(PayloadError, match="Nothing was started"):
        _read(event)


def test_one_malformed_event_refuses_the_whole_delivery() -> None:
    with pytest.raises(PayloadError, match=r"event\[1\]"):
        _read([_event(), _event(eventTime="never")])
