"""Resource Health and the activity log."""

import re
from datetime import datetime
from typing import Any

from rdp_remediate.lab.arm_compute import VM
from rdp_remediate.lab.arm_http import SUB, ArmError, Call, Reply, Route, not_found
from rdp_remediate.lab.healthy import stable_guid
from rdp_remediate.lab.time_shift import parse_moment

_CLAUSE = re.compile(r"(\w+)\s+(eq|ge|le|gt|lt)\s+'([^']*)'", re.IGNORECASE)


async def current_health(call: Call) -> Reply:
    """GET availabilityStatuses/current; the REST API spells it `occuredTime`.

    Resource annotations come from Resource Graph in Azure; `$expand=annotations` is the lab's own shortcut to them.
    """
    scope = call.parent(4)
    vm = call.world.resources.get(scope.lower())
    if vm is None:
        raise not_found(scope)
    health = call.world.health if scope.lower() == call.world.vm_id.lower() else {"availabilityState": "Unknown"}
    if not health or health.get("missing"):
        raise ArmError(404, "ResourceNotFound", f"No availability status was found for the resource {scope}.")
    properties: dict[str, Any] = {**health}
    if "annotations" in call.query.get("$expand", "").lower():
        properties["annotations"] = call.world.annotations
    return Reply(
        200,
        {
            "id": f"{scope}/providers/Microsoft.ResourceHealth/availabilityStatuses/current",
            "name": "current",
            "type": "Microsoft.ResourceHealth/AvailabilityStatuses",
            "location": vm["location"],
            "properties": properties,
        },
    )


def _moment(event: dict[str, Any]) -> datetime:
    return parse_moment(str(event["eventTimestamp"]))


def _passes(event: dict[str, Any], field: str, operator: str, wanted: str) -> bool:
    if field == "eventtimestamp":
        limit = parse_moment(wanted)
        return _moment(event) >= limit if operator in ("ge", "gt") else _moment(event) <= limit
    actual = {
        "resourceuri": str(event.get("resourceId", "")),
        "resourceid": str(event.get("resourceId", "")),
        "resourcegroupname": _group(event),
        "correlationid": str(event.get("correlationId", "")),
        "caller": str(event.get("caller", "")),
        "resourceprovider": str(event.get("operationName", {}).get("value", "")).split("/")[0],
        "status": str(event.get("status", {}).get("value", "")),
    }
    return field not in actual or actual[field].lower() == wanted.lower()


def _group(event: dict[str, Any]) -> str:
    parts = str(event.get("resourceId", "")).split("/")
    return parts[4] if len(parts) > 4 else ""


def full_event(event: dict[str, Any], subscription: str, tenant: str) -> dict[str, Any]:
    """Returns an event with every field that the REST list holds (activitylog-list-full)."""
    rid = str(event.get("resourceId", ""))
    operation = event.get("operationName", {}).get("value", "")
    event_id = event.get("eventDataId") or stable_guid(
        f"{rid}{operation}{event['eventTimestamp']}{event.get('status')}"
    )
    after = rid.rsplit("/providers/", maxsplit=1)[-1].split("/")
    provider, kind = after[0], "/".join([after[0], *after[1::2]])
    value = str(event.get("status", {}).get("value", ""))
    ended = "BeginRequest" if value in ("Started", "Accepted") else "EndRequest"
    return {
        "authorization": {"action": operation, "scope": rid},
        "channels": "Operation",
        "claims": {},
        "description": "",
        "eventDataId": event_id,
        "eventName": {"value": ended, "localizedValue": ended},
        "id": f"{rid}/events/{event_id}/ticks/{int(_moment(event).timestamp() * 10_000_000)}",
        "operationId": event.get("correlationId"),
        "properties": {},
        "resourceGroupName": _group(event),
        "resourceProviderName": {"value": provider, "localizedValue": provider},
        "resourceType": {"value": kind, "localizedValue": kind},
        "subscriptionId": subscription,
        "tenantId": tenant,
        **event,
    }


async def activity_log(call: Call) -> Reply:
    """GET of the activity log: newest first; `$filter` is required, `$select` leaves every other field out."""
    text = call.query.get("$filter", "")
    clauses = [(f.lower(), o.lower(), w) for f, o, w in _CLAUSE.findall(text)]
    if not any(f == "eventtimestamp" and o in ("ge", "gt") for f, o, _ in clauses):
        raise ArmError(400, "BadRequest", "The $filter query parameter must hold the start of the time range.")
    try:
        events = [e for e in call.world.activity if all(_passes(e, *clause) for clause in clauses)]
    except ValueError as error:
        raise ArmError(400, "BadRequest", f"The $filter query parameter holds an invalid time: {error}.") from error
    names = call.world.names
    full = [full_event(e, names.subscription, names.tenant) for e in sorted(events, key=_moment, reverse=True)]
    wanted = [s.strip() for s in call.query.get("$select", "").split(",") if s.strip()]
    if wanted:
        full = [{k: v for k, v in e.items() if k in wanted} for e in full]
    return Reply(200, {"value": full})


def routes() -> list[Route]:
    """The routes of this area."""
    health = f"{VM}/providers/Microsoft.ResourceHealth/availabilityStatuses/current"
    return [
        Route("GET", health, "Microsoft.ResourceHealth/AvailabilityStatuses/current/read", current_health, drop=4),
        Route(
            "GET",
            f"{SUB}/providers/Microsoft.Insights/eventtypes/management/values",
            "Microsoft.Insights/eventtypes/values/read",
            activity_log,
            drop=5,
        ),
    ]
