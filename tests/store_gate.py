"""A gate before the store: forwards requests to Azurite and holds a chosen one, so that a test can kill its sender there."""

import asyncio
import re
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp import web
from yarl import URL

from tests.lab_beside import LoopThread

_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "date"})


@dataclass
class Hold:
    """Holds one request whose `METHOD path body` matches; the sender waits for its answer until the gate opens.

    Attributes:
        pattern: Regular expression, in any case.
        after: Let the store do the work first and hold the answer; otherwise the store never hears of it.
    """

    pattern: str
    after: bool
    caught: threading.Event = field(default_factory=threading.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)


class StoreGate:
    """A reverse proxy on loopback before one service of Azurite."""

    def __init__(self, loop: LoopThread, upstream: str) -> None:
        self._loop = loop
        parts = urlsplit(upstream)
        self._upstream, self._account = f"{parts.scheme}://{parts.netloc}", parts.path
        self._holds: list[Hold] = []
        self._held: list[Hold] = []
        self.endpoint = ""

    def __enter__(self) -> Self:
        self._loop.run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run(self._stop())

    def hold(self, pattern: str, *, after: bool = False) -> Hold:
        """Holds the next request that matches."""
        made = Hold(pattern, after)
        self._holds.append(made)
        return made

    def open(self) -> None:
        """Lets everything through from now on; what is held fails, if its sender still lives."""
        self._loop.run(self._open())

    async def _open(self) -> None:
        self._holds.clear()
        for hold in self._held:
            hold.released.set()
        self._held.clear()

    async def _start(self) -> None:
        self._client = aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar())
        application = web.Application(client_max_size=16 * 1024 * 1024)
        application.router.add_route("*", "/{tail:.*}", self._forward)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.endpoint = f"http://127.0.0.1:{self._runner.addresses[0][1]}{self._account}"

    async def _stop(self) -> None:
        await self._open()
        await self._runner.cleanup()
        await self._client.close()

    async def _forward(self, request: web.Request) -> web.Response:
        body = await request.read()
        shown = f"{request.method} {unquote(request.path)} {body.decode(errors='replace')}"
        hold = next((one for one in self._holds if re.search(one.pattern, shown, re.IGNORECASE | re.DOTALL)), None)
        if hold is not None:
            self._holds.remove(hold)
        if hold is not None and not hold.after:
            return await self._keep(hold)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in ("host", "connection")}
        # The path goes on as it was written: the signature covers it.
        url = URL(f"{self._upstream}{request.raw_path}", encoded=True)
        async with self._client.request(request.method, url, headers=headers, data=body or None) as answer:
            content = await answer.read()
            if hold is not None:
                return await self._keep(hold)
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _BY_HOP}
            return web.Response(status=answer.status, headers=kept, body=content)

    async def _keep(self, hold: Hold) -> web.Response:
        self._held.append(hold)
        hold.caught.set()
        await hold.released.wait()
        return web.Response(status=503)
