"""The Teams channel, through a Workflows webhook or the legacy connector."""

import json
import re
from typing import Literal

from rdp_remediate.models.report import Delivery
from rdp_remediate.notify.http_post import FIRST_PAUSE_S, TIMEOUT_S, HttpPost

_STATUS_IN_TEXT = re.compile(r"HTTP error (\d{3})", re.IGNORECASE)


class TeamsSink:
    """Posts Adaptive Cards. A 2xx whose body reports an HTTP error is a failure: that is how Teams says 429."""

    name = "teams"
    renderer: Literal["card"] = "card"

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S, pause_s: float = FIRST_PAUSE_S) -> None:
        """Takes the webhook's URL, which is a secret."""
        self._post = HttpPost(self.name, url, body_error=body_error, timeout_s=timeout_s, pause_s=pause_s)

    async def deliver(self, body: bytes) -> Delivery:
        """Posts one card."""
        return await self._post.post(body)

    async def close(self) -> None:
        """Closes the connection."""
        await self._post.close()


def body_error(text: str) -> str | None:
    """What the body of a 2xx answer reports, or None: empty, `1` and accepted workflow runs are success.

    Source: azure-facts.md 16; the legacy connector answers 200 with "Microsoft Teams endpoint returned HTTP error 429".
    """
    found = _STATUS_IN_TEXT.search(text)
    if found:
        return f"HTTP error {found.group(1)}"
    if "webhook message delivery failed" in text.lower():
        return "a failed delivery"
    try:
        answer = json.loads(text) if text.strip().startswith("{") else None
    except ValueError:
        return None
    return "an error" if isinstance(answer, dict) and "error" in answer else None
