"""Resource Health, annotations and refused operations, in the dialects in which they come."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rdp_remediate.facts.evidence import parsed
from rdp_remediate.facts.platform_health import read_annotations, read_health, read_refusals
from rdp_remediate.models.fact import Observed, Reason, Unavailable

AT = datetime(2026, 1, 15, 9, 48, tzinfo=UTC)


@pytest.mark.parametrize(
    ("properties", "state", "by_platform", "planned"),
    [
        ({"availabilityState": "Available", "reasonType": ""}, "available", False, False),
        ({"availabilityState": "Unavailable", "reasonType": "Unplanned"}, "unavailable", True, False),
        ({"availabilityState": "Unavailable", "reasonType": "Planned"}, "unavailable", True, True),
        ({"availabilityState": "Unavailable", "reasonType": "Unplanned", "context": "Customer Initiated"}, "unavailable", False, False),
        ({"availabilityState": "Unavailable", "reasonType": "UserInitiated"}, "unavailable", False, False),
    ],
)  # fmt: skip
def test_health(properties: dict[str, Any], state: str, by_platform: bool, planned: bool) -> None:
    health = read_health({"properties": properties})
    assert (health.state, health.by_platform, health.planned) == (state, by_platform, planned)


@pytest.mark.parametrize(
    "raw", [{}, {"properties": {}}, {"properties": {"availabilityState": None}}, [], {"value": []}]
)
def test_health_of_another_shape_is_malformed_and_not_healthy(raw: Any) -> None:
    fact = parsed(Observed(raw, "health", AT), read_health)
    assert isinstance(fact, Unavailable)
    assert fact.reason is Reason.MALFORMED


def test_annotations_come_in_the_order_of_their_times() -> None:
    rows = [
        {"properties": {"annotationName": "second", "occurredTime": "2026-01-15T09:48:00Z"}},
        {"properties": {"annotationName": "first", "occurredTime": "2026-01-14T09:48:00.1234567Z"}},
        {"annotationName": "timeless"},
    ]
    assert [one.name for one in read_annotations({"value": rows})] == ["timeless", "first", "second"]


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"statusMessage": '{"error": {"code": "AllocationFailed", "message": "no"}}'}, "AllocationFailed"),
        ({"statusMessage": '{"code": " QuotaExceeded", "message": "no"}'}, "QuotaExceeded"),
        ({"statusMessage": {"error": {"code": "AllocationFailed"}}}, "AllocationFailed"),
        (
            '{"statusCode": "Conflict", "statusMessage": "{\\"error\\": {\\"code\\": \\"ScopeLocked\\"}}"}',
            "ScopeLocked",
        ),
        ({"statusCode": "Conflict", "statusMessage": "<html>"}, "Conflict"),
        ({"statusCode": "Conflict", "statusMessage": "[1]"}, "Conflict"),
        (None, "Forbidden"),
    ],
)
def test_the_code_of_a_refused_operation(properties: Any, code: str) -> None:
    event = {
        "eventTimestamp": "2026-01-15T09:48:00Z",
        "operationName": {"value": "Microsoft.Compute/virtualMachines/start/action"},
        "status": {"value": "Failed"},
        "subStatus": {"value": "Forbidden"},
        "properties": properties,
    }
    assert [one.code for one in read_refusals([event])] == [code]


def test_only_what_failed_is_a_refusal() -> None:
    rows: list[dict[str, Any]] = [
        {"eventTimestamp": "2026-01-15T09:48:00Z", "status": {"value": word}} for word in ("Succeeded", "Started", "")
    ]
    assert read_refusals([*rows, {"status": {"value": "Failed"}}]) == []
