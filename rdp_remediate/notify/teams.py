"""The Teams channel, through a Workflows webhook or the legacy connector."""

import json
import re
import ssl
from typing import Literal

from rdp_remediate.models.report import Delivery
from rdp_remediate.notify.attempts import FIRST_PAUSE_S, TIMEOUT_S, busy_or_broken
from rdp_remediate.notify.http_post import HttpPost, Reported

_STATUS_IN_TEXT = re.compile(r"HTTP error (\d{3})\b|\b(429)\b", re.IGNORECASE)
_FAILURE_IN_TEXT = re.compile(r"endpoint returned HTTP error|webhook message delivery failed", re.IGNORECASE)


class TeamsSink:
    """Posts Adaptive Cards. A 2xx whose body reports an HTTP error is a failure: that is how Teams says 429."""

    name = "teams"
    renderer: Literal["card"] = "card"

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = TIMEOUT_S,
        pause_s: float = FIRST_PAUSE_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Takes the webhook's URL, which is a secret."""
        self._post = HttpPost(self.name, url, body_error=body_error, timeout_s=timeout_s, pause_s=pause_s, tls=tls)

    async def deliver(self, body: bytes) -> Delivery:
        """Posts one card."""
        return await self._post.post(body)

    async def close(self) -> None:
        """Closes the connection."""
        await self._post.close()


def body_error(text: str) -> Reported | None:
    """What the body of a 2xx answer reports, or None: empty, `1` and accepted workflow runs are success.

    The legacy connector tells throttling by 200 with "Microsoft Teams endpoint returned HTTP error 429":
    https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
    """
    found = _STATUS_IN_TEXT.search(text)
    if found:
        status = int(found.group(1) or found.group(2))
        return Reported(f"HTTP error {status}", busy_or_broken(status))
    if _FAILURE_IN_TEXT.search(text):
        return Reported("a failed delivery", False)
    try:
        answer = json.loads(text) if text.strip().startswith("{") else None
    except ValueError:
        return None
    return Reported("an error", False) if isinstance(answer, dict) and "error" in answer else None
