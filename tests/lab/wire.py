"""Plain requests to a lab, for what SDK clients hide: headers, bodies, polls."""

import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

from rdp_remediate.lab.server import Lab

VERSION = "2024-07-01"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str
    body: Any

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])


class Wire:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._tls = ssl.create_default_context(cafile=str(lab.ca_file))

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._tls))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def send(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, caller: str = "static"
    ) -> Answer:
        """Sends one request; a path gets an api-version, a whole URL (a poll address) is used as it is."""
        url = path if path.startswith("https://") else f"{self.lab.arm_url}{path}"
        if not path.startswith("https://") and "api-version=" not in path:
            url += f"{'&' if '?' in url else '?'}api-version={VERSION}"
        sent = {"Authorization": f"Bearer {caller}"} if caller else {}
        async with self._session.request(method, url, json=body, headers={**sent, **(headers or {})}) as got:
            text = await got.text()
            decoded = await got.json() if text and "json" in got.headers.get("Content-Type", "") else None
            return Answer(got.status, {k.lower(): v for k, v in got.headers.items()}, text, decoded)

    async def get(self, path: str) -> Answer:
        return await self.send("GET", path)
