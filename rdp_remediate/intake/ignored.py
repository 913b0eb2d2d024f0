"""What intake leaves alone, and why, by name."""

from dataclasses import dataclass
from enum import StrEnum


class IgnoredReason(StrEnum):
    """Why a payload starts nothing. Only what the payload itself shows; what ARM shows is decided by the run."""

    RESOLVED = "resolved"
    OWN_CHANGE = "own_change"
    JUST_IN_TIME = "just_in_time"
    TWIN = "twin"
    NO_CHANGE = "no_change"
    USER_INITIATED = "user_initiated"
    UNRELATED_RESOURCE = "unrelated_resource"
    UNRELATED_EVENT = "unrelated_event"
    SCALE_SET_INSTANCE = "scale_set_instance"
    ARC_MACHINE = "arc_machine"
    NO_MACHINE_NAMED = "no_machine_named"
    SUBSCRIPTION_VALIDATION = "subscription_validation"


NOT_REPAIRED = frozenset({IgnoredReason.ARC_MACHINE, IgnoredReason.SCALE_SET_INSTANCE})
"""Reasons that name a machine, though none of ours."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something that was understood and starts nothing.

    Attributes:
        reason: The named reason.
        detail: One sentence for people and logs.
        event_id: The alert or event id, if the payload was read that far.
    """

    reason: IgnoredReason
    detail: str
    event_id: str | None = None
