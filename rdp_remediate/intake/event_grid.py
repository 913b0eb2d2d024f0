"""Reads Event Grid deliveries: Event Grid schema (array or single) and CloudEvents 1.0 (single or batch).

Delivery is at least once and without order, so an event's id is what a run is keyed by. Resource events carry no
resource body: the run reads the resource again. Every event is a hint. Schemas:
https://learn.microsoft.com/azure/event-grid/event-schema-subscriptions and
https://learn.microsoft.com/azure/event-grid/event-schema-health-resources
"""

from typing import NoReturn

from rdp_remediate.intake.ignored import Ignored, IgnoredReason
from rdp_remediate.intake.operation import Operation, health_change, ignored
from rdp_remediate.intake.payload import (
    as_object,
    id_at,
    object_at,
    optional_text,
    parse_json,
    plain,
    refuse,
    time_at,
)
from rdp_remediate.intake.resource_id import NamedVm, last_name, read_resource_id
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.incident import Incident, Kind, Source

_RESOURCE_EVENTS = frozenset(
    f"microsoft.resources.resource{verb}{outcome}"
    for verb in ("write", "delete", "action")
    for outcome in ("success", "failure", "cancel")
)
_HEALTH_EVENTS = frozenset(
    {
        "microsoft.resourcenotifications.healthresources.availabilitystatuschanged",
        "microsoft.resourcenotifications.healthresources.resourceannotated",
    }
)
_VALIDATION = "microsoft.eventgrid.subscriptionvalidationevent"


def read_event_grid(body: bytes | str, *, own_principal_ids: frozenset[str] = frozenset()) -> list[Incident | Ignored]:
    """What each event of a delivery starts, in the order of the delivery.

    Args:
        body: The delivery as received, or the JSON text of one event.
        own_principal_ids: Object or application ids of this app's identity, so that it does not follow itself.

    Raises:
        PayloadError: The delivery is malformed, too large or hostile; none of its events starts anything.
    """
    value = parse_json(body, "event")
    events = value if isinstance(value, list) else [value]
    if not events:
        refuse("The delivery holds no event")
    return [
        _read(as_object(event, f"event[{at}]"), f"event[{at}]", own_principal_ids) for at, event in enumerate(events)
    ]


def validation_response(body: bytes | str) -> dict[str, str] | None:
    """The answer to Event Grid's subscription validation, to be sent with HTTP 200; None if the body asks for none.

    The validation URL in the event is never called. CloudEvents validate by an OPTIONS request instead.
    https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema

    Raises:
        PayloadError: The body is malformed, or asks for validation without a code.
    """
    value = parse_json(body, "event")
    for event in value if isinstance(value, list) else [value]:
        if isinstance(event, dict) and _type(event, "event") == _VALIDATION:
            return {"validationResponse": id_at(object_at(event, "data", "event"), "validationCode", "event.data")}
    return None


def _read(event: JsonObject, where: str, own_principal_ids: frozenset[str]) -> Incident | Ignored:
    event_type = _type(event, where)
    event_id = id_at(event, "id", where)
    if event_type == _VALIDATION:
        return Ignored(IgnoredReason.SUBSCRIPTION_VALIDATION, "Event Grid asks whether this is its endpoint.", event_id)
    if event_type in _RESOURCE_EVENTS:
        return _read_resource_event(event, where, event_id, own_principal_ids)
    if event_type in _HEALTH_EVENTS:
        return _read_health_event(event, where, event_id)
    return Ignored(IgnoredReason.UNRELATED_EVENT, f"Events of type {plain(event_type)} are not followed.", event_id)


def _type(event: JsonObject, where: str) -> str:
    """The event type in lower case, whichever of the two schemas it is in."""
    cloud = _is_cloud_event(event)
    name = optional_text(event, "type" if cloud else "eventType", where)
    if cloud:
        version = optional_text(event, "specversion", where)
        if version != "1.0":
            refuse(f"{where} is of CloudEvents version {plain(version or 'unknown', 20)}; only 1.0 is known")
    if name is None:
        _refuse_shape(where)
    return name.lower()


def _is_cloud_event(event: JsonObject) -> bool:
    return "specversion" in event


def _read_resource_event(
    event: JsonObject, where: str, event_id: str, own_principal_ids: frozenset[str]
) -> Incident | Ignored:
    data = object_at(event, "data", where)
    resource = optional_text(data, "resourceUri", f"{where}.data") or optional_text(event, "subject", where)
    if resource is None:
        _refuse_shape(where)
    operation = Operation(data, f"{where}.data")
    if (reason := operation.unchanged(own_principal_ids)) is not None:
        return ignored(reason, event_id)
    outcome = operation.status or "status unknown"
    summary = f"{operation.who} called {plain(operation.name)} on {plain(last_name(resource))} ({plain(outcome)})."
    return _incident(event, where, event_id, resource, summary)


def _read_health_event(event: JsonObject, where: str, event_id: str) -> Incident | Ignored:
    info = object_at(object_at(event, "data", where), "resourceInfo", f"{where}.data")
    place = f"{where}.data.resourceInfo.properties"
    properties = object_at(info, "properties", f"{where}.data.resourceInfo")
    resource = optional_text(properties, "targetResourceId", place) or optional_text(event, "subject", where)
    if resource is None:
        _refuse_shape(where)
    if (reason := health_change(properties, place)) is not None:
        return ignored(reason, event_id)
    name = plain(last_name(resource))
    state = optional_text(properties, "availabilityState", place)
    before = optional_text(properties, "previousAvailabilityState", place)
    if state is not None:
        summary = f"Azure reports that {name} went from {plain(before or 'no known state')} to {plain(state)}."
    else:
        told = optional_text(properties, "summary", place) or optional_text(properties, "annotationName", place)
        summary = f"Azure notes on {name}: {plain(told or 'no details given', 300)}"
    return _incident(event, where, event_id, resource, summary)


def _incident(event: JsonObject, where: str, event_id: str, resource: str, summary: str) -> Incident | Ignored:
    named = read_resource_id(resource)
    if isinstance(named, Ignored):
        return Ignored(named.reason, named.detail, event_id)
    return Incident(
        source=Source.EVENT_GRID,
        kind=Kind.HINT,
        event_id=event_id,
        occurred_at=time_at(event, "time" if _is_cloud_event(event) else "eventTime", where),
        vm_id=named.id if isinstance(named, NamedVm) else None,
        clue=None if isinstance(named, NamedVm) else named,
        summary=summary,
    )


def _refuse_shape(where: str) -> NoReturn:
    refuse(f"{where} is neither an Event Grid event nor a CloudEvent")
