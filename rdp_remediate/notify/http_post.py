"""One POST of a rendered summary, with everything that may go wrong turned into a Delivery without a secret in it."""

import ipaddress
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

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

MOST_ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True)
class Reported:
    """What the body of a 2xx answer reports, and whether a later try may succeed."""

    what: str
    passing: bool


class HttpPost:
    """Posts JSON to one URL; the URL is a secret and stands in no text that this class makes."""

    def __init__(
        self,
        sink: str,
        url: str,
        *,
        body_error: Callable[[str], Reported | None] | None = None,
        timeout_s: float = TIMEOUT_S,
        pause_s: float = FIRST_PAUSE_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Names the place.

        Args:
            sink: Name of the sink, for the Delivery.
            url: https, or http on loopback.
            body_error: The error that the text of a 2xx answer reports; None: bodies are not read, every 2xx is success.
            timeout_s: For one try, connection included.
            pause_s: Before the second try, where the server names no time.
            tls: Whom to trust; None: the system's authorities.
        """
        self._sink = sink
        self._url = url
        self._body_error = body_error
        self._timeout_s = timeout_s
        self._pause_s = pause_s
        self._tls: ssl.SSLContext | bool = tls or True
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        """Names the sink only."""
        return f"HttpPost({self._sink})"

    async def post(self, body: bytes) -> Delivery:
        """Posts the body, once more where the server was busy, broken or not reached."""
        refused = refused_url(self._url)
        if refused is not None:
            return Delivery(sink=self._sink, outcome="failed", detail=refused)
        return await at_most_twice(self._sink, lambda: self._attempt(body))

    async def close(self) -> None:
        """Closes the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _attempt(self, body: bytes) -> Attempt:
        """One try. The text of a client error may hold the URL: its kind is all that is said of it."""
        try:
            return await self._send(body)
        except TimeoutError:
            return Attempt(False, f"no answer within {self._timeout_s:g} s; {ARRIVAL_UNKNOWN}")
        except aiohttp.ClientConnectorCertificateError:
            return Attempt(False, "the server's certificate is not trusted")
        except aiohttp.ClientConnectorError as failed:
            return Attempt(False, f"no connection ({type(failed).__name__})", self._pause_s)
        except ValueError:
            return Attempt(False, "the URL cannot be used")
        except aiohttp.ClientError as failed:
            return Attempt(False, f"the answer was lost ({type(failed).__name__}); {ARRIVAL_UNKNOWN}")

    async def _send(self, body: bytes) -> Attempt:
        if self._session is None:
            # A run posts once: a connection that is kept open meanwhile would only be found closed by the server.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        headers = {"Content-Type": "application/json; charset=utf-8", "Accept-Encoding": "identity"}
        async with self._session.post(
            self._url, data=body, headers=headers, allow_redirects=False, ssl=self._tls
        ) as response:
            status = response.status
            named_s = retry_after(response.headers.get("Retry-After"))
            pause_s = self._pause_s if named_s is None else named_s
            if 300 <= status < 400:
                return Attempt(False, f"answered {status}; redirects are not followed")
            if not 200 <= status < 300:
                return Attempt(False, f"answered {status}", pause_s if busy_or_broken(status) else None)
            if self._body_error is None:
                return Attempt(True, f"answered {status}")
            reported = self._body_error(await _beginning(response.content))
            if reported is None:
                return Attempt(True, f"answered {status}")
            detail = f"answered {status}, but its body reports {reported.what}"
            return Attempt(False, detail, pause_s if reported.passing else None)


async def _beginning(content: aiohttp.StreamReader) -> str:
    """The first 64 KiB of a body, in however many pieces they come."""
    read = b""
    while len(read) < MOST_ANSWER_BYTES:
        piece = await content.read(MOST_ANSWER_BYTES - len(read))
        if not piece:
            break
        read += piece
    return read.decode("utf-8", "replace")


def refused_url(url: str) -> str | None:
    """Why a URL is not posted to, without the URL; None for one that is."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "the URL cannot be used"
    if host and (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))):
        return None
    return "the URL is not https"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
