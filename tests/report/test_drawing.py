"""The drawn path."""

import pytest

from rdp_remediate.models.report import Confidence, Effect, Finding, FindingStatus, Hop, Verdict
from rdp_remediate.report.drawing import HOP_GROUPS, Mark, Segment, draw, segments
from tests.report import factories as make

UNPROVEN = Verdict(status="not_proven", headline="nothing is proven")


def _marks(findings: list[Finding], verdict: Verdict = UNPROVEN) -> dict[str, Mark]:
    return {one.hop_group: one.mark for one in segments(findings, verdict)}


def test_nothing_judged_is_unknown_everywhere_and_never_ok() -> None:
    assert _marks([]) == dict.fromkeys(HOP_GROUPS, Mark.UNKNOWN)


def test_the_broken_hop_is_broken_and_only_judged_hops_are_ok() -> None:
    assert _marks(make.broken().findings, make.broken().verdict) == {
        "client": Mark.OK,
        "edge": Mark.UNKNOWN,
        "endpoint": Mark.UNKNOWN,
        "network": Mark.BROKEN,
        "platform": Mark.OK,
        "guest": Mark.UNKNOWN,
    }


@pytest.mark.parametrize(
    ("changes", "mark"),
    [
        ({"effect": Effect.BLOCKS, "confidence": Confidence.LIKELY}, Mark.BROKEN),
        ({"effect": Effect.BLOCKS, "confidence": Confidence.POSSIBLE}, Mark.DEGRADED),
        ({"effect": Effect.DEGRADES}, Mark.DEGRADED),
        ({"effect": Effect.RISK}, Mark.DEGRADED),
        ({"effect": Effect.BLINDS}, Mark.UNKNOWN),
        ({"status": FindingStatus.BY_DESIGN}, Mark.BY_DESIGN),
        ({"status": FindingStatus.UNKNOWN}, Mark.UNKNOWN),
        ({"status": FindingStatus.ERROR}, Mark.UNKNOWN),
        ({"status": FindingStatus.SKIPPED}, Mark.UNKNOWN),
        ({"status": FindingStatus.PASS}, Mark.OK),
    ],
)
def test_each_outcome_has_its_mark(changes: dict[str, object], mark: Mark) -> None:
    assert _marks([make.failing(**changes)])["network"] is mark


def test_one_unknown_outweighs_many_passes() -> None:
    unknown = make.failing(status=FindingStatus.UNKNOWN, hop=Hop.GUEST_FIREWALL)
    assert _marks([make.passed("a", Hop.GUEST_OS), unknown, make.passed("b", Hop.GUEST_AUTH)])["guest"] is Mark.UNKNOWN


@pytest.mark.parametrize("hop", [hop for hop in Hop if hop.value.startswith("guest-")])
def test_guest_stands_for_every_hop_inside_windows(hop: Hop) -> None:
    assert _marks([make.failing(hop=hop)])["guest"] is Mark.BROKEN


def test_a_verdict_alone_marks_its_hop() -> None:
    closed = Verdict(status="by_design", hop=Hop.PLATFORM, headline="stopped by its owner")
    assert _marks([], closed)["platform"] is Mark.BY_DESIGN


def test_the_drawing_is_straight_fits_100_columns_and_makes_the_broken_box_stand_out() -> None:
    widest = [Segment(group, Mark.BY_DESIGN, "") for group in HOP_GROUPS]
    for shown in (segments(make.broken().findings, make.broken().verdict), widest):
        drawn = draw(shown)
        assert len({len(line) for line in drawn}) == 1
        assert len(drawn[0]) <= 100
    drawn = draw(segments(make.broken().findings, make.broken().verdict))
    assert drawn[0].count("╔") == 1
    assert "║ network  ║" in drawn[1]
    assert "║ ✗ broken ║" in drawn[2]
