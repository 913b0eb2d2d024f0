"""Who reaches what, as a picture: each vantage on the left, an arrow by its outcome, the address on the right."""

from html import escape

from rdp_remediate.models.report import Report, VantageView
from rdp_remediate.network.isolation import OUTCOME_WORDS, name_of
from rdp_remediate.report.sections import vantages
from rdp_remediate.report.wording import plain

_KINDS = {"reaches": "ok", "does_not": "broken", "says_nothing": "care"}
_SYMBOLS = {"reaches": "✓", "does_not": "✗", "says_nothing": "?"}
_ROW, _BOX, _WIDTH = 64, 44, 720


def vantage_picture(report: Report) -> str:
    """The picture with the same rows in words below it; empty where one vantage stands alone."""
    said = vantages(report)
    if not said:
        return ""
    height = _ROW * len(report.vantages)
    label = ", ".join(f"{name_of(one)} {OUTCOME_WORDS[one.outcome]}" for one in report.vantages)
    rows = "".join(_row(one, index * _ROW + 4) for index, one in enumerate(report.vantages))
    words = "".join(f"<li>{escape(one)}</li>" for one in said)
    picture = f'<svg role="img" aria-label="{_text(label)}" viewBox="0 0 {_WIDTH} {height}">{rows}</svg>'
    return f"{picture}<ul>{words}</ul>"


def _row(one: VantageView, y: int) -> str:
    middle = y + _BOX // 2
    where = f"{one.address}:{one.port}"
    return (
        f'<g class="{_KINDS[one.outcome]}"><title>{_text(one.meaning)}</title>'
        f'<rect x="4" y="{y}" width="290" height="{_BOX}" rx="7"/>'
        f'<text x="149" y="{y + 20}" text-anchor="middle">{_text(name_of(one))}</text>'
        f'<text x="149" y="{y + 37}" text-anchor="middle">{_text(one.source or "address not known")}</text>'
        f'<line x1="300" y1="{middle}" x2="470" y2="{middle}"/><path d="M476 {middle}l-9 -5v10z"/>'
        f'<text class="mark" x="385" y="{middle - 6}" text-anchor="middle">'
        f"{_SYMBOLS[one.outcome]} {_text(OUTCOME_WORDS[one.outcome])}</text>"
        f'<rect x="482" y="{y}" width="230" height="{_BOX}" rx="7"/>'
        f'<text x="597" y="{middle + 5}" text-anchor="middle">{_text(where)}</text></g>'
    )


def _text(text: object) -> str:
    return escape(plain(text))
