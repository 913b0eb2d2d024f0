"""The timeline as a drawn line from top to bottom, for the page."""

from html import escape

from rdp_remediate.models.report import Timeline, TimelineEntry
from rdp_remediate.report.timeline_words import line
from rdp_remediate.report.wording import clock, plain


def drawn(told: Timeline | None) -> str:
    """The whole timeline as HTML; every word from outside is escaped. Empty where nothing was logged at all."""
    if told is None or not told.entries:
        return ""
    items = "".join(_item(one) for one in told.entries)
    unread = "".join(f"<li>{_text(one)}</li>" for one in told.unread)
    not_read = f'<ul class="dim">{unread}</ul>' if unread else ""
    return f'<p class="lead">{_text(told.headline)}</p><ol class="timeline">{items}</ol>{not_read}'


def _item(one: TimelineEntry) -> str:
    classes = f"{one.kind} explains" if one.explains else one.kind
    why = f"<div>▶ {_text(one.explains)}</div>" if one.explains else ""
    link = f' · <a href="{escape(one.link, quote=True)}" rel="noreferrer">open in the portal</a>' if one.link else ""
    at = escape(one.at.isoformat())
    return (
        f'<li class="{classes}"><time datetime="{at}">{clock(one.at)}</time> {_text(line(one))}{why}'
        f'<div class="dim">{_text(one.source)}{link}</div></li>'
    )


def _text(text: object) -> str:
    return escape(plain(text))
