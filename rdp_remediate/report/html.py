"""A report as one page that needs nothing but itself: it can be mailed, saved and opened years later."""

from collections.abc import Iterable, Sequence
from html import escape

from rdp_remediate.models.report import PathView, ProbeView, Report
from rdp_remediate.report import deciding, sections
from rdp_remediate.report.drawing import SYMBOLS, Mark, Segment, segments
from rdp_remediate.report.page_style import CSS
from rdp_remediate.report.timeline_drawing import drawn
from rdp_remediate.report.vantages import vantage_picture
from rdp_remediate.report.wording import QUICK_WORDS, VERDICT_WORDS, approve_command, clock, last_name, plain

_BOX = (136, 58)
_GAP = 28
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(report: Report) -> str:
    """The whole page; every word from outside is escaped, and nothing is loaded from anywhere."""
    title = f"RDP to {plain(report.vm_name)}: {VERDICT_WORDS[report.verdict.status]}"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<title>{escape(title)}</title><style>{CSS}</style></head>",
            "<body>",
            f'<header class="{report.verdict.status}"><h1>{escape(title)}</h1>',
            f'<p class="lead">{_text(report.verdict.headline)}</p>',
            f"<p>Proof: {_text(sections.proof_line(report))}</p></header>",
            *_paths(report),
            *_section("What changed since it worked", drawn(report.timeline)),
            *_section("Changed", _actions(report)),
            *_section("Waits for a person", _waiting(report)),
            *_section("Planned, not done" if report.actions else "Would be changed (nothing was)", _open(report)),
            *_section("Not repaired here", _list(sections.refusals(report))),
            *_section("By hand", _list(f"{fault}: {steps}" for fault, steps in sections.by_hand(report))),
            *_section("Ready to paste", _paste(report)),
            *_section("Microsoft's quick steps", _quick(report)),
            *_section("Which rule decides", "".join(_decision(view) for view in report.path)),
            *_section("Vantages", vantage_picture(report)),
            *_section("Notes", _list(sections.other_findings(report)) + _notes(report)),
            *_section("Could not see", _list(sections.unseen(report))),
            *_section("Findings", _findings(report)),
            *_section("Probes", _probes(report)),
            *_section("Changes seen in the activity log", _changes(report)),
            f"<footer><p>{_footer(report)}</p></footer>",
            "</body></html>",
        ]
    )


def _text(text: object) -> str:
    return escape(plain(text))


def _section(title: str, body: str) -> list[str]:
    return [f"<section><h2>{escape(title)}</h2>{body}</section>"] if body else []


def _list(said: Iterable[str]) -> str:
    items = "".join(f"<li>{_text(one)}</li>" for one in said)
    return f"<ul>{items}</ul>" if items else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    if not body:
        return ""
    heads = "".join(f"<th>{escape(one)}</th>" for one in head)
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def _paths(report: Report) -> list[str]:
    after = segments(report.findings, report.verdict)
    before = segments(report.findings_before, report.verdict_before)
    if report.findings_before and [s.mark for s in before] != [s.mark for s in after]:
        was = f"<p>Before: {_text(report.verdict_before.headline)}</p>"
        return ["<section><h2>The path</h2>", was, *_drawings(before), "<p>After:</p>", *_drawings(after), "</section>"]
    return ["<section><h2>The path</h2>", *_drawings(after), "</section>"]


def _drawings(shown: Sequence[Segment]) -> list[str]:
    return [_svg(shown, 6, "broad"), _svg(shown, 3, "narrow")]


def _svg(shown: Sequence[Segment], columns: int, name: str) -> str:
    width, height = _BOX
    across, down = width + _GAP, height + _GAP
    rows = -(-len(shown) // columns)
    said = ", ".join(f"{one.hop_group} {one.mark.value}" for one in shown)
    out = [
        f'<svg class="{name}" role="img" aria-label="{escape(said)}" '
        f'viewBox="0 0 {columns * across - _GAP + 8} {rows * down - _GAP + 8}">'
    ]
    for index, one in enumerate(shown):
        x, y = index % columns * across + 4, index // columns * down + 4
        kind = {Mark.OK: "ok", Mark.BROKEN: "broken"}.get(one.mark, "care")
        middle = x + width // 2
        out.append(
            f'<g class="{kind}"><title>{_text(one.text)}</title>'
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="7"/>'
            f'<text x="{middle}" y="{y + 24}" text-anchor="middle">{escape(one.hop_group)}</text>'
            f'<text class="mark" x="{middle}" y="{y + 45}" text-anchor="middle">'
            f"{SYMBOLS[one.mark]} {escape(one.mark.value)}</text></g>"
        )
        if index % columns < columns - 1 and index < len(shown) - 1:
            out.append(_arrow(x + width + 3, y + height // 2))
    return "".join([*out, "</svg>"])


def _arrow(x: int, y: int) -> str:
    tip = x + _GAP - 6
    return f'<line x1="{x}" y1="{y}" x2="{tip - 6}" y2="{y}"/><path d="M{tip} {y}l-9 -5v10z"/>'


def _actions(report: Report) -> str:
    items = []
    for entry in report.actions:
        undo = sections.undo_line(entry)
        back = f'<div class="dim">Undo: <code>{_text(undo)}</code></div>' if undo else ""
        items.append(f"<li>{sections.action_symbol(entry)} {_text(sections.action_line(entry))}{back}</li>")
    if any(sections.undo_line(entry) for entry in report.actions):
        items.append(f"<li>Undo all of it: <code>{_text(f'rdp-remediate undo {report.run_id}')}</code></li>")
    return f"<ul>{''.join(items)}</ul>" if items else ""


def _waiting(report: Report) -> str:
    items = [
        f"<li>{_text(step.title)} ({_text(sections.risks_of(step))})"
        f"<div><code>{_text(approve_command(report, step.step_id))}</code></div></li>"
        for step in sections.waiting_steps(report)
    ]
    return f"<ul>{''.join(items)}</ul>" if items else ""


def _open(report: Report) -> str:
    return _list(f"{plain(step.title)} ({sections.risks_of(step)})" for step in sections.open_steps(report))


def _paste(report: Report) -> str:
    items = []
    for block in report.paste:
        code = "\n".join(plain(line) for line in block.lines)
        items.append(f"<li>{_text(sections.paste_title(block))}<pre>{escape(code)}</pre></li>")
    return f"<ul>{''.join(items)}</ul>" if items else ""


def _quick(report: Report) -> str:
    rows = []
    for number, one in enumerate(report.quick_steps, 1):
        command = f"<div><code>{_text(one.command)}</code></div>" if one.command else ""
        evidence = "".join(f'<div class="dim">{_text(line)}</div>' for line in one.evidence)
        rows.append(
            (
                f"{number}. {_text(one.title)}",
                QUICK_WORDS[one.status],
                f"{_text(one.why)}{evidence}{command}",
                _text(one.cost or ""),
            )
        )
    return _table(("step", "status", "why", "cost"), rows)


def _decision(view: PathView) -> str:
    passed = [
        f"asked before: {one.rule} ({one.priority}, {one.access}) did not match: {one.why}"
        for one in deciding.passed_by(view)
    ]
    gaps = [f"not seen: {plain(gap)}" for gap in view.data_gaps]
    table = escape("\n".join(deciding.trace_table(view)))
    trace = f"<details><summary>every rule that was asked</summary><pre>{table}</pre></details>" if view.trace else ""
    return f"<p>{_text(deciding.headline(view))}</p>{_list([*deciding.deciders(view), *passed, *gaps])}{trace}"


def _notes(report: Report) -> str:
    items = []
    for note in report.notes:
        first, _, code = note.partition("\n")
        items.append(f"<li>{_text(first)}{f'<pre>{escape(code)}</pre>' if code else ''}</li>")
    return f"<ul>{''.join(items)}</ul>" if items else ""


def _findings(report: Report) -> str:
    rows = [
        (
            escape(one.hop.value),
            f'<span class="s-{one.status.value}">{escape(one.status.value.replace("_", " "))}</span>',
            _text(one.title) + (f'<div class="dim">{_text(one.reason)}</div>' if one.reason else ""),
            " ".join(f"<code>{_text(word)}</code>" for word in (one.fault, one.effect, one.confidence) if word),
        )
        for one in report.findings
    ]
    return _table(("hop", "status", "healthy statement and what was found", "fault"), rows)


def _probes(report: Report) -> str:
    rows = [_probe(when, one) for when, probes in report.probes.items() for one in probes]
    return _table(("when", "from", "to", "outcome", "path", "proves"), rows)


def _probe(when: str, one: ProbeView) -> tuple[str, ...]:
    source = f" ({plain(one.source_address)})" if one.source_address else ""
    return (
        escape(when),
        _text(f"{one.vantage}{source}"),
        _text(f"{one.address}:{one.port}"),
        _text(one.outcome),
        _text(one.path_verdict or "not known"),
        f'{_text(one.proves.replace("_", " "))}<div class="dim">{_text(one.detail)}</div>'
        + "".join(f"<div>{_text(said)}</div>" for said in one.findings),
    )


def _changes(report: Report) -> str:
    rows = [
        (
            _text(one.get("at", "")),
            _text(one.get("caller", "")),
            _text(one.get("operation", "")),
            f'<span title="{_text(one.get("resource_id", ""))}">{_text(last_name(str(one.get("resource_id", ""))))}</span>',
        )
        for one in report.changes
    ]
    return _table(("when", "who", "what", "to what"), rows)


def _footer(report: Report) -> str:
    took = f", {report.timings['total']:.0f} s" if "total" in report.timings else ""
    sent = "".join(f"; {one.sink} {one.outcome}" for one in report.deliveries)
    said = f"Run {report.run_id}, {clock(report.created_at)}{took}, mode {report.mode.value}; started by: {report.trigger}{sent}"
    return f"{_text(said)}<br>{_text(report.target.vm_id)}"
