"""What the test host gives back: indexed functions, invocations, and the ways it can fail."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class HostError(Exception):
    """The test host could not do what was asked."""


class IndexingError(HostError):
    """The app did not index: in Azure none of its functions would exist."""

    def __init__(self, message: str, stack_trace: str) -> None:
        super().__init__(message)
        self.message = message
        self.stack_trace = stack_trace


class HostDiedError(HostError):
    """The child process ended while something was expected of it."""

    def __init__(self, exit_code: int | None, output: str) -> None:
        super().__init__(f"the function host's process ended with exit code {exit_code}; its output:\n{output[-4000:]}")
        self.exit_code = exit_code
        self.output = output


class InvocationTimeoutError(HostError):
    """A function did not end in time; its process was killed."""


@dataclass(frozen=True)
class MissingSetting:
    """A setting that a binding names and the environment doesn't have: the host would not start the function."""

    function: str
    property: str
    setting: str


@dataclass(frozen=True)
class Function:
    """An indexed function with its bindings as the runtime reports them to the host."""

    name: str
    function_id: str
    bindings: tuple[Mapping[str, Any], ...]

    @property
    def trigger(self) -> Mapping[str, Any]:
        """The one binding whose type ends in Trigger."""
        return next(binding for binding in self.bindings if str(binding["type"]).endswith("Trigger"))

    @property
    def outputs(self) -> Mapping[str, Mapping[str, Any]]:
        """Output bindings by parameter name."""
        return {str(binding["name"]): binding for binding in self.bindings if binding["direction"] == "OUT"}


@dataclass(frozen=True)
class LogLine:
    """A log record of the child; `invocation_id` is None outside an invocation."""

    invocation_id: str | None
    logger: str
    level: str
    message: str


def decode(data: Mapping[str, Any] | None) -> Any:
    """Return the Python value of a typed value that the child sent."""
    if data is None:
        return None
    if data["kind"] == "bytes":
        return base64.b64decode(data["value"])
    if data["kind"] == "json":
        return json.loads(data["value"])
    return data["value"]


def queue_messages(data: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the texts that a queue output binding would put on its queue.

    Raises:
        HostError: For func.QueueMessage objects: how the .NET host writes them is not covered here; use str.
    """
    value = decode(data)
    if value is None:
        return ()
    if isinstance(value, bytes):
        return (value.decode(),)
    messages = value if isinstance(value, list) else [value]
    if any(not isinstance(message, str) for message in messages):
        raise HostError("a queue output was given something else than str; the test host only covers str")
    return tuple(messages)


@dataclass(frozen=True)
class Invocation:
    """The end of one invocation: failed with an exception, or done with an answer and outputs."""

    function: str
    invocation_id: str
    exception: str | None
    stack_trace: str | None
    return_value: Mapping[str, Any] | None
    raw_outputs: Mapping[str, Mapping[str, Any] | None]
    logs: tuple[LogLine, ...]
    duration_s: float

    @property
    def ok(self) -> bool:
        """The function returned and its answer could be encoded."""
        return self.exception is None

    def must_succeed(self) -> "Invocation":
        """Return this invocation, or fail with the function's own traceback."""
        if self.exception is not None:
            raise AssertionError(f"{self.function} failed: {self.exception}\n{self.stack_trace}")
        return self

    @property
    def status(self) -> int:
        """HTTP status as a client would see it: 500 for an exception, 200 for a plain text answer, 204 for none."""
        if self.exception is not None:
            return 500
        if self.return_value is None:
            return 204
        return int(self.return_value["value"]["status_code"]) if self.return_value["kind"] == "http" else 200

    @property
    def headers(self) -> Mapping[str, str]:
        """HTTP headers of the answer, names in lower case."""
        if self.return_value is None or self.return_value["kind"] != "http":
            return {}
        return {name.lower(): value for name, value in self.return_value["value"]["headers"].items()}

    @property
    def body(self) -> bytes:
        """HTTP body of the answer."""
        if self.return_value is None:
            return b""
        value = self.return_value["value"]["body"] if self.return_value["kind"] == "http" else self.return_value
        content = decode(value)
        return content.encode() if isinstance(content, str) else bytes(content or b"")

    def json(self) -> Any:
        """Return the HTTP body, decoded from JSON."""
        return json.loads(self.body)

    def queue_outputs(self, binding: str) -> tuple[str, ...]:
        """Return the message texts of the queue output binding with this parameter name."""
        return queue_messages(self.raw_outputs.get(binding))
