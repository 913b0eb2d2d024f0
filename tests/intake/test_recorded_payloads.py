"""Every recorded alert and event, file by file, gives the result written here."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from rdp_remediate.errors import PayloadError
from rdp_remediate.intake.alert import read_alert
from rdp_remediate.intake.event_grid import read_event_grid
from rdp_remediate.intake.ignored import Ignored, IgnoredReason
from rdp_remediate.models.incident import Clue, ClueKind, Incident, Kind
from tests.intake.cases import RECORDED, SUBSCRIPTION

pytestmark = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="needs the recorded payloads in ../shared/payloads, which a public clone has not"
)

Reader = Callable[[str], list[Incident | Ignored]]


def _alert(body: str) -> list[Incident | Ignored]:
    return read_alert(body, rdp_alert_rules=frozenset())


def _event(body: str) -> list[Incident | Ignored]:
    return read_event_grid(body)


_TEST_VM = (
    "/subscriptions/aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e/resourcegroups/test-RG"
    "/providers/microsoft.compute/virtualmachines/test-VM"
)
_SPOT_VM = (
    "/subscriptions/f8948095-f2ff-4dbd-aa56-d319a3c81cf1/resourceGroups/TESTSPOTVM"
    "/providers/Microsoft.Compute/virtualMachines/TESTSPOTVM-vm"
)
_TARGET_VM = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/rg1/providers/microsoft.compute/virtualmachines/vm1"

_EVENT_VM = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg1/providers/Microsoft.Compute/virtualMachines/vm1"

# A VM id or a computer name: one hint about it. A reason: ignored. A text: refused with an error that holds it.
AS_RECORDED: dict[str, tuple[Reader, Any]] = {
    "alert-activitylog-administrative-context-docs.json": (_alert, "no schemaId"),
    "alert-activitylog-administrative-testaction-full.json": (_alert, {"vm_id": _TEST_VM}),
    "alert-activitylog-noncommon-vm-deallocate-succeeded.json": (_alert, {"vm_id": _SPOT_VM}),
    "alert-activitylog-noncommon-vm-start-accepted.json": (_alert, IgnoredReason.TWIN),
    "alert-availabilitytest-testaction-full.json": (_alert, IgnoredReason.UNRELATED_RESOURCE),
    "alert-budget-testaction-null-essentials.json": (_alert, IgnoredReason.NO_MACHINE_NAMED),
    "alert-log-v2-context-docs.json": (_alert, "no schemaId"),
    "alert-log-v2-testaction-full.json": (_alert, {"computer": "test-computer"}),
    "alert-metric-dynamic-testaction-full.json": (_alert, IgnoredReason.UNRELATED_RESOURCE),
    "alert-metric-resolved-full.json": (_alert, IgnoredReason.RESOLVED),
    "alert-resourcehealth-context-docs.json": (_alert, "no schemaId"),
    "alert-servicehealth-context-docs.json": (_alert, "no schemaId"),
    "alert-simple-log-context.json": (_alert, "no schemaId"),
    "eventgrid-health-availabilitystatuschanged-cloudevent.json": (_event, "holds no subscription id"),
    "eventgrid-health-availabilitystatuschanged-egschema.json": (_event, "holds no subscription id"),
    "eventgrid-resourcedeletesuccess.json": (_event, IgnoredReason.UNRELATED_RESOURCE),
    "eventgrid-resourcewritesuccess.json": (_event, IgnoredReason.UNRELATED_RESOURCE),
    "eventgrid-subscription-put-lro-2018-09-15-preview.json": (_event, "neither an Event Grid event nor a CloudEvent"),
    "eventgrid-subscriptionvalidation-response.json": (_event, "neither an Event Grid event nor a CloudEvent"),
    "cloudevents-validation-handshake.json": (_event, "neither an Event Grid event nor a CloudEvent"),
    "activitylog-diagstream-action-start.json": (_event, "neither an Event Grid event nor a CloudEvent"),
    "activitylog-list-full-2014-04-01.json": (_event, "neither an Event Grid event nor a CloudEvent"),
    "activitylog-list-select-2015-04-01.json": (_event, "neither an Event Grid event nor a CloudEvent"),
    "activitylogalerts-list-2017-04-01.json": (_alert, "no schemaId"),
}

# The documentation's samples hold placeholders, or only the alert context: completed, they read like this.
COMPLETED: dict[str, Any] = {
    "alert-activitylog-administrative-context-docs.json": {"vm_id": _TARGET_VM},
    "alert-log-v2-context-docs.json": {"vm_id": _TARGET_VM},
    "alert-resourcehealth-context-docs.json": IgnoredReason.USER_INITIATED,
    "alert-servicehealth-context-docs.json": IgnoredReason.UNRELATED_RESOURCE,
    "alert-simple-log-context.json": IgnoredReason.UNRELATED_RESOURCE,
    "eventgrid-health-availabilitystatuschanged-cloudevent.json": {"vm_id": _EVENT_VM},
    "eventgrid-health-availabilitystatuschanged-egschema.json": {"vm_id": _EVENT_VM},
}
_APPLICATION = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/rg1/providers/microsoft.insights/components/app1"
_TARGETS = {
    "alert-servicehealth-context-docs.json": f"/subscriptions/{SUBSCRIPTION}",
    "alert-simple-log-context.json": _APPLICATION,
}
_SIGNALS = {"alert-log-v2-context-docs.json": "Log", "alert-simple-log-context.json": "Log"}


def _check(outcomes: list[Incident | Ignored], expected: Any) -> None:
    assert len(outcomes) == 1
    outcome = outcomes[0]
    if isinstance(expected, IgnoredReason):
        assert isinstance(outcome, Ignored)
        assert outcome.reason is expected
        return
    assert isinstance(outcome, Incident)
    assert outcome.kind is Kind.HINT
    # The address in httpRequest is that of the person who changed something, not of an RDP client.
    assert outcome.client_address is None
    if "vm_id" in expected:
        assert outcome.vm_id == expected["vm_id"]
    else:
        assert outcome.clue is not None
        assert (outcome.clue.kind, outcome.clue.value) == (ClueKind.COMPUTER_NAME, expected["computer"])


def test_the_table_names_every_recorded_alert_and_event() -> None:
    patterns = ("alert-*", "eventgrid-*", "cloudevents-*", "activitylog*")
    assert {path.name for pattern in patterns for path in RECORDED.glob(pattern)} == set(AS_RECORDED)


@pytest.mark.parametrize("name", AS_RECORDED)
def test_as_recorded(name: str) -> None:
    reader, expected = AS_RECORDED[name]
    body = (RECORDED / name).read_text(encoding="utf-8")
    if isinstance(expected, str) and not isinstance(expected, IgnoredReason):
        with pytest.raises(PayloadError, match=expected) as caught:
            reader(body)
        assert str(caught.value).endswith("Nothing was started.")
        return
    _check(reader(body), expected)


@pytest.mark.parametrize("name", COMPLETED)
def test_completed(name: str) -> None:
    body = (RECORDED / name).read_text(encoding="utf-8")
    for placeholder, value in {
        "{subscription-id}": SUBSCRIPTION,
        "<subscription ID>": SUBSCRIPTION,
        "{rg-name}": "rg1",
        "{vm-name}": "vm1",
    }.items():
        body = body.replace(placeholder, value)
    expected = COMPLETED[name]
    if name.startswith("eventgrid-"):
        _check(read_event_grid(body), expected)
        return
    data = json.loads(body) | {
        "essentials": {
            "alertId": f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.AlertsManagement/alerts/a1",
            "alertRule": "rule",
            "signalType": _SIGNALS.get(name, "Activity Log"),
            "monitorCondition": "Fired",
            "alertTargetIDs": [_TARGETS.get(name, _TARGET_VM)],
            "firedDateTime": "2026-05-04T08:15:00Z",
        }
    }
    _check(_alert(json.dumps({"schemaId": "azureMonitorCommonAlertSchema", "data": data})), expected)


def test_an_alert_of_a_workspace_keeps_where_to_look() -> None:
    body = (RECORDED / "alert-log-v2-testaction-full.json").read_text(encoding="utf-8")
    (incident,) = _alert(body)
    assert isinstance(incident, Incident)
    assert incident.clue == Clue(
        kind=ClueKind.COMPUTER_NAME, value="test-computer", subscription_id="aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e"
    )


def test_the_recorded_deallocation_tells_who_and_when() -> None:
    body = (RECORDED / "alert-activitylog-noncommon-vm-deallocate-succeeded.json").read_text(encoding="utf-8")
    (incident,) = _alert(body)
    assert isinstance(incident, Incident)
    assert incident.event_id == "1c9d3f17-eddb-4edf-9f70-446470fbab47"
    assert incident.occurred_at.isoformat() == "2020-08-27T11:05:45.113507+00:00"
    assert incident.summary == (
        "user@contoso.example called Microsoft.Compute/virtualMachines/deallocate/action (Succeeded) for TESTSPOTVM-vm."
    )
