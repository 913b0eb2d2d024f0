"""Times of a guest state."""

from datetime import UTC, datetime


def moment(text: str) -> datetime:
    """Returns an aware UTC time."""
    parsed = datetime.fromisoformat(text)
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def utc_text(when: datetime) -> str:
    """Returns whole seconds with Z; a fraction is cut off, as format specifier s does."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
