"""An Event Grid custom topic, through the genuine publisher client."""

import asyncio
import json
from typing import Any, Literal

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.eventgrid import EventGridEvent
from azure.eventgrid.aio import EventGridPublisherClient

from rdp_remediate.models.report import Delivery
from rdp_remediate.notify.http_post import LONGEST_RETRY_AFTER_S, TIMEOUT_S, refused_url


class EventGridSink:
    """Publishes one small event a run; the client's own retries honour Retry-After."""

    name = "event_grid"
    renderer: Literal["event"] = "event"

    def __init__(
        self,
        endpoint: str,
        credential: AsyncTokenCredential,
        *,
        timeout_s: float = TIMEOUT_S,
        connection_verify: bool | str = True,
    ) -> None:
        """Takes the topic's endpoint and the identity that may send to it; the credential is closed by its owner."""
        self._endpoint = endpoint
        self._credential = credential
        self._timeout_s = timeout_s
        self._connection_verify = connection_verify
        self._client: EventGridPublisherClient | None = None

    def __repr__(self) -> str:
        """Names the sink only."""
        return "EventGridSink()"

    async def deliver(self, body: bytes) -> Delivery:
        """Publishes one event; never raises for the network or the server."""
        refused = refused_url(self._endpoint)
        if refused is not None:
            return self._failed(refused.replace("URL", "topic endpoint"))
        document: dict[str, Any] = json.loads(body)
        event = EventGridEvent(
            subject=str(document["subject"]),
            event_type=str(document["event_type"]),
            data=document["data"],
            data_version=str(document["data_version"]),
        )
        try:
            async with asyncio.timeout(self._timeout_s + LONGEST_RETRY_AFTER_S):
                await self._open().send(event)
        except TimeoutError:
            return self._failed(f"no answer within {self._timeout_s + LONGEST_RETRY_AFTER_S:g} s")
        except ClientAuthenticationError:
            return self._failed("the identity may not send to this topic (role EventGrid Data Sender)")
        except HttpResponseError as failed:
            return self._failed(f"answered {failed.status_code}")
        except AzureError as failed:
            # The text of a transport error may hold the endpoint: its kind is all that is said.
            return self._failed(f"the connection failed ({type(failed).__name__})")
        return Delivery(sink=self.name, outcome="delivered", detail="accepted")

    async def close(self) -> None:
        """Closes the connection."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _open(self) -> EventGridPublisherClient:
        if self._client is None:
            self._client = EventGridPublisherClient(
                self._endpoint,
                self._credential,
                connection_timeout=self._timeout_s,
                read_timeout=self._timeout_s,
                retry_total=1,
                connection_verify=self._connection_verify,
            )
        return self._client

    def _failed(self, why: str) -> Delivery:
        return Delivery(sink=self.name, outcome="failed", detail=why)
