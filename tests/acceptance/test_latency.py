"""The whole job at Azure's own pace: Run Command takes 30 s, diagnostics and NSG writes 10 s each."""

import pytest

from rdp_remediate.models.report import Report
from tests.acceptance.command_line import command


def demo_at(speed: int) -> Report:
    """`demo --speed N`: realistic latency divided by N."""
    answer = command("demo", "--speed", str(speed), "--output", "json")
    assert answer.code == 0, answer.err
    return Report.model_validate(answer.document)


def assert_repaired_at(speed: int, report: Report) -> None:
    """Both faults are repaired, and every call took what Azure takes."""
    assert report.verdict.status == "reachable"
    assert report.verdict.proof.value == "end_to_end"
    assert [entry.outcome.value for entry in report.actions] == ["applied", "applied"]
    took = {
        entry.step.layer: (entry.ended_at - entry.started_at).total_seconds()
        for entry in report.actions
        if entry.ended_at is not None
    }
    assert took["guest"] >= 30 / speed
    assert took["network"] >= 10 / speed
    # Collector and repair, one after the other; the collector runs beside the diagnostics.
    assert report.timings["total"] >= (30 + 30 + 10) / speed


@pytest.mark.slow
def test_the_demo_at_a_fortieth_of_azures_time() -> None:
    assert_repaired_at(40, demo_at(40))


@pytest.mark.slow
def test_the_demo_at_real_latency() -> None:
    report = demo_at(1)
    assert_repaired_at(1, report)
    assert report.timings["total"] < 240  # one message of the worker
