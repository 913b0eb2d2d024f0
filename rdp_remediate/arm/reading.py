"""What one read may use: requests under the subscription's limit and the source's deadline, pages, operations."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from rdp_remediate.arm.answers import FAILURES, Answer, ForeignUrlError, answer_of, refusal
from rdp_remediate.arm.clients import ArmClients
from rdp_remediate.arm.ids import ArmId
from rdp_remediate.arm.polling import Ended, FirstAnswer, Lost, Polled, PollTimes, Running, advance, begin, no_answer
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Reason

_MOST_PAGES = 40


class UnreadError(Exception):
    """A read ends without a value; becomes `Unavailable`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Reading:
    """One read in progress.

    Attributes:
        clients: The clients of this event loop.
        arm: What is read.
        asked: The same in words.
    """

    def __init__(
        self,
        clients: ArmClients,
        arm: ArmId,
        asked: str,
        *,
        timeout: asyncio.Timeout,
        deadline_s: float,
        poll_times: PollTimes,
    ) -> None:
        self.clients = clients
        self.arm = arm
        self.asked = asked
        self._timeout = timeout
        self._deadline_s = deadline_s
        self._poll_times = poll_times

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Holds one of the subscription's slots; the first one starts the deadline's clock."""
        async with self.clients.slots(self.arm.subscription):
            if self._timeout.when() is None:
                self._timeout.reschedule(asyncio.get_running_loop().time() + self._deadline_s)
            yield

    async def send(self, method: str, url: str, params: dict[str, str] | None = None, json: Any = None) -> Answer:
        """One raw request."""
        async with self.slot():
            return await self.clients.send(method, url, params=params, json=json)

    def object(self, answer: Answer) -> JsonObject:
        """The JSON object of a successful answer.

        Raises:
            UnreadError: Azure refused, or the body is no object.
        """
        if not 200 <= answer.status <= 299:
            told = refusal(answer, self.asked)
            raise UnreadError(told.reason, told.detail)
        if not isinstance(answer.body, dict):
            raise UnreadError(Reason.MALFORMED, f"{self.asked}: the answer is no JSON object.")
        return answer.body

    async def pages(self, url: str, params: dict[str, str]) -> list[JsonObject]:
        """All entries of a list that Azure pages with nextLink.

        Raises:
            UnreadError: A page was refused, is no list, or the list has no end.
        """
        entries: list[JsonObject] = []
        next_url: str | None = url
        next_params: dict[str, str] | None = params
        for _ in range(_MOST_PAGES):
            body = self.object(await self.send("GET", str(next_url), next_params))
            entries += self.entries(body)
            next_url, next_params = body.get("nextLink"), None
            if not next_url:
                return entries
        raise UnreadError(
            Reason.TRUNCATED, f"{self.asked}: more than {_MOST_PAGES} pages; the list was not read whole."
        )

    def entries(self, body: JsonObject, key: str = "value") -> list[JsonObject]:
        """The objects of a list answer.

        Raises:
            UnreadError: It is no list of objects.
        """
        entries = body.get(key)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise UnreadError(Reason.MALFORMED, f"{self.asked}: the answer holds no list '{key}'.")
        return entries

    async def polled(self, start: Callable[[FirstAnswer], Awaitable[Any]]) -> JsonObject:
        """The result of a long-running read.

        Args:
            start: Calls a `begin_` method of the SDK with `polling=` the given object.

        Raises:
            UnreadError: Azure refused the operation, it failed, or its result is no object.
        """
        first = FirstAnswer()
        async with self.slot():
            await start(first)
        response = first.response
        answer = answer_of(response.status_code, response.headers, response.text())
        polled: Polled = begin(answer, method="POST", url=str(response.request.url), asked=self.asked)
        while isinstance(polled, Running):
            await asyncio.sleep(self._poll_times.wait_s(polled.wait_s))
            try:
                answer = await self.send("GET", polled.state.url)
            except (TimeoutError, ForeignUrlError):
                raise
            except FAILURES:
                polled = no_answer(polled.state)
            else:
                polled = advance(polled.state, answer)
        if isinstance(polled, Ended):
            if isinstance(polled.value, dict):
                return polled.value
            raise UnreadError(Reason.MALFORMED, f"{self.asked}: the result is no JSON object.")
        told = refusal(polled.answer, self.asked)
        lost = " (the operation's status could not be read)" if isinstance(polled, Lost) else ""
        raise UnreadError(told.reason, told.detail + lost)
