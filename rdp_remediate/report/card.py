"""A report as an Adaptive Card for a Teams channel, posted through Workflows.

Source: https://learn.microsoft.com/connectors/teams/#microsoft-teams-webhook. All text stands in RichTextBlock elements: their
text runs know no Markdown, so that names and messages from outside cannot become links or formatting
(https://adaptivecards.io/explorer/TextRun.html). There are no actions: a card can be forwarded, an approval must not be.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.report import Report
from rdp_remediate.report import deciding, sections
from rdp_remediate.report.drawing import SYMBOLS, Mark, Segment, segments
from rdp_remediate.report.wording import VERDICT_WORDS, approve_command, clock, plain

MAX_BYTES = 19_500
"""Below the 20,000 that the design allows; Teams itself refuses messages above about 28 KB."""

_STYLES = {"reachable": "good", "broken": "attention", "by_design": "warning", "not_proven": "warning"}
_COLOURS = {
    Mark.BROKEN: "attention",
    Mark.BY_DESIGN: "warning",
    Mark.UNKNOWN: "warning",
    Mark.OK: "good",
    Mark.DEGRADED: "warning",
}
_SIZES = ((10, 500), (6, 300), (3, 200), (1, 150))
"""Lines of a section and characters of a line, from roomy to tight."""


@dataclass(frozen=True, slots=True)
class _Section:
    """One part of the card; the hint stands beside the title and is never cut from it."""

    title: str
    lines: Sequence[str]
    hint: str = ""


def message(report: Report) -> bytes:
    """The message as UTF-8 JSON, always below 20,000 bytes.

    What does not fit is cut: first to fewer and shorter lines, then whole sections, the least important first. The card
    says that it was cut and where the rest is.
    """
    wanted = [one for one in _sections(report) if one.lines]
    top = [_head(report), *_paths(report)]
    for size in _SIZES:
        made = _encoded(report, top, wanted, [], size)
        if len(made) <= MAX_BYTES:
            return made
    left_out: list[str] = []
    while wanted:
        left_out.insert(0, wanted.pop().title)
        made = _encoded(report, top, wanted, left_out, _SIZES[-1])
        if len(made) <= MAX_BYTES:
            break
    return made


def _sections(report: Report) -> list[_Section]:
    """Most important first; this is also the order in which they are shown."""
    waits = [
        line
        for step in sections.waiting_steps(report)
        for line in (f"{plain(step.title)} ({sections.risks_of(step)})", approve_command(report, step.step_id))
    ]
    rules = [line for view in report.path for line in (deciding.headline(view), *deciding.deciders(view))]
    planned = [f"{plain(step.title)} ({sections.risks_of(step)})" for step in sections.open_steps(report)]
    paste = [line for block in report.paste for line in (sections.paste_title(block), *block.lines)]
    undo = sections.undo_command(report)
    done = [f"{sections.action_symbol(e)} {sections.action_line(e)}" for e in report.actions]
    return [
        _Section("Changed", done, hint=f" - undo all of it: {undo}" if undo else ""),
        _Section("Waits for a person", waits or [approve_command(report, one) for one in report.waiting]),
        _Section("Not repaired here", sections.refusals(report)),
        _Section("What changed since it worked", sections.timeline(report, 3)),
        _Section("By hand", [f"{fault}: {steps}" for fault, steps in sections.by_hand(report)]),
        _Section("Ready to paste", paste),
        _Section("Planned, not done" if report.actions else "Would be changed (nothing was)", planned),
        _Section("Microsoft's quick steps", sections.quick_steps(report)),
        _Section("Vantages", sections.vantages(report)),
        _Section("Could not see", sections.unseen(report)),
        _Section("Which rule decides", rules),
        _Section("Seen by the probe", sections.probe_remarks(report)),
        # Code for a permanent rule belongs into a report, not into a channel: only the first line of a note is said.
        _Section("Notes", [*sections.other_findings(report), *(note.split("\n", 1)[0] for note in report.notes)]),
    ]


def _encoded(
    report: Report,
    top: Sequence[JsonObject],
    shown: Sequence[_Section],
    left_out: Sequence[str],
    size: tuple[int, int],
) -> bytes:
    most_lines, most_characters = size
    body = list(top)
    cut = list(left_out)
    for section in shown:
        title = [_run(section.title, weight="bolder")]
        if section.hint:
            title.append(_run(section.hint, 150))
        body.append(_runs(title, spacing="medium", separator=True))
        body += [_runs([_run(line, most_characters)], spacing="small") for line in section.lines[:most_lines]]
        more = len(section.lines) - most_lines
        if more > 0:
            body.append(_runs([_run(f"and {more} more", subtle=True)], spacing="small"))
            cut.append(section.title)
    if cut:
        said = (
            f"This card was cut to fit; shortened or left out: {', '.join(cut)}. The whole report has the run id below."
        )
        body.append(_runs([_run(said, weight="bolder")], spacing="medium"))
    took = f", {report.timings['total']:.0f} s" if "total" in report.timings else ""
    foot = f"Run {plain(report.run_id, 80)}, {clock(report.created_at)}{took}, mode {report.mode.value}. "
    body.append(_runs([_run(f"{foot}Started by: {plain(report.trigger, 200)}", subtle=True)], spacing="medium"))
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": safe(f"RDP to {plain(report.vm_name)}: {VERDICT_WORDS[report.verdict.status]}", 200),
        "msteams": {"width": "Full"},
        "body": body,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return json.dumps({"type": "message", "attachments": [attachment]}, ensure_ascii=False).encode()


def _head(report: Report) -> JsonObject:
    title = f"RDP to {plain(report.vm_name, 100)}: {VERDICT_WORDS[report.verdict.status]}"
    return {
        "type": "Container",
        "style": _STYLES[report.verdict.status],
        "bleed": True,
        "items": [
            _runs([_run(title, weight="bolder", size="large")]),
            _runs([_run(report.verdict.headline, 600)]),
            _runs([_run(f"Proof: {sections.proof_line(report)}", 400)], spacing="small"),
        ],
    }


def _paths(report: Report) -> list[JsonObject]:
    after = segments(report.findings, report.verdict)
    before = segments(report.findings_before, report.verdict_before)
    drawn = [_path("Path", after)]
    if report.findings_before and [s.mark for s in before] != [s.mark for s in after]:
        drawn = [_path("Before", before), _path("After", after)]
    return drawn


def _path(name: str, shown: Sequence[Segment]) -> JsonObject:
    runs = [_run(f"{name}: ")]
    for index, one in enumerate(shown):
        if index:
            runs.append(_run(" → "))
        weight = "bolder" if one.mark is Mark.BROKEN else None
        runs.append(_run(f"{SYMBOLS[one.mark]} {one.hop_group}", weight=weight, colour=_COLOURS[one.mark]))
    return _runs(runs, spacing="small")


def _runs(runs: list[JsonObject], *, spacing: str | None = None, separator: bool = False) -> JsonObject:
    element: JsonObject = {"type": "RichTextBlock", "inlines": runs}
    if spacing:
        element["spacing"] = spacing
    if separator:
        element["separator"] = True
    return element


def _run(
    text: str,
    limit: int = 400,
    *,
    weight: str | None = None,
    size: str | None = None,
    colour: str | None = None,
    subtle: bool = False,
) -> JsonObject:
    edge = (" " if text.startswith(" ") else "", " " if text.endswith(" ") else "")
    run: JsonObject = {"type": "TextRun", "text": f"{edge[0]}{safe(text, limit)}{edge[1]}"}
    if weight:
        run["weight"] = weight
    if size:
        run["size"] = size
    if colour:
        run["color"] = colour
    if subtle:
        run["isSubtle"] = True
    return run


def safe(text: str, limit: int) -> str:
    """Text that no Teams client turns into a mention, a link, an image or a date function."""
    shown = plain(text, limit)
    for dangerous, harmless in (("<", "("), (">", ")"), ("{{", "{ {"), ("://", ": //"), ("](", "] (")):
        shown = shown.replace(dangerous, harmless)
    return shown
