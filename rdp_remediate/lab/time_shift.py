"""Moves every time in a scenario so that its `now` becomes the real one."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

_MOMENT = re.compile(r"\b(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(\.\d+)?(Z|\+00:00)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def parse_moment(text: str) -> datetime:
    """Returns an aware UTC time from ISO 8601 text ending in Z.

    Raises:
        ValueError: the text is no such time.
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def format_moment(moment: datetime) -> str:
    """Returns a UTC time as scenario files write it, whole seconds and Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _shift_moment(match: re.Match[str], delta: timedelta) -> str:
    base, fraction, zone = match.group(1), match.group(2) or "", match.group(3)
    try:
        moved = datetime.strptime(base.replace(" ", "T"), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC) + delta
    except (ValueError, OverflowError):
        return match.group(0)  # not a time after all, or one that stands for "never"
    return moved.strftime(f"%Y-%m-%d{base[10]}%H:%M:%S") + fraction + zone


def shift(value: Any, delta: timedelta) -> Any:
    """Returns a copy of a JSON value with every UTC time in its strings, and every bare date, moved by delta."""
    if isinstance(value, str):
        if _DATE.fullmatch(value):
            try:
                return (date.fromisoformat(value) + timedelta(days=delta.days)).isoformat()
            except (ValueError, OverflowError):
                return value
        return _MOMENT.sub(lambda m: _shift_moment(m, delta), value)
    if isinstance(value, list):
        return [shift(v, delta) for v in value]
    if isinstance(value, dict):
        return {k: shift(v, delta) for k, v in value.items()}
    return value
