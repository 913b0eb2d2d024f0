"""Reads Azure Monitor alerts: the common alert schema, and the older activity-log webhook.

Common schema: https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema. Activity-log webhook:
https://learn.microsoft.com/azure/azure-monitor/alerts/activity-log-alerts-webhook.

An alert is a failed-RDP alert only if its rule id is configured or its custom properties hold
`rdp-remediate: failed-rdp`, and only for machines that it names one by one. Every other alert is a hint.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rdp_remediate.intake.alert_machines import Machine, machines_of_metric_or_log, machines_of_resources
from rdp_remediate.intake.ignored import Ignored, IgnoredReason
from rdp_remediate.intake.operation import Operation, health_change, ignored
from rdp_remediate.intake.payload import (
    as_object,
    checked_id,
    id_at,
    label,
    object_at,
    optional_object,
    optional_text,
    parse_json,
    plain,
    refuse,
    texts_at,
    time_at,
)
from rdp_remediate.intake.resource_id import NamedVm, last_name
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.incident import ONE_VM_CLUES, Incident, Kind, Source

PROPERTY = "rdp-remediate"
"""The custom property of an alert rule that says what its alerts mean."""

FAILED_RDP = "failed-rdp"
"""The value of that property for a rule whose alerts say that somebody could not connect."""

MAX_MACHINES = 100
"""More machines in one alert point to a query without a filter, and would start as many runs."""

_SPLIT = "; let its rule split by _ResourceId or Computer"
_COMMON = "azuremonitorcommonalertschema"
_ACTIVITY_WEBHOOK = "microsoft.insights/activitylogs"


@dataclass(frozen=True, slots=True)
class _Fired:
    """What all incidents of one alert share."""

    event_id: str
    at: datetime
    rule_id: str | None
    failed_rdp: bool


def read_alert(
    body: bytes | str, *, rdp_alert_rules: frozenset[str], own_principal_ids: frozenset[str] = frozenset()
) -> list[Incident | Ignored]:
    """What an alert starts: one incident for each machine that it names.

    Args:
        body: The webhook body as received.
        rdp_alert_rules: ARM ids of the rules whose alerts mean that RDP failed, in any case.
        own_principal_ids: Object or application ids of this app's identity, so that it does not follow itself.

    Raises:
        PayloadError: The body is no alert that this app reads, or is malformed, too large or hostile.
    """
    alert = as_object(parse_json(body, "alert"), "The alert")
    schema = (optional_text(alert, "schemaId", "alert") or "").lower()
    if schema == _COMMON:
        return _read_common(object_at(alert, "data", "alert"), rdp_alert_rules, own_principal_ids)
    if schema == _ACTIVITY_WEBHOOK:
        return _read_activity_webhook(object_at(alert, "data", "alert"), own_principal_ids)
    if schema:
        refuse(
            f"The alert is in the schema '{plain(schema, 60)}', which is not read; "
            "turn on the common alert schema in the action group"
        )
    refuse("The body has no schemaId, so it is no Azure Monitor alert")


def _read_common(data: JsonObject, rules: frozenset[str], own: frozenset[str]) -> list[Incident | Ignored]:
    where = "alert.data.essentials"
    essentials = object_at(data, "essentials", "alert.data")
    context = optional_object(data, "alertContext", "alert.data")
    event_id = _alert_id(essentials, where)
    rule = plain(optional_text(essentials, "alertRule", where) or "without a name")
    condition = label(optional_text(essentials, "monitorCondition", where))
    if condition == "resolved":
        return [Ignored(IgnoredReason.RESOLVED, f"The alert {rule} is resolved.", event_id)]
    if condition != "fired":
        refuse(f"{where}.monitorCondition is neither Fired nor Resolved")
    rule_id = optional_text(essentials, "alertRuleId", where)
    signal = label(optional_text(essentials, "signalType", where))
    activity = signal == "activitylog" or ("operationName" in context and "eventSource" in context)
    fired = _Fired(
        event_id=event_id,
        at=time_at(essentials, "firedDateTime", where),
        rule_id=None if rule_id is None else checked_id(rule_id, f"{where}.alertRuleId"),
        failed_rdp=_is_configured(rule_id, rules)
        or _says_failed_rdp(data.get("customProperties"))
        # In an activity-log alert this place holds the properties of the event, written by whoever caused it.
        or (not activity and _says_failed_rdp(context.get("properties"))),
    )
    targets = texts_at(essentials, "alertTargetIDs", where)
    if activity:
        return _activity(context, "alert.data.alertContext", targets, fired, own)
    items = texts_at(essentials, "configurationItems", where) if signal == "log" else []
    machines = machines_of_metric_or_log(context, "alert.data.alertContext", targets, items)
    return _outcomes(machines, fired, f"The alert {rule} fired", _SPLIT)


def _read_activity_webhook(data: JsonObject, own: frozenset[str]) -> list[Incident | Ignored]:
    where = "alert.data.context.activityLog"
    record = object_at(object_at(data, "context", "alert.data"), "activityLog", "alert.data.context")
    event_id = id_at(record, "eventDataId", where)
    if label(optional_text(data, "status", "alert.data")) != "activated":
        return [Ignored(IgnoredReason.RESOLVED, "The alert is no longer active.", event_id)]
    fired = _Fired(
        event_id=event_id,
        at=time_at(record, "eventTimestamp", where),
        rule_id=None,
        failed_rdp=_says_failed_rdp(data.get("properties")),
    )
    return _activity(record, where, [], fired, own)


def _activity(
    record: JsonObject, where: str, targets: list[str], fired: _Fired, own: frozenset[str]
) -> list[Incident | Ignored]:
    operation = Operation(record, where)
    if (reason := operation.unchanged(own)) is not None:
        return [ignored(reason, fired.event_id)]
    properties = optional_object(record, "properties", where)
    health = label(record.get("eventSource")) == "resourcehealth"
    if health:
        if label(operation.status) == "resolved" or "/healthevent/resolved/" in operation.name.lower():
            return [Ignored(IgnoredReason.RESOLVED, "The health event is resolved.", fired.event_id)]
        if (reason := health_change(properties, f"{where}.properties")) is not None:
            return [ignored(reason, fired.event_id)]
    authorization = optional_object(record, "authorization", where)
    stated = [
        optional_text(record, "resourceId", where),
        optional_text(properties, "entity", f"{where}.properties"),
        optional_text(authorization, "scope", f"{where}.authorization"),
    ]
    machines = machines_of_resources(targets)
    if all(isinstance(machine, Ignored) for machine in machines):
        # The record names its resource in three places, of which any may be missing; the target may be a scope above.
        machines = machines_of_resources([text for text in stated if text is not None][:1]) or machines
    if health:
        told = optional_text(properties, "title", f"{where}.properties") or "health changed"
        what = f"Azure reports: {plain(told, 300)}"
    else:
        what = f"{operation.who} called {plain(operation.name)} ({plain(operation.status or 'status unknown')})"
    return _outcomes(machines, fired, what)


def _outcomes(
    machines: list[Machine | Ignored], fired: _Fired, what: str, advice: str = ""
) -> list[Incident | Ignored]:
    if len(machines) > MAX_MACHINES:
        refuse(f"The alert names {len(machines)} machines, more than {MAX_MACHINES}; narrow its rule")
    if not machines:
        return [
            Ignored(
                IgnoredReason.NO_MACHINE_NAMED,
                f"{what}, but it names no machine{advice}.",
                fired.event_id,
            )
        ]
    return [
        Ignored(machine.reason, machine.detail, fired.event_id)
        if isinstance(machine, Ignored)
        else _incident(machine, fired, what)
        for machine in machines
    ]


def _incident(machine: Machine, fired: _Fired, what: str) -> Incident:
    named = machine.named
    vm_id = named.id if isinstance(named, NamedVm) else None
    clue = None if isinstance(named, NamedVm) else named
    name = plain(last_name(vm_id if clue is None and vm_id is not None else clue.value if clue is not None else ""))
    # A security group or subnet may lead to many VMs; no alert may have them all repaired.
    failed = fired.failed_rdp and (clue is None or clue.kind in ONE_VM_CLUES)
    return Incident(
        source=Source.ALERT,
        kind=Kind.FAILED_RDP if failed else Kind.HINT,
        event_id=fired.event_id,
        occurred_at=fired.at,
        vm_id=vm_id,
        clue=clue,
        client_address=machine.client,
        user=machine.user,
        dialled_address=machine.dialled_address,
        dialled_port=machine.dialled_port,
        rule_id=fired.rule_id,
        summary=f"{what} for {name}: RDP failed." if failed else f"{what} for {name}.",
    )


def _alert_id(essentials: JsonObject, where: str) -> str:
    """The id of this firing. In a test of an activity-log alert `alertId` is the rule's, the same at every firing."""
    alert_id = id_at(essentials, "alertId", where)
    if "/microsoft.alertsmanagement/alerts/" in alert_id.lower():
        return alert_id
    origin = optional_text(essentials, "originAlertId", where)
    if origin is not None:
        return checked_id(origin, f"{where}.originAlertId")
    at = time_at(essentials, "firedDateTime", where)
    return checked_id(f"{alert_id}@{at.isoformat()}", f"{where}.alertId")


def _is_configured(rule_id: str | None, rules: frozenset[str]) -> bool:
    return rule_id is not None and _rule_key(rule_id) in {_rule_key(rule) for rule in rules}


def _rule_key(rule_id: str) -> str:
    return rule_id.strip().rstrip("/").lower()


def _says_failed_rdp(properties: Any) -> bool:
    if not isinstance(properties, dict):
        return False
    return any(
        key.strip().lower() == PROPERTY and isinstance(value, str) and value.strip().lower() == FAILED_RDP
        for key, value in properties.items()
    )
