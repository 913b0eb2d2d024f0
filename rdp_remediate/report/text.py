"""A report as plain text for a terminal: the answer first, then what was done, then why."""

import textwrap
from collections.abc import Iterable

from rdp_remediate.models.report import Report
from rdp_remediate.report import deciding, sections
from rdp_remediate.report.drawing import draw, segments
from rdp_remediate.report.wording import VERDICT_WORDS, approve_command, clock, plain

WIDTH = 100
MOST_PASSED_BY = 5
MOST_UNSEEN = 8


def lines(report: Report, *, explain: bool = False) -> list[str]:
    """The report as lines without colour codes.

    Args:
        report: What to say.
        explain: Adds every rule that was asked, as a table.

    Returns:
        Lines; commands and resource ids are never wrapped, so that they can be copied.
    """
    out = [f"RDP to {plain(report.vm_name)}: {VERDICT_WORDS[report.verdict.status]}"]
    out += _wrapped(plain(report.verdict.headline), "  ")
    out += _wrapped(f"Proof: {sections.proof_line(report)}", "  ")
    out += ["", *_pictures(report)]
    out += _section("What changed since it worked", _bullets(sections.timeline(report)))
    out += _section("Changed", _actions(report))
    out += _section("Waits for a person", _waiting(report))
    out += _section("Would be changed (nothing was)" if not report.actions else "Planned, not done", _open(report))
    out += _section("Not repaired here", _bullets(sections.refusals(report)))
    out += _section("By hand", _bullets(f"{fault}: {steps}" for fault, steps in sections.by_hand(report)))
    out += _section("Ready to paste", _paste(report))
    out += _section("Microsoft's quick steps", _quick(report))
    out += _section("Which rule decides", _deciding(report, explain=explain))
    out += _section("Seen by the probe", _bullets(sections.probe_remarks(report)))
    out += _section("Vantages", _bullets(sections.vantages(report)))
    out += _section("Notes", [*_bullets(sections.other_findings(report)), *_notes(report)])
    out += _section("Could not see", _unseen(report, explain=explain))
    out += ["", *_wrapped(_footer(report), "")]
    return out


def _pictures(report: Report) -> list[str]:
    after = draw(segments(report.findings, report.verdict))
    before = draw(segments(report.findings_before, report.verdict_before))
    repaired = "after" in report.probes or before != after
    if not repaired or not report.findings_before:
        return after
    was = f"Before: {plain(report.verdict_before.headline)}"
    return [*_wrapped(was, ""), *before, f"After: {VERDICT_WORDS[report.verdict.status].lower()}", *after]


def _actions(report: Report) -> list[str]:
    out = []
    for entry in report.actions:
        out += _wrapped(sections.action_line(entry), f"  {sections.action_symbol(entry)} ", "    ")
        undo = sections.undo_line(entry)
        if undo:
            out.append(f"    undo: {undo}")
    whole = sections.undo_command(report)
    if whole:
        out.append(f"    all of it: {whole}")
    return out


def _waiting(report: Report) -> list[str]:
    out = []
    for step in sections.waiting_steps(report):
        out += _wrapped(f"{plain(step.title)} ({sections.risks_of(step)})", "  • ", "    ")
        out.append(f"    {approve_command(report, step.step_id)}")
    named = {step.step_id for step in report.plan.steps}
    return out + [f"  • {approve_command(report, one)}" for one in report.waiting if one not in named]


def _paste(report: Report) -> list[str]:
    out = []
    for block in report.paste:
        out += _wrapped(sections.paste_title(block), "  • ", "    ")
        out += [f"    {plain(line)}" for line in block.lines]
    return out


def _open(report: Report) -> list[str]:
    return _bullets(f"{plain(step.title)} ({sections.risks_of(step)})" for step in sections.open_steps(report))


def _quick(report: Report) -> list[str]:
    out = []
    for said, one in zip(sections.quick_steps(report), report.quick_steps, strict=True):
        out += _wrapped(said, "  ", "     ")
        if one.command and one.status == "offered":
            out.append(f"     {plain(one.command)}")
    return out


def _deciding(report: Report, *, explain: bool) -> list[str]:
    out = []
    for view in report.path:
        out += _wrapped(deciding.headline(view), "  • ", "    ")
        out += [f"    {line}" for line in deciding.deciders(view)]
        passed = deciding.passed_by(view)
        for one in passed[: None if explain else MOST_PASSED_BY]:
            out.append(f"    asked before: {one.rule} ({one.priority}, {one.access}) did not match: {one.why}")
        if len(passed) > MOST_PASSED_BY and not explain:
            out.append(f"    and {len(passed) - MOST_PASSED_BY} more rules that did not match (--explain lists them)")
        out += [line for gap in view.data_gaps for line in _wrapped(f"not seen: {plain(gap)}", "    ")]
        if explain:
            out += [line for one in view.assumptions for line in _wrapped(f"assumed: {plain(one)}", "    ")]
            out += [f"    {line}" for line in deciding.trace_table(view)]
    return out


def _notes(report: Report) -> list[str]:
    out = []
    for note in report.notes:
        first, *more = note.splitlines() or [""]
        out += _wrapped(plain(first), "  • ", "    ")
        out += [f"    {_as_written(line)}" for line in more]
    return out


def _unseen(report: Report, *, explain: bool) -> list[str]:
    found = sections.unseen(report)
    shown = found if explain else found[:MOST_UNSEEN]
    more = len(found) - len(shown)
    rest = [f"  • and {more} more (--explain lists them)"] if more else []
    return _bullets(shown) + rest


def _footer(report: Report) -> str:
    total = report.timings.get("total")
    took = f", {total:.0f} s" if total is not None else ""
    sent = "".join(
        f"; {plain(one.sink)} {one.outcome}{f' ({plain(one.detail)})' if one.outcome == 'failed' else ''}"
        for one in report.deliveries
    )
    return (
        f"Run {plain(report.run_id)}, {clock(report.created_at)}{took}, mode {report.mode.value}; "
        f"started by: {plain(report.trigger)}{sent}"
    )


def _section(title: str, body: list[str]) -> list[str]:
    return ["", title, *body] if body else []


def _bullets(said: Iterable[str]) -> list[str]:
    return [line for one in said for line in _wrapped(one, "  • ", "    ")]


def _wrapped(text: str, first: str, following: str | None = None) -> list[str]:
    rest = first if following is None else following
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _as_written(line: str) -> str:
    """A line of code: its indentation stays."""
    return " " * (len(line) - len(line.lstrip())) + plain(line)
