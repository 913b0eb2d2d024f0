"""A report as the bytes that a sink delivers."""

import json
from typing import Literal

from rdp_remediate.models.report import Report
from rdp_remediate.report import card, event

Renderer = Literal["card", "json", "event"]


def body(report: Report, renderer: Renderer) -> bytes:
    """Renders a report for a sink.

    Args:
        report: What to say.
        renderer: `card` is a Teams message, `json` the whole report, `event` one event for Event Grid.

    Returns:
        UTF-8 JSON.
    """
    if renderer == "card":
        return card.message(report)
    if renderer == "event":
        return json.dumps(event.event(report), ensure_ascii=False).encode()
    return report.model_dump_json(by_alias=True, indent=2).encode()
