"""A report as a page."""

from html import escape

from rdp_remediate.models.report import Report
from rdp_remediate.report import text


def page(report: Report) -> str:
    """The page."""
    return f"<!doctype html><html lang=en><meta charset=utf-8><title>RDP</title><pre>{escape(chr(10).join(text.lines(report)))}</pre></html>"
