"""Long-running operations of ARM, one answer at a time: pure, so that any process can go on from stored state.

Recorded behaviour that this follows: a failed operation answers HTTP 200; a finished POST still carries Location;
Network diagnostics send only Location and the body `null`; Network PUT sends only Azure-AsyncOperation; Compute names
no wait; poll URLs change at every answer; a poll itself may answer 500 and later succeed. Protocol:
learn.microsoft.com/azure/azure-resource-manager/management/async-operations.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from azure.core.polling import AsyncPollingMethod

from rdp_remediate.arm.answers import Answer, stated_wait_s
from rdp_remediate.models.base import JsonObject

_FAILED = frozenset({"failed", "canceled", "cancelled"})
_ENDED = _FAILED | {"succeeded"}
_MOST_FAILED_POLLS = 30


@dataclass(frozen=True, slots=True)
class PollTimes:
    """How long to wait between polls.

    Attributes:
        default_s: Where Azure names no wait; Compute never does.
        longest_s: Azure's wishes for longer waits are cut to this.
    """

    default_s: float = 2.0
    longest_s: float = 5.0

    def wait_s(self, stated_s: float | None) -> float:
        """The wait before the next poll; 0 means at once."""
        return min(self.default_s if stated_s is None else stated_s, self.longest_s)


class FirstAnswer(AsyncPollingMethod[None]):
    """Hands the first answer of a `begin_` call of the SDK to us and polls nothing itself."""

    def __init__(self) -> None:
        self.response: Any = None

    def initialize(self, client: Any, initial_response: Any, deserialization_callback: Any) -> None:
        """Keeps the first answer."""
        del client, deserialization_callback
        self.response = initial_response.http_response

    async def run(self) -> None:
        """Polls nothing."""

    def status(self) -> str:
        """The SDK's word for an operation that goes on."""
        return "InProgress"

    def finished(self) -> bool:
        """True: as far as the SDK is concerned there is nothing left to do."""
        return True

    def resource(self) -> None:
        """Nothing: the answer is read from `response`."""


@dataclass(frozen=True, slots=True)
class PollState:
    """Where an operation stands; its URLs are signed, so it is kept only in the store's row and never logged.

    Attributes:
        kind: What `url` is: an operation status (`async`), a result monitor (`location`), the resource itself
            (`resource`), or the last read of a result (`final`).
        url: What to ask next.
        location: Where the result will be, if the answer said so.
        resource: URL of the resource that a PUT wrote; its last read is the result.
        asked: What was started, for messages.
        wants_result: Whether the end has a value: a POST that yields a result, or a PUT.
        failed_polls: Polls in a row that gave no answer.
    """

    kind: Literal["async", "location", "resource", "final"]
    url: str
    asked: str
    wants_result: bool = True
    location: str | None = None
    resource: str | None = None
    failed_polls: int = 0

    def to_json(self) -> JsonObject:
        """The state as JSON."""
        return {"schema": "rdp-remediate/arm-operation/1", **asdict(self)}

    @staticmethod
    def from_json(document: JsonObject) -> "PollState":
        """The state from JSON.

        Raises:
            ValueError: The document is no poll state.
        """
        if document.get("schema") != "rdp-remediate/arm-operation/1" or not isinstance(document.get("url"), str):
            raise ValueError("The stored operation is no poll state of this version.")
        known = {key: document[key] for key in PollState.__slots__ if key in document}
        return PollState(**known)


@dataclass(frozen=True, slots=True)
class Running:
    """The operation goes on; ask again after `wait_s` (None: Azure named no wait)."""

    state: PollState
    wait_s: float | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The operation ended well."""

    value: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """The operation ended as failed or cancelled; the answer says why."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Lost:
    """The operation's status cannot be read any more."""

    answer: Answer


Polled = Running | Ended | Failed | Lost


def begin(answer: Answer, *, method: str, url: str, asked: str, wants_result: bool = True) -> Polled:
    """What the first answer of a call means."""
    monitor, location = answer.headers.get("azure-asyncoperation"), answer.headers.get("location")
    is_put = method.upper() in ("PUT", "PATCH")
    resource = url if is_put else None
    state: PollState | None = None
    if answer.status == 202 or is_put:
        if monitor:
            state = PollState("async", monitor, asked, wants_result, location, resource)
        elif answer.status == 202 and location:
            state = PollState("location", location, asked, wants_result, location, resource)
        elif is_put:
            state = PollState("resource", url, asked, wants_result, None, resource)
    if is_put:
        status = _provisioning_state(answer.body)
        if status in _FAILED:
            return Failed(answer)
        if answer.status in (200, 201) and (status == "succeeded" or (status is None and not monitor)):
            return Ended(answer.body)
    return Running(state, stated_wait_s(answer.headers)) if state else Ended(answer.body)


def advance(state: PollState, answer: Answer) -> Polled:
    """What the answer of one poll means."""
    wait_s = stated_wait_s(answer.headers)
    if answer.status in (408, 429) or answer.status >= 500:
        return no_answer(state, answer, wait_s)
    if answer.status >= 300:
        # a deleted resource answers its own monitor with 404 only when it is gone; we never poll it for deletes
        return Lost(answer)
    if not answer.is_json:
        return no_answer(state, answer, wait_s)
    state = replace(state, failed_polls=0)
    location = answer.headers.get("location") or state.location
    if state.kind == "final":
        return Ended(answer.body)
    if state.kind == "location":
        if answer.status == 202:
            return Running(replace(state, url=location or state.url, location=location), wait_s)
        return Failed(answer) if _is_failed_envelope(answer.body) else Ended(answer.body)
    if state.kind == "resource":
        status = _provisioning_state(answer.body)
    else:
        status = _status(answer.body)
        monitor = answer.headers.get("azure-asyncoperation") or state.url
        state = replace(state, url=monitor, location=location)
    if status not in _ENDED:
        return Running(state, wait_s)
    if status in _FAILED:
        return Failed(answer)
    return _end(state, answer)


def no_answer(state: PollState, answer: Answer | None = None, wait_s: float | None = None) -> Running | Lost:
    """A poll that failed for its own reasons says nothing about the operation, until it fails too often."""
    failed = state.failed_polls + 1
    if failed > _MOST_FAILED_POLLS:
        return Lost(answer or Answer(0, {}, None, True, "no poll of this operation was answered"))
    return Running(replace(state, failed_polls=failed), wait_s)


def _end(state: PollState, answer: Answer) -> Polled:
    if not state.wants_result:
        return Ended(None)
    if state.kind == "resource":
        return Ended(answer.body)
    output = _output(answer.body)
    if output is not None:
        return Ended(output)
    final = state.resource or state.location
    if final is None:
        return Ended(answer.body)
    return Running(replace(state, kind="final", url=final), 0.0)


def _output(body: Any) -> Any:
    """The result that Compute puts into the operation's status; old versions give the bare list."""
    properties = body.get("properties") if isinstance(body, dict) else None
    output = properties.get("output") if isinstance(properties, dict) else None
    return {"value": output} if isinstance(output, list) else output


def _status(body: Any) -> str | None:
    if not isinstance(body, dict):
        return None
    status = body.get("status") or body.get("Status")
    return status.strip().lower() if isinstance(status, str) else _provisioning_state(body)


def _provisioning_state(body: Any) -> str | None:
    properties = body.get("properties") if isinstance(body, dict) else None
    state = properties.get("provisioningState") if isinstance(properties, dict) else None
    return state.strip().lower() if isinstance(state, str) else None


def _is_failed_envelope(body: Any) -> bool:
    if not isinstance(body, dict):
        return False
    status = body.get("status")
    return isinstance(status, str) and status.strip().lower() in _FAILED and "error" in body
