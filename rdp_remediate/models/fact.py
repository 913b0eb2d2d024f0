"""What was seen and what could not be seen: every read ends as one of these two.

Unseen is not absent. A reader that was refused, timed out or got nonsense returns `Unavailable` with the reason;
no caller ever gets a default in its place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")


class Reason(StrEnum):
    """Why a fact is not there. The words are part of the bundle's contract."""

    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    TIMEOUT = "timeout"
    BUSY = "busy"
    THROTTLED = "throttled"
    NOT_RUNNING = "not_running"
    LOCKED = "locked"
    UNREACHABLE = "unreachable"
    SERVER_ERROR = "server_error"
    NOT_SUPPORTED = "not_supported"
    NOT_CONFIGURED = "not_configured"
    NOT_COLLECTED = "not_collected"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True)
class Observed(Generic[T_co]):
    """A value that was read.

    Attributes:
        value: What was read.
        source: Where it came from, such as an ARM id or a guest section.
        at: When it was read, aware UTC.
    """

    value: T_co
    source: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A read that gave no value.

    Attributes:
        reason: The kind of failure.
        detail: One sentence for people: what was refused or failed, without secrets.
        source: What was read.
    """

    reason: Reason
    detail: str
    source: str = ""


Fact = Observed[U] | Unavailable
"""The outcome of one read."""


def derive(fact: Fact[T_co], read: Callable[[T_co], U]) -> Fact[U]:
    """Applies a total function to an observed value; an unavailable fact stays as it is."""
    if isinstance(fact, Unavailable):
        return fact
    return Observed(read(fact.value), fact.source, fact.at)
