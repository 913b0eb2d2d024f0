"""A real HTTP server on loopback that answers as told and remembers what came."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web


@dataclass
class Reply:
    """One answer of the server."""

    status: int = 200
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0


class Receiver:
    """Answers POSTs to any path with the given replies in turn; the last one is repeated."""

    def __init__(self, replies: Sequence[Reply], *, tls: ssl.SSLContext | None = None) -> None:
        self.replies = list(replies)
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self._tls = tls
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_post("/{tail:.*}", self._answer)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        self.port = 0

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}/workflows/abc?sig=not-to-be-shown"

    async def _answer(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        self.headers.append(dict(request.headers))
        self.paths.append(request.path)
        reply = self.replies[min(len(self.bodies), len(self.replies)) - 1]
        if reply.delay_s:
            await asyncio.sleep(reply.delay_s)
        return web.Response(status=reply.status, text=reply.text, headers=reply.headers)
