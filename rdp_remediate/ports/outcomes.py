"""What became of a write or a script."""

from dataclasses import dataclass
from typing import Any

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Reason


@dataclass(frozen=True, slots=True)
class Completed:
    """A write that ended well; `value` is the resource or the operation's output."""

    value: Any


@dataclass(frozen=True, slots=True)
class Rejected:
    """A write that Azure refused: nothing was changed.

    Attributes:
        reason: The kind of refusal.
        status: HTTP status.
        code: Azure's error code without blanks around it.
        detail: One sentence without secrets.
        retry_after_s: Azure's wait, clamped, where it named one.
    """

    reason: Reason
    status: int
    code: str
    detail: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """The answer of a write was lost; nobody knows whether it happened. Never repeat it: read and compare."""

    detail: str


@dataclass(frozen=True, slots=True)
class Started:
    """A long-running operation; `operation` is opaque JSON to poll with, secret (poll URLs are signed)."""

    operation: JsonObject
    retry_after_s: float = 5.0


WriteOutcome = Completed | Rejected | OutcomeUnknown | Started
