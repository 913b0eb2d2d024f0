"""An Event Grid custom topic, through the genuine publisher client."""

import asyncio
import json
from typing import Any, Literal
from urllib.parse import urlsplit

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ServiceRequestError
from azure.eventgrid import EventGridEvent
from azure.eventgrid.aio import EventGridPublisherClient

from rdp_remediate.models.report import Delivery
from rdp_remediate.notify.attempts import (
    ARRIVAL_UNKNOWN,
    FIRST_PAUSE_S,
    TIMEOUT_S,
    Attempt,
    at_most_twice,
    busy_or_broken,
    retry_after,
)
from rdp_remediate.notify.http_post import refused_url


class EventGridSink:
    """Publishes one small event a run."""

    name = "event_grid"
    renderer: Literal["event"] = "event"

    def __init__(
        self,
        endpoint: str,
        credential: AsyncTokenCredential,
        *,
        timeout_s: float = TIMEOUT_S,
        pause_s: float = FIRST_PAUSE_S,
        connection_verify: bool | str = True,
    ) -> None:
        """Takes the topic's endpoint and the identity that may send to it; the credential is closed by its owner."""
        self._endpoint = endpoint
        self._credential = credential
        self._timeout_s = timeout_s
        self._pause_s = pause_s
        self._connection_verify = connection_verify
        self._client: EventGridPublisherClient | None = None

    def __repr__(self) -> str:
        """Names the sink only."""
        return "EventGridSink()"

    async def deliver(self, body: bytes) -> Delivery:
        """Publishes one event; never raises for the network or the server."""
        refused = self._refused()
        if refused is not None:
            return Delivery(sink=self.name, outcome="failed", detail=refused)
        document: dict[str, Any] = json.loads(body)
        # One event object, so that a second try carries the id of the first and subscribers can tell them for one.
        event = EventGridEvent(
            subject=str(document["subject"]),
            event_type=str(document["event_type"]),
            data=document["data"],
            data_version=str(document["data_version"]),
        )
        return await at_most_twice(self.name, lambda: self._attempt(event))

    async def close(self) -> None:
        """Closes the connection."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _attempt(self, event: EventGridEvent) -> Attempt:
        """One try. The text of a transport error may hold the endpoint: its kind is all that is said of it."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._open().send(event)
        except TimeoutError:
            return Attempt(False, f"no answer within {self._timeout_s:g} s; {ARRIVAL_UNKNOWN}")
        except HttpResponseError as failed:
            return self._answered(failed)
        except ServiceRequestError as failed:
            return Attempt(False, f"no connection ({type(failed).__name__})", self._pause_s)
        except AzureError as failed:
            return Attempt(False, f"the answer was lost ({type(failed).__name__}); {ARRIVAL_UNKNOWN}")
        return Attempt(True, "accepted")

    def _answered(self, failed: HttpResponseError) -> Attempt:
        status = failed.status_code
        if status is None:
            signing_in = isinstance(failed, ClientAuthenticationError)
            return Attempt(False, "the identity got no token" if signing_in else "the answer was none that HTTP knows")
        if 200 <= status < 300:
            # The client takes 200 only, and any 2xx whose body it cannot read for an error.
            return Attempt(True, f"answered {status}")
        if status in (401, 403):
            # https://learn.microsoft.com/azure/event-grid/authenticate-with-active-directory
            return Attempt(False, f"answered {status}; the identity needs the role EventGrid Data Sender on the topic")
        if 300 <= status < 400:
            return Attempt(False, f"answered {status}; redirects are not followed")
        named_s = retry_after(getattr(failed.response, "headers", {}).get("Retry-After"))
        pause_s = self._pause_s if named_s is None else named_s
        return Attempt(False, f"answered {status}", pause_s if busy_or_broken(status) else None)

    def _open(self) -> EventGridPublisherClient:
        if self._client is None:
            self._client = EventGridPublisherClient(
                self._endpoint,
                self._credential,
                connection_timeout=self._timeout_s,
                read_timeout=self._timeout_s,
                # The client's own repetition honours a Retry-After of any length; ours is capped.
                retry_total=0,
                permit_redirects=False,
                connection_verify=self._connection_verify,
            )
        return self._client

    def _refused(self) -> str | None:
        if refused_url(self._endpoint) == "the URL cannot be used":
            return "the topic endpoint cannot be used"
        # The client sends no token without TLS, to loopback neither.
        return None if urlsplit(self._endpoint).scheme == "https" else "the topic endpoint is not https"
