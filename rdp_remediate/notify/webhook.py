"""A generic webhook that gets each report as JSON."""

import ssl
from typing import Literal

from rdp_remediate.models.report import Delivery
from rdp_remediate.notify.attempts import FIRST_PAUSE_S, TIMEOUT_S
from rdp_remediate.notify.http_post import HttpPost


class WebhookSink:
    """Posts the report's JSON; any 2xx is success."""

    name = "webhook"
    renderer: Literal["json"] = "json"

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = TIMEOUT_S,
        pause_s: float = FIRST_PAUSE_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Takes the URL, which may hold a secret."""
        self._post = HttpPost(self.name, url, timeout_s=timeout_s, pause_s=pause_s, tls=tls)

    async def deliver(self, body: bytes) -> Delivery:
        """Posts one report."""
        return await self._post.post(body)

    async def close(self) -> None:
        """Closes the connection."""
        await self._post.close()
