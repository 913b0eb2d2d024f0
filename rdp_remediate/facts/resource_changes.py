"""What Resource Graph saw change (resourcechanges): before and after, where the activity log has the operation only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rdp_remediate.facts.evidence import objects
from rdp_remediate.facts.platform import read_time
from rdp_remediate.models.base import JsonObject


@dataclass(frozen=True)
class Property:
    """One property that changed; "null" stands for none."""

    path: str
    before: str
    after: str


@dataclass(frozen=True)
class ResourceChange:
    """One change of one resource.

    Attributes:
        at: When.
        resource_id: What; Resource Graph writes parts of it in lower case.
        kind: Create, Update or Delete.
        by: Who, as the log has it; None: not told.
        operation: The operation that did it; None: not told.
        correlation_id: The id that the activity log's event of the same operation has.
        properties: Those that a person or an app set; what Azure sets by itself (category System) is left out.
    """

    at: datetime
    resource_id: str
    kind: str
    by: str | None
    operation: str | None
    correlation_id: str | None
    properties: tuple[Property, ...]


def read_resource_changes(raw: Any) -> list[ResourceChange]:
    """Reads the rows, oldest first; one without time or target is left out."""
    found = []
    for row in objects(raw):
        properties = row.get("properties") or {}
        attributes = properties.get("changeAttributes") or {}
        at = read_time(attributes.get("timestamp"))
        target = str(properties.get("targetResourceId") or "")
        if at is None or not target:
            continue
        found.append(
            ResourceChange(
                at=at,
                resource_id=target,
                kind=str(properties.get("changeType") or "Update"),
                by=_named(attributes.get("changedBy")),
                operation=_named(attributes.get("operation")),
                correlation_id=_named(attributes.get("correlationId")),
                properties=_properties(properties.get("changes")),
            )
        )
    return sorted(found, key=lambda change: change.at)


def _named(value: Any) -> str | None:
    """Resource Graph writes Unspecified where it does not know."""
    text = str(value or "").strip()
    return None if text.lower() in ("", "unspecified", "null") else text


def _properties(changes: Any) -> tuple[Property, ...]:
    rows: dict[str, JsonObject] = changes if isinstance(changes, dict) else {}
    return tuple(
        Property(path, str(one.get("previousValue", "null")), str(one.get("newValue", "null")))
        for path, one in rows.items()
        if isinstance(one, dict) and str(one.get("changeCategory", "")).lower() != "system"
    )
