"""One POST of a rendered summary, with everything that may go wrong turned into a Delivery without a secret in it."""

import asyncio
import email.utils
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import aiohttp

from rdp_remediate.models.report import Delivery

TIMEOUT_S = 15.0
LONGEST_RETRY_AFTER_S = 30.0
FIRST_PAUSE_S = 2.0
TRIES = 2
MOST_ANSWER_BYTES = 64 * 1024
_AGAIN = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    text: str
    retry_after_s: float | None


class HttpPost:
    """Posts JSON to one URL; the URL is a secret and stands in no text that this class makes."""

    def __init__(
        self,
        sink: str,
        url: str,
        *,
        body_error: Callable[[str], str | None] = lambda _: None,
        timeout_s: float = TIMEOUT_S,
        pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        """Names the place.

        Args:
            sink: Name of the sink, for the Delivery.
            url: https, or http on loopback.
            body_error: What the text of a 2xx answer really means, or None for success.
            timeout_s: For one try, connection included.
            pause_s: Before the second try, where the server names no time.
        """
        self._sink = sink
        self._url = url
        self._body_error = body_error
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._pause_s = pause_s
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        """Names the sink only."""
        return f"HttpPost({self._sink})"

    async def post(self, body: bytes) -> Delivery:
        """Posts the body, once more where the server was busy or broken; any 2xx whose body is no error is success."""
        refused = refused_url(self._url)
        if refused is not None:
            return self._failed(refused)
        said = "not tried"
        for attempt in range(TRIES):
            try:
                answer = await self._send(body)
            except TimeoutError:
                said = f"no answer within {self._timeout.total:g} s"
            except aiohttp.ClientConnectorCertificateError:
                return self._failed("the server's certificate is not trusted")
            except aiohttp.ClientError as failed:
                # The text of a client error may hold the URL: its kind is all that is said.
                said = f"the connection failed ({type(failed).__name__})"
            except ValueError:
                return self._failed("the URL cannot be used")
            else:
                error = self._error(answer)
                if error is None:
                    return Delivery(sink=self._sink, outcome="delivered", detail=f"answered {answer.status}")
                said = error
                if answer.status not in _AGAIN and not 200 <= answer.status < 300:
                    return self._failed(said)
                if attempt + 1 < TRIES:
                    wait_s = answer.retry_after_s if answer.retry_after_s is not None else self._pause_s
                    await asyncio.sleep(min(wait_s, LONGEST_RETRY_AFTER_S))
                continue
            if attempt + 1 < TRIES:
                await asyncio.sleep(self._pause_s)
        return self._failed(f"{said}, tried {TRIES} times")

    async def close(self) -> None:
        """Closes the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(self, body: bytes) -> Answer:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar())
        headers = {"Content-Type": "application/json; charset=utf-8"}
        async with self._session.post(self._url, data=body, headers=headers, allow_redirects=False) as response:
            text = (await response.content.read(MOST_ANSWER_BYTES)).decode("utf-8", "replace")
            return Answer(response.status, text, retry_after(response.headers.get("Retry-After")))

    def _error(self, answer: Answer) -> str | None:
        if 200 <= answer.status < 300:
            meant = self._body_error(answer.text)
            return None if meant is None else f"answered {answer.status}, but its body reports {meant}"
        if 300 <= answer.status < 400:
            return f"answered {answer.status}; redirects are not followed"
        return f"answered {answer.status}"

    def _failed(self, why: str) -> Delivery:
        return Delivery(sink=self._sink, outcome="failed", detail=why)


def refused_url(url: str) -> str | None:
    """Why a URL is not posted to, without the URL; None for one that is."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return None
    if parts.scheme == "http" and parts.hostname and _is_loopback(parts.hostname):
        return None
    return "the URL is not https"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def retry_after(text: str | None) -> float | None:
    """Seconds of a Retry-After header, as number or as date (RFC 9110 10.2.3); None for neither."""
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text.strip())
    try:
        at = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
