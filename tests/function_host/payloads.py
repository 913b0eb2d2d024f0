"""What the host sends to the worker for each kind of trigger, in the shapes of FunctionRpc.proto."""

import base64
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.function_host.routing import query_parameters

_BASE_URL = "https://functions.invalid"


def json_datum(value: object) -> dict[str, Any]:
    """Return a JSON value; the host sends everything that is neither text nor bytes like this."""
    return {"kind": "json", "value": json.dumps(value)}


def string_datum(value: str) -> dict[str, Any]:
    """Return a text value."""
    return {"kind": "string", "value": value}


def http_request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: object,
    route_parameters: Mapping[str, str],
) -> dict[str, Any]:
    """Return an HTTP request; a body that is neither bytes nor str becomes JSON."""
    sent_headers = {"Host": "functions.invalid"} | dict(headers)
    if not isinstance(body, bytes | str):
        body = json.dumps(body)
        sent_headers.setdefault("Content-Type", "application/json")
    content = body.encode() if isinstance(body, str) else body
    request = {
        "method": method.upper(),
        "url": url if "://" in url else _BASE_URL + url,
        "headers": sent_headers,
        "query": query_parameters(url),
        "params": dict(route_parameters),
        # The runtime asks for raw bytes (capability RawHttpBodyBytes).
        "body": base64.b64encode(content).decode(),
    }
    return {"kind": "http", "value": request}


def queue_metadata(
    text: str, *, dequeue_count: int, message_id: str | None, pop_receipt: str, inserted_at: datetime | None
) -> dict[str, dict[str, Any]]:
    """Return the trigger metadata that the queue extension gives with a message."""
    inserted = inserted_at or datetime.now(UTC)
    return {
        "QueueTrigger": string_datum(text),
        "Id": string_datum(message_id or str(uuid.uuid4())),
        "PopReceipt": string_datum(pop_receipt),
        "DequeueCount": json_datum(dequeue_count),
        "InsertionTime": json_datum(inserted.isoformat()),
        "ExpirationTime": json_datum((inserted + timedelta(days=7)).isoformat()),
        "NextVisibleTime": json_datum((datetime.now(UTC) + timedelta(minutes=10)).isoformat()),
    }


def timer(*, past_due: bool) -> dict[str, Any]:
    """Return what a timer function is given."""
    never = "0001-01-01T00:00:00"
    status = {"Last": never, "LastUpdated": never, "Next": datetime.now(UTC).isoformat()}
    return json_datum({"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": past_due})
