"""A small https server that answers as scripted, and the clients that talk to it: genuine SDK, own CA, no Azure."""

import asyncio
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rdp_remediate.arm.clients import ArmClients, ArmEndpoint
from rdp_remediate.arm.retry import RetryTimes

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-app"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm1"
NIC = f"{GROUP}/providers/Microsoft.Network/networkInterfaces/nic1"
NSG = f"{GROUP}/providers/Microsoft.Network/networkSecurityGroups/nsg1"


@dataclass(frozen=True)
class Reply:
    """One scripted answer. `{base}` in headers and texts becomes the server's URL."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    content_type: str = "application/json"
    delay_s: float = 0.0
    hang_up: bool = False


@dataclass(frozen=True)
class Seen:
    """One request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str

    def json(self) -> Any:
        return json.loads(self.body)


class FakeArm:
    """Answers each (method, path) with its replies in turn; the last one repeats."""

    def __init__(self) -> None:
        self.base = ""
        self.seen: list[Seen] = []
        self.most_at_once = 0
        self._at_once = 0
        self._replies: dict[tuple[str, str], list[Reply]] = {}

    def on(self, method: str, path: str, *replies: Reply) -> None:
        self._replies[method, path.lower()] = list(replies)

    def count(self, method: str, path_end: str) -> int:
        return sum(1 for seen in self.seen if seen.method == method and seen.path.lower().endswith(path_end.lower()))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append(Seen(request.method, request.path, dict(request.query), headers, body))
        replies = self._replies.get((request.method, request.path.lower()))
        if not replies:
            error = {"error": {"code": "NotScripted", "message": f"{request.method} {request.path}"}}
            return web.json_response(error, status=418)
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(reply.delay_s)
        finally:
            self._at_once -= 1
        if reply.hang_up:
            assert request.transport is not None
            request.transport.abort()
        text = reply.text if reply.text is not None else "" if reply.body is None else json.dumps(reply.body)
        return web.Response(
            status=reply.status,
            text=text.replace("{base}", self.base),
            headers={name: value.replace("{base}", self.base) for name, value in reply.headers.items()},
            content_type=reply.content_type,
        )


class StaticCredential(AsyncTokenCredential):
    """A credential that is always signed in."""

    def __init__(self) -> None:
        self.closed = False

    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        return AccessToken("test", int(datetime.now(UTC).timestamp()) + 3600)

    async def close(self) -> None:
        self.closed = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


def make_certificate(folder: Path) -> Path:
    """Writes a self-signed certificate for loopback with its key (server.pem) and without (ca.pem)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "fake ARM")])
    now = datetime.now(UTC)
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.pem").write_bytes(public)
    (folder / "server.pem").write_bytes(private + public)
    return folder


@asynccontextmanager
async def serve(arm: FakeArm, certificate: Path) -> AsyncIterator[FakeArm]:
    """Listens on a free loopback port until the block ends."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", arm.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "server.pem")
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    arm.base = f"https://localhost:{runner.addresses[0][1]}"
    try:
        yield arm
    finally:
        await runner.cleanup()


def clients_for(
    arm: FakeArm, certificate: Path, credential: AsyncTokenCredential | None = None, *, read_timeout_s: float = 5.0
) -> ArmClients:
    """The product's own clients, pointed at the fake."""
    endpoint = ArmEndpoint(
        base_url=arm.base,
        credential_scopes=(f"{arm.base}/.default",),
        connection_verify=str(certificate / "ca.pem"),
        connection_timeout_s=2.0,
        read_timeout_s=read_timeout_s,
    )
    return ArmClients(credential or StaticCredential(), endpoint, RetryTimes(attempts=2, backoff_s=0.01))
