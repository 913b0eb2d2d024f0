"""What Azure says about the platform under the VM: Resource Health, its annotations, and operations that it refused."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rdp_remediate.facts.evidence import objects
from rdp_remediate.facts.platform import read_time, value_of
from rdp_remediate.models.base import JsonObject


@dataclass(frozen=True)
class Annotation:
    """A Resource Health annotation, such as VirtualMachinePreempted."""

    name: str
    context: str
    at: datetime | None
    summary: str = ""


@dataclass(frozen=True)
class Health:
    """The current availability status of the VM.

    Attributes:
        state: Available, Unavailable, Degraded or Unknown.
        by_platform: Azure itself is the cause, not a person or Windows.
        planned: The platform does it on purpose, such as maintenance.
        title: Azure's own words.
        since: When this state began.
    """

    state: str
    by_platform: bool
    planned: bool
    title: str
    since: datetime | None


@dataclass(frozen=True)
class Refusal:
    """One operation that ended as failed in the activity log, with Azure's error code."""

    at: datetime
    operation: str
    resource_id: str
    caller: str
    code: str
    message: str


def read_annotations(raw: Any) -> list[Annotation]:
    """Reads the annotations, oldest first; those without a time come before the others."""
    found = []
    for row in objects(raw):
        body: Mapping[str, Any] = row["properties"] if isinstance(row.get("properties"), dict) else row
        found.append(
            Annotation(
                name=str(body.get("annotationName") or ""),
                context=str(body.get("context") or ""),
                at=read_time(body.get("occurredTime") or body.get("occuredTime")),
                summary=str(body.get("summary") or ""),
            )
        )
    return sorted(found, key=lambda one: (one.at is not None, one.at.timestamp() if one.at else 0.0))


def read_health(raw: Any) -> Health:
    """Reads availabilityStatuses/current.

    Raises:
        TypeError: The answer has no properties or no state.
    """
    properties = raw.get("properties") if isinstance(raw, dict) else None
    state = properties.get("availabilityState") if isinstance(properties, dict) else None
    if not isinstance(properties, dict) or not isinstance(state, str):
        raise TypeError("expected properties.availabilityState")
    reason = str(properties.get("reasonType") or "").lower()
    context = str(properties.get("context") or "").lower()
    return Health(
        state=state.lower(),
        by_platform=context.startswith("platform") or (not context and reason in ("unplanned", "planned")),
        planned=reason == "planned" or str(properties.get("category") or "").lower() == "planned",
        title=str(properties.get("title") or state),
        since=read_time(properties.get("occuredTime") or properties.get("occurredTime")),
    )


def read_refusals(events: Sequence[JsonObject]) -> list[Refusal]:
    """Reads the activity-log events that ended as failed, oldest first."""
    found = []
    for event in events:
        at = read_time(event.get("eventTimestamp"))
        if at is None or value_of(event.get("status")).lower() not in ("failed", "failure"):
            continue
        code, message = _error(event)
        found.append(
            Refusal(
                at=at,
                operation=value_of(event.get("operationName")),
                resource_id=str(event.get("resourceId") or event.get("resourceUri") or ""),
                caller=str(event.get("caller") or ""),
                code=code,
                message=message,
            )
        )
    return sorted(found, key=lambda one: one.at)


def _error(event: JsonObject) -> tuple[str, str]:
    """Code and text of the error: JSON within the text properties.statusMessage; else the status code's name."""
    properties = _decoded(event.get("properties"))
    body = _decoded(properties.get("statusMessage"))
    inner = body.get("error")
    error: JsonObject = inner if isinstance(inner, dict) else body
    code = error.get("code") or properties.get("statusCode") or value_of(event.get("subStatus"))
    return str(code or "").strip(), str(error.get("message") or "").strip()


def _decoded(value: Any) -> JsonObject:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}
