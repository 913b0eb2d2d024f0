import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rdp_remediate.errors import PayloadError
from rdp_remediate.intake.alert import MAX_MACHINES, read_alert
from rdp_remediate.intake.ignored import Ignored, IgnoredReason
from rdp_remediate.models.incident import ClueKind, Incident, Kind
from tests.intake.cases import NET, RULE_ID, SUBSCRIPTION, alert, load, only, reasons, text, vm_id

WORKSPACE = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/logs/providers/Microsoft.OperationalInsights/workspaces/central"
)
MARKED = {"rdp-remediate": "failed-rdp"}


def _read(
    body: str, rules: frozenset[str] = frozenset(), own: frozenset[str] = frozenset()
) -> list[Incident | Ignored]:
    return read_alert(body, rdp_alert_rules=rules, own_principal_ids=own)


def _log(*dimensions: dict[str, str], **essentials: Any) -> str:
    criteria = [{"dimensions": [{"name": k, "value": v} for k, v in row.items()]} for row in dimensions]
    context = {"conditionType": "LogQueryCriteria", "condition": {"allOf": criteria}}
    return alert(context, **({"signalType": "Log", "alertTargetIDs": [WORKSPACE]} | essentials))


def _activity(custom: Any = None, essentials: dict[str, Any] | None = None, **record: Any) -> str:
    fixed: dict[str, Any] = {
        "authorization": {"scope": vm_id("Web01"), "action": "Microsoft.Compute/virtualMachines/restart/action"},
        "caller": "admin@example.com",
        "claims": "{}",
        "eventSource": "Administrative",
        "operationName": "Microsoft.Compute/virtualMachines/restart/action",
        "status": "Succeeded",
    }
    return alert(fixed | record, custom, **({"signalType": "Activity Log"} | (essentials or {})))


def test_one_incident_for_each_machine_with_its_own_claims() -> None:
    first, second = _read(text("alert-log-v2-two-machines.json"), frozenset({RULE_ID.upper()}))
    assert isinstance(first, Incident)
    assert isinstance(second, Incident)
    assert first.vm_key == vm_id("web01").lower()
    assert (first.kind, first.client_address, first.user) == (Kind.FAILED_RDP, "203.0.113.7", "CONTOSO\\anna")
    assert second.vm_key == vm_id("web02").lower()
    assert second.client_address is None, "two addresses are claimed for it, so none is taken"
    assert second.user is None
    assert first.event_id == second.event_id
    assert first.occurred_at == datetime(2026, 5, 4, 8, 15, 0, 626000, tzinfo=UTC)
    assert first.summary == "The alert failed-rdp fired for web01: RDP failed."


def test_rows_of_a_version_1_log_alert_name_the_computer_once() -> None:
    incident = only(_read(text("alert-log-v1-rows.json")))
    assert incident.clue is not None
    assert (incident.clue.kind, incident.clue.value) == (ClueKind.COMPUTER_NAME, "WEB01.corp.example.com")
    assert incident.clue.subscription_id == SUBSCRIPTION
    assert incident.client_address == "203.0.113.7", "0.0.0.0 is what Windows logs for an unknown client"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (alert({}, MARKED), Kind.FAILED_RDP),
        (alert({"properties": MARKED}), Kind.FAILED_RDP),
        (alert({}, {"RDP-Remediate": " Failed-RDP "}), Kind.FAILED_RDP),
        (alert({}, alertRuleId=RULE_ID.lower() + "/"), Kind.FAILED_RDP),
        (_activity(MARKED), Kind.FAILED_RDP),
        (alert({}), Kind.HINT),
        (alert({}, {"rdp-remediate": "hint"}), Kind.HINT),
        (alert({}, {"rdp-remediate": ["failed-rdp"]}), Kind.HINT),
        (alert({}, ["rdp-remediate", "failed-rdp"]), Kind.HINT),
        (alert({}, alertRule=RULE_ID, alertRuleId=RULE_ID + "2"), Kind.HINT),
        (alert({}, description="rdp-remediate: failed-rdp"), Kind.HINT),
        # The properties of an activity-log event are written by whoever caused it.
        (_activity(properties=MARKED), Kind.HINT),
    ],
)
def test_which_alert_says_that_rdp_failed(body: str, kind: Kind) -> None:
    assert only(_read(body, frozenset({RULE_ID}))).kind is kind


def test_a_failed_rdp_alert_on_a_shared_resource_stays_a_hint() -> None:
    incident = only(_read(alert({}, MARKED, alertTargetIDs=[f"{NET}/networkSecurityGroups/nsg1"])))
    assert incident.kind is Kind.HINT
    assert incident.clue is not None


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (_log({"_ResourceId": vm_id("Web01")}), ["Web01"]),
        (_log({"_ResourceId": vm_id("Web01"), "Computer": "OTHER"}), ["Web01"]),
        (_log({"Computer": "WEB01"}), ["WEB01"]),
        (_log({"Computer": "WEB01"}, {"Computer": "web01"}, {"Computer": "WEB02"}), ["WEB01", "WEB02"]),
        (_log({"Computer": "WEB01"}, alertTargetIDs=[vm_id("Web07")]), ["Web07"]),
        (_log({}, alertTargetIDs=[vm_id("Web01"), vm_id("WEB01").upper(), vm_id("Web02")]), ["Web01", "Web02"]),
        (_log({}, configurationItems=["WEB09"]), ["WEB09"]),
        (_log({"Computer": "WEB01' or 1==1"}, configurationItems=["WEB09"]), ["WEB09"]),
    ],
)
def test_which_machines_a_log_alert_names(body: str, names: list[str]) -> None:
    found = []
    for outcome in _read(body):
        assert isinstance(outcome, Incident)
        found.append((outcome.vm_id or (outcome.clue.value if outcome.clue else "")).rsplit("/", 1)[-1])
    assert found == names


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (_log({}), IgnoredReason.NO_MACHINE_NAMED),
        (_log({}, configurationItems=["central"]), IgnoredReason.NO_MACHINE_NAMED),
        (_log({"Computer": "*"}), IgnoredReason.NO_MACHINE_NAMED),
        (alert({}, alertTargetIDs=None), IgnoredReason.NO_MACHINE_NAMED),
        (alert({}, alertTargetIDs=[f"/subscriptions/{SUBSCRIPTION}"]), IgnoredReason.UNRELATED_RESOURCE),
        (alert({}, monitorCondition="Resolved"), IgnoredReason.RESOLVED),
        (
            _log(
                {
                    "_ResourceId": vm_id("m").replace("Compute/virtualMachines", "HybridCompute/machines"),
                    "Computer": "M",
                }
            ),
            IgnoredReason.ARC_MACHINE,
        ),
        (
            alert({}, alertTargetIDs=[vm_id("s").replace("Machines", "MachineScaleSets") + "/virtualMachines/0"]),
            IgnoredReason.SCALE_SET_INSTANCE,
        ),
        (_activity(status="Started"), IgnoredReason.TWIN),
        (_activity(operationName="Microsoft.Compute/virtualMachines/read"), IgnoredReason.NO_CHANGE),
        (_activity(claims='{"appid":"8edd93e1-2103-40b4-bd70-6e34e586362d"}'), IgnoredReason.JUST_IN_TIME),
    ],
)
def test_what_starts_nothing(body: str, reason: IgnoredReason) -> None:
    assert reasons(_read(body, frozenset({RULE_ID}))) == [reason]


OWN = "0f9e8d7c-6b5a-4948-8736-251403f2e1d0"


@pytest.mark.parametrize(
    "record",
    [
        {"caller": OWN},
        {"claims": json.dumps({"http://schemas.microsoft.com/identity/claims/objectidentifier": OWN})},
        {"claims": {"oid": OWN.upper()}},
        {"authorization": {"scope": vm_id("Web01"), "evidence": {"principalId": OWN.replace("-", "")}}},
    ],
)
def test_an_alert_about_our_own_change_is_ignored(record: dict[str, Any]) -> None:
    assert reasons(_read(_activity(**record), own=frozenset({OWN}))) == [IgnoredReason.OWN_CHANGE]
    assert only(_read(_activity(**record), own=frozenset({"11111111-2222-4333-8444-555555555555"})))


@pytest.mark.parametrize("claims", [None, "", "<masked>", "[1]", "{" * 5000, 7, ["x"]])
def test_claims_that_cannot_be_read_name_nobody(claims: Any) -> None:
    assert only(_read(_activity(claims=claims), own=frozenset({OWN}))).vm_id == vm_id("Web01")


def test_platform_health_is_a_hint_and_a_users_stop_is_not() -> None:
    body = load("alert-resource-health-platform.json")
    incident = only(_read(json.dumps(body)))
    assert (incident.vm_key, incident.kind) == (vm_id("Web01").lower(), Kind.HINT)
    assert incident.summary == "Azure reports: The host of this virtual machine failed for web01."
    for cause in ("UserInitiated", "User Initiated", "Customer Initiated"):
        body["data"]["alertContext"]["properties"]["cause"] = cause
        assert reasons(_read(json.dumps(body), frozenset({RULE_ID}))) == [IgnoredReason.USER_INITIATED]


@pytest.mark.parametrize(
    "change", [{"status": "Resolved"}, {"operationName": "Microsoft.Resourcehealth/healthevent/Resolved/action"}]
)
def test_a_resolved_health_event_is_ignored_though_its_alert_is_fired(change: dict[str, str]) -> None:
    body = load("alert-resource-health-platform.json")
    body["data"]["alertContext"] |= change
    assert reasons(_read(json.dumps(body))) == [IgnoredReason.RESOLVED]


@pytest.mark.parametrize(("source", "signal"), [("ResourceHealth", "ActivityLog"), ("Resource Health", "Activity Log")])
def test_labels_are_read_with_spaces_and_without(source: str, signal: str) -> None:
    body = load("alert-resource-health-platform.json")
    body["data"]["alertContext"]["eventSource"] = source
    body["data"]["alertContext"]["properties"]["cause"] = "UserInitiated"
    body["data"]["essentials"]["signalType"] = signal
    assert reasons(_read(json.dumps(body))) == [IgnoredReason.USER_INITIATED]


def test_an_activity_alert_whose_target_is_a_scope_above_uses_the_events_resource() -> None:
    group = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/shop-rg"
    incident = only(_read(_activity(essentials={"alertTargetIDs": [group]})))
    assert incident.vm_id == vm_id("Web01")
    assert incident.summary == (
        "admin@example.com called Microsoft.Compute/virtualMachines/restart/action (Succeeded) for Web01."
    )


def test_the_address_of_whoever_changed_something_is_no_client() -> None:
    request = json.dumps({"clientIpAddress": "203.0.113.10", "method": "POST"})
    assert only(_read(_activity(httpRequest=request))).client_address is None


def _webhook(status: str = "Activated", **record: Any) -> str:
    activity = {
        "eventDataId": "d1",
        "eventTimestamp": "2026-05-04T08:00:00Z",
        "operationName": "Microsoft.Compute/virtualMachines/powerOff/action",
        "status": "Succeeded",
        "resourceId": vm_id("Web01"),
    }
    data = {"status": status, "context": {"activityLog": activity | record}, "properties": {}}
    return json.dumps({"schemaId": "Microsoft.Insights/activityLogs", "data": data})


def test_the_older_activity_log_webhook() -> None:
    incident = only(_read(_webhook()))
    assert (incident.vm_id, incident.event_id, incident.kind) == (vm_id("Web01"), "d1", Kind.HINT)
    assert reasons(_read(_webhook(status="Deactivated"))) == [IgnoredReason.RESOLVED]
    assert reasons(_read(_webhook(status="Accepted"), own=frozenset())) == [IgnoredReason.RESOLVED]
    assert reasons(_read(_webhook(resourceId=WORKSPACE))) == [IgnoredReason.UNRELATED_RESOURCE]
    assert reasons(_read(_webhook(resourceId=None))) == [IgnoredReason.NO_MACHINE_NAMED]


def test_the_id_of_a_firing() -> None:
    assert only(_read(alert({}))).event_id.endswith("/alerts/a1")
    rule = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/microsoft.insights/activityLogAlerts/r"
    assert only(_read(alert({}, alertId=rule))).event_id == "origin-1"
    assert only(_read(alert({}, alertId=rule, originAlertId=None))).event_id == f"{rule}@2026-05-04T08:15:00+00:00"


def test_more_machines_than_any_filtered_query_names_are_refused() -> None:
    at_limit = _log(*({"Computer": f"vm{number}"} for number in range(MAX_MACHINES)))
    assert len(_read(at_limit)) == MAX_MACHINES
    with pytest.raises(PayloadError, match="101 machines"):
        _read(_log(*({"Computer": f"vm{number}"} for number in range(MAX_MACHINES + 1))))


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("[]", "not an object"),
        ("{}", "no schemaId"),
        ('{"schemaId": "AzureMonitorMetricAlert", "data": {}}', "turn on the common alert schema"),
        ('{"schemaId": 5}', "not a text"),
        ('{"schemaId": "azureMonitorCommonAlertSchema"}', "alert.data is missing"),
        ('{"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": []}}', "essentials is an array"),
        (alert({}, alertId=None), "alertId is missing"),
        (alert({}, monitorCondition="Confused"), "neither Fired nor Resolved"),
        (alert({}, monitorCondition=None), "neither Fired nor Resolved"),
        (alert({}, firedDateTime="soon"), "not an ISO 8601 time"),
        (alert({}, alertTargetIDs="x"), "not an array"),
        (alert({}, alertTargetIDs=[{}]), "not a text"),
        (alert({}, alertTargetIDs=[vm_id("a;b")]), "no such id"),
        (alert({"condition": {"allOf": [3]}}), "not an object"),
        (alert({"condition": {"allOf": [{"dimensions": {}}]}}), "not an array"),
        (alert({"SearchResults": {"tables": [{"columns": [], "rows": ["x"]}]}}), "no row"),
        ('{"schemaId": "Microsoft.Insights/activityLogs", "data": {"status": "Activated"}}', "context is missing"),
        (_webhook(eventDataId=None), "eventDataId is missing"),
        (_webhook(eventTimestamp=5), "not a text"),
    ],
)
def test_malformed_alerts_are_refused(body: str, fault: str) -> None:
    with pytest.raises(PayloadError, match=fault) as caught:
        _read(body)
    assert str(caught.value).endswith("Nothing was started.")


def test_what_people_read_is_one_printable_line() -> None:
    incident = only(_read(alert({}, alertRule="a\n\x1b[31m\u202eb" + "x" * 500)))
    assert incident.summary.isprintable()
    assert len(incident.summary) < 200


def test_the_dialled_address_is_a_claim_of_its_own_column() -> None:
    def dimensions(*pairs: tuple[str, str]) -> dict[str, Any]:
        listed = [{"name": name, "value": value} for name, value in pairs]
        return {"condition": {"allOf": [{"dimensions": listed}]}}

    one = only(_read(alert(dimensions(("DialledAddress", "10.0.0.99"), ("DestIP", "10.0.0.4")))))
    assert one.dialled_address == "10.0.0.99"
    assert only(_read(alert(dimensions(("DestIP", "10.0.0.4"))))).dialled_address is None
    assert only(_read(alert(dimensions(("DialledAddress", "no address"))))).dialled_address is None
