"""The path client → edge → endpoint → network → platform → guest as six boxes, with the broken one standing out."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rdp_remediate.models.report import HOPS, Confidence, Effect, Finding, FindingStatus, Hop, Verdict
from rdp_remediate.report.wording import plain

HOP_GROUPS = ("client", "edge", "endpoint", "network", "platform", "guest")


class Mark(StrEnum):
    """How one stretch of the path stands; `unknown` covers both unseen and never judged."""

    BROKEN = "broken"
    BY_DESIGN = "by design"
    UNKNOWN = "unknown"
    OK = "ok"
    DEGRADED = "degraded"


SYMBOLS = {Mark.BROKEN: "✗", Mark.BY_DESIGN: "◼", Mark.UNKNOWN: "?", Mark.OK: "✓", Mark.DEGRADED: "!"}


@dataclass(frozen=True, slots=True)
class Segment:
    """One box of the drawn path.

    Attributes:
        hop_group: One of HOP_GROUPS; `guest` stands for all hops inside Windows.
        mark: How it stands.
        text: Why, one line without control characters.
    """

    hop_group: str
    mark: Mark
    text: str


def hop_group(hop: Hop) -> str:
    """The box that a hop belongs to."""
    return "guest" if hop.value.startswith("guest-") else hop.value


def segments(findings: Sequence[Finding], verdict: Verdict) -> list[Segment]:
    """Six segments in path order; nothing is marked ok without a check that passed there."""
    return [_segment(group, findings, verdict) for group in HOP_GROUPS]


def _segment(group: str, findings: Sequence[Finding], verdict: Verdict) -> Segment:
    here = sorted((f for f in findings if hop_group(f.hop) == group), key=lambda f: HOPS.index(f.hop))
    for mark in (Mark.BROKEN, Mark.BY_DESIGN, Mark.UNKNOWN, Mark.DEGRADED):
        found = [f for f in here if _mark(f) is mark]
        if found:
            return Segment(group, mark, "; ".join(_why(f) for f in found))
    # A verdict may come with its hop alone, as in a report whose findings were left out.
    if verdict.hop is not None and hop_group(verdict.hop) == group and verdict.status in ("broken", "by_design"):
        mark = Mark.BROKEN if verdict.status == "broken" else Mark.BY_DESIGN
        return Segment(group, mark, plain(verdict.headline))
    if any(f.status is FindingStatus.PASS for f in here):
        return Segment(group, Mark.OK, "no fault was found here")
    return Segment(group, Mark.UNKNOWN, "not judged")


def _mark(finding: Finding) -> Mark | None:
    match finding.status:
        case FindingStatus.BY_DESIGN:
            return Mark.BY_DESIGN
        case FindingStatus.UNKNOWN | FindingStatus.ERROR:
            return Mark.UNKNOWN
        case FindingStatus.FAIL if finding.effect is Effect.BLINDS:
            return Mark.UNKNOWN
        case FindingStatus.FAIL if finding.effect is Effect.BLOCKS and finding.confidence is not Confidence.POSSIBLE:
            return Mark.BROKEN
        case FindingStatus.FAIL:
            return Mark.DEGRADED
    return None


def _why(finding: Finding) -> str:
    said = plain(finding.reason or finding.title)
    return f"{finding.fault}: {said}" if finding.fault else said


def draw(shown: Sequence[Segment]) -> list[str]:
    """Three or four lines of boxes, at most 100 columns wide; a broken box has a double border."""
    boxes = [_box(one) for one in shown]
    out = []
    for row in range(4):
        joint = "─▶" if row == 1 else "  "
        out.append(joint.join(box[row] for box in boxes))
    return out


def _box(segment: Segment) -> tuple[str, str, str, str]:
    label = f"{SYMBOLS[segment.mark]} {segment.mark.value}"
    width = max(len(segment.hop_group), len(label)) + 2
    corners, across, down = ("╔╗╚╝", "═", "║") if segment.mark is Mark.BROKEN else ("┌┐└┘", "─", "│")
    return (
        f"{corners[0]}{across * width}{corners[1]}",
        f"{down}{segment.hop_group:^{width}}{down}",
        f"{down}{label:^{width}}{down}",
        f"{corners[2]}{across * width}{corners[3]}",
    )
