"""What a check may conclude."""

from dataclasses import dataclass, field
from typing import Any

from rdp_remediate.models.report import Confidence, Effect, FindingStatus


@dataclass(frozen=True)
class Outcome:
    """The conclusion of one check about one VM."""

    status: FindingStatus
    reason: str | None = None
    fault: str | None = None
    effect: Effect | None = None
    confidence: Confidence | None = None
    because: str | None = None
    evidence: dict[str, Any] = field(default_factory=dict)


def passed(reason: str, **evidence: Any) -> Outcome:
    """The healthy statement holds."""
    return Outcome(FindingStatus.PASS, reason, evidence=evidence)


def failed(
    fault: str,
    reason: str,
    effect: Effect = Effect.BLOCKS,
    confidence: Confidence = Confidence.CONFIRMED,
    **evidence: Any,
) -> Outcome:
    """A fault of the catalogue is there."""
    return Outcome(FindingStatus.FAIL, reason, fault, effect, confidence, evidence=evidence)


def by_design(fault: str | None, reason: str, **evidence: Any) -> Outcome:
    """The way in is closed on purpose; that is nobody's mistake."""
    return Outcome(
        FindingStatus.BY_DESIGN,
        reason,
        fault,
        Effect.BLOCKS if fault else None,
        Confidence.CONFIRMED,
        evidence=evidence,
    )


def unknown(reason: str, because: str, **evidence: Any) -> Outcome:
    """The question cannot be answered from what was seen."""
    return Outcome(FindingStatus.UNKNOWN, reason, because=because, evidence=evidence)


def unexplained(reason: str) -> Outcome:
    """The asked user was refused and why cannot be told: nothing may be called reachable for this user."""
    return Outcome(FindingStatus.UNKNOWN, reason, effect=Effect.BLOCKS, because="refused without a reason")


def skipped(because: str) -> Outcome:
    """The question does not arise."""
    return Outcome(FindingStatus.SKIPPED, because=because)
