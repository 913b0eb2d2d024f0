"""The Teams card: small, valid, and deaf to what comes from outside."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rdp_remediate.models.bundle import UnavailableFact
from rdp_remediate.models.plan import Outcome, Plan
from rdp_remediate.models.report import Report
from rdp_remediate.report import card
from rdp_remediate.report.render import body
from tests.report import factories as make

EVIL = "**bold** [click](https://evil.example/x) <at>everyone</at> ![i](http://evil.example/p.png) {{DATE(2026-01-01)}}"


def _card(report: Report) -> dict[str, Any]:
    message = json.loads(body(report, "card"))
    assert message["type"] == "message"
    (attachment,) = message["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    content: dict[str, Any] = attachment["content"]
    assert (content["type"], content["version"]) == ("AdaptiveCard", "1.4")
    return content


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for child in node.values():
            yield from _objects(child)
    elif isinstance(node, list):
        for child in node:
            yield from _objects(child)


def _said(report: Report) -> str:
    runs = [one["text"] for one in _objects(_card(report)) if one.get("type") == "TextRun"]
    return "\n".join(runs)


def test_the_card_tells_the_whole_story() -> None:
    good = make.reachable()
    said = _said(make.report(actions=[make.entry(make.registry_step())], verdict=good.verdict, findings=good.findings))

    for part in (
        "RDP to pay-01: REACHABLE",
        "Proof: end to end",
        "Before: ",
        "✗ network",
        "After: ",
        "✓ Set fDenyTSConnections to 0 - done",
        "undo all of it: rdp-remediate undo 0123456789abcdef0123",
        "rdp-remediate approve 0123456789abcdef0123 allow_rdp_in_nsg-a1b2c3",
        "Ask the owner of that group policy.",
        "locks of pay-01: access was refused",
        "DenyAllInBound (priority 65500)",
        "Author unknown",
    ):
        assert part in said
    assert "cut to fit" not in said


def test_nobody_can_act_or_submit_from_a_card() -> None:
    kinds = {one["type"] for one in _objects(_card(make.report())) if "type" in one}
    assert kinds == {"AdaptiveCard", "Container", "RichTextBlock", "TextRun"}


def test_text_from_outside_stays_text() -> None:
    hostile = make.report(
        vm_name=EVIL,
        trigger=EVIL,
        notes=[EVIL],
        verdict=make.broken().verdict.model_copy(update={"headline": EVIL, "proof_detail": EVIL}),
        findings=[make.failing(reason=EVIL, fault=EVIL)],
        plan=Plan(steps=[make.rule_step(title=EVIL, approval=EVIL)]),
        unavailable=[UnavailableFact(fact=EVIL, reason=EVIL, detail=EVIL)],
        path=[make.path_view(client=EVIL)],
    )
    raw = body(hostile, "card").decode().replace("http://adaptivecards.io/schemas/", "")

    for dangerous in ("<", ">", "](", "://", "{{"):
        assert dangerous not in raw
    # Only elements without Markdown carry text.
    carriers = {one["type"] for one in _objects(_card(hostile)) if "text" in one}
    assert carriers == {"TextRun"}


@pytest.mark.parametrize("letter", ["a", "😀", "\\", "\n"])
def test_a_huge_report_is_cut_below_the_limit_and_says_so(letter: str) -> None:
    long = letter * 100_000
    many = [make.failing(check=f"c{n}", fault=f"fault-{n}", reason=long[:300]) for n in range(3000)]
    steps = [make.rule_step(step_id=f"s-{n}", title=long[:500], approval=long[:500]) for n in range(200)]
    verdict = make.broken().verdict.model_copy(
        update={"headline": long, "proof_detail": f"{long}!", "causes": [f"fault-{n}" for n in range(3000)]}
    )
    huge = make.report(
        vm_name=long,
        run_id=long,
        trigger=long,
        notes=[long] * 50,
        verdict=verdict,
        findings=many,
        findings_before=many[:1],
        plan=Plan(steps=steps),
        waiting=[step.step_id for step in steps],
        actions=[make.entry(step, Outcome.FAILED, detail=long) for step in steps],
        path=[make.path_view(client=long)] * 50,
        unavailable=[UnavailableFact(fact=long, reason=long, detail=long)] * 500,
    )

    assert len(body(huge, "card")) < 20_000
    assert "This card was cut to fit" in _said(huge)


def test_the_least_important_goes_first() -> None:
    long = "漢" * 400
    steps = [make.rule_step(step_id=f"s-{n}", title=long) for n in range(10)]
    full = make.report(
        plan=Plan(steps=steps),
        waiting=[one.step_id for one in steps],
        actions=[make.entry(make.registry_step(title=f"Change {n} {long}"), number=n) for n in range(1, 9)],
        notes=[f"note {n} {long}" for n in range(10)],
        unavailable=[UnavailableFact(fact="f" * 300, reason="timeout", detail=long)] * 40,
    )
    said = _said(full)

    assert "Change 1" in said
    assert "approve" in said
    assert "cut to fit" in said


def test_sections_are_dropped_from_the_end_when_shorter_lines_do_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "MAX_BYTES", 3_000)
    made = card.message(make.report(actions=[make.entry(make.registry_step())]))

    assert len(made) <= 3_000
    text = made.decode()
    assert "Set fDenyTSConnections to 0" in text
    assert f"rdp-remediate undo {make.RUN_ID}" in text
    assert "Author unknown" not in text
    assert "left out: " in text
    assert "Notes" in text[text.index("left out: ") :]


def test_the_code_of_a_permanent_rule_is_not_posted_to_a_channel() -> None:
    said = _said(make.report(notes=["Temporary access until 11:00Z.\nresource rdp = {\n}"]))
    assert "Temporary access until 11:00Z." in said
    assert "resource rdp" not in said
