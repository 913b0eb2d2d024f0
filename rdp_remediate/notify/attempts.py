"""How often a delivery is tried: once, and once more where the server was busy or broken, or was not reached at all.

A time-out or a lost answer is no reason for a second try: the first summary may have arrived.
"""

import asyncio
import email.utils
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from rdp_remediate.models.report import Delivery

TIMEOUT_S = 15.0
FIRST_PAUSE_S = 2.0
LONGEST_RETRY_AFTER_S = 30.0
ARRIVAL_UNKNOWN = "whether the summary arrived is unknown"


@dataclass(frozen=True)
class Attempt:
    """What one try came to.

    Attributes:
        delivered: The summary was taken.
        detail: One clause for people, without any secret.
        again_in_s: The pause before a second try; None where a second one would be useless or might double the summary.
    """

    delivered: bool
    detail: str
    again_in_s: float | None = None


async def at_most_twice(sink: str, attempt: Callable[[], Awaitable[Attempt]]) -> Delivery:
    """Tries, and once more after the pause that the first try asks for, which is never longer than 30 s."""
    tried = await attempt()
    suffix = ""
    if not tried.delivered and tried.again_in_s is not None:
        await asyncio.sleep(min(tried.again_in_s, LONGEST_RETRY_AFTER_S))
        tried, suffix = await attempt(), " at the second try"
    return Delivery(sink=sink, outcome="delivered" if tried.delivered else "failed", detail=tried.detail + suffix)


def busy_or_broken(status: int) -> bool:
    """Whether a status tells that the same request may succeed later (RFC 6585 section 4, RFC 9110 section 15.6)."""
    return status == 429 or 500 <= status <= 599


def retry_after(text: str | None) -> float | None:
    """Seconds of a Retry-After header, as number or as date (RFC 9110 section 10.2.3); None for neither."""
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return float(text.strip())
    try:
        at = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
