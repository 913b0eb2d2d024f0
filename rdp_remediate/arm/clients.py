"""Genuine Azure clients with our policies: one pipeline for ARM, configured the same for Azure and for the lab."""

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import azure.core
import azure.mgmt.compute
import azure.mgmt.network
from azure.core import AsyncPipelineClient
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import HeadersPolicy, ProxyPolicy, RequestIdPolicy, SansIOHTTPPolicy, UserAgentPolicy
from azure.core.pipeline.transport._aiohttp import AioHttpTransport  # its public name is untyped
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.core import AsyncARMPipelineClient
from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy
from azure.mgmt.network.aio import NetworkManagementClient

from rdp_remediate import __version__
from rdp_remediate.arm.answers import Answer, ForeignUrlError, answer_of
from rdp_remediate.arm.credentials import managed_identity, operator_credential
from rdp_remediate.arm.retry import RetryTimes, SafeRetry

if TYPE_CHECKING:
    from azure.mgmt.resourcegraph.aio import ResourceGraphClient

USER_AGENT = f"rdp-remediate/{__version__}"
READS_PER_SUBSCRIPTION = 8

__all__ = ["ArmClients", "ArmEndpoint", "correlated", "correlation_id", "managed_identity", "operator_credential"]

_CORRELATION: ContextVar[str | None] = ContextVar("rdp_remediate_correlation", default=None)


@dataclass(frozen=True, slots=True)
class ArmEndpoint:
    """Where ARM is.

    Attributes:
        base_url: https URL of ARM, without a trailing slash.
        credential_scopes: Scopes of the token.
        connection_verify: True: the system's certificate authorities; a path: this bundle (the lab's).
        connection_timeout_s: How long a connection may take.
        read_timeout_s: How long ARM may stay silent; a diagnostics POST answers after some 10 s.
    """

    base_url: str = "https://management.azure.com"
    credential_scopes: tuple[str, ...] = ("https://management.azure.com/.default",)
    connection_verify: bool | str = True
    connection_timeout_s: float = 10.0
    read_timeout_s: float = 40.0


def correlation_id(run_id: str) -> str:
    """The GUID under which Azure's activity log shows what a run asked: the same for the same run."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"rdp-remediate/run/{run_id}"))


@contextmanager
def correlated(value: str | None) -> Iterator[None]:
    """Within this block every request carries `x-ms-correlation-request-id`, also pages and polls."""
    token = _CORRELATION.set(value)
    try:
        yield
    finally:
        _CORRELATION.reset(token)


class _CorrelationPolicy(SansIOHTTPPolicy[Any, Any]):
    def on_request(self, request: PipelineRequest[Any]) -> None:
        value = _CORRELATION.get()
        if value is not None:
            request.http_request.headers["x-ms-correlation-request-id"] = value


class _OneAttemptTransport(AioHttpTransport):
    """aiohttp sends PUT and DELETE again by itself when a connection breaks before the answer; this one does not.

    aiohttp has no public switch for it; a test holds that a rule's PUT whose answer is lost arrives once.
    """

    async def open(self) -> None:
        """Opens the session without aiohttp's own repetition."""
        opening: Any = super().open  # untyped in the SDK
        await opening()
        if self.session is not None:
            self.session._retry_connection = False  # the switch is private; aiohttp's own test client sets it so


class ArmClients:
    """The clients of one event loop; wiring closes them.

    None of them registers a resource provider by itself (the SDK would POST that on 409), follows redirects with a
    token, or logs requests.
    """

    def __init__(
        self,
        credential: AsyncTokenCredential,
        endpoint: ArmEndpoint | None = None,
        retry: RetryTimes | None = None,
    ) -> None:
        self.endpoint = endpoint or ArmEndpoint()
        self._credential = credential
        self._retry = retry or RetryTimes()
        self._compute: dict[str, ComputeManagementClient] = {}
        self._network: dict[str, NetworkManagementClient] = {}
        self._graph: ResourceGraphClient | None = None
        self._raw = AsyncARMPipelineClient[HttpRequest, AsyncHttpResponse](
            self.endpoint.base_url, policies=self._policies(f"core/{azure.core.__version__}"), **self._transport()
        )
        self._plain: AsyncPipelineClient[HttpRequest, AsyncHttpResponse] | None = None
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._nsg_locks: dict[str, asyncio.Lock] = {}

    async def __aenter__(self) -> Self:
        """Opens nothing: clients connect when they are used."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes every client and the credential."""
        await self.close()

    async def close(self) -> None:
        """Closes every client and the credential."""
        for compute in self._compute.values():
            await compute.close()
        for network in self._network.values():
            await network.close()
        if self._graph is not None:
            await self._graph.close()
        await self._raw.close()
        if self._plain is not None:
            await self._plain.close()
        await self._credential.close()

    def slots(self, subscription: str) -> asyncio.Semaphore:
        """At most eight reads of one subscription at a time; ARM's read limits are per subscription."""
        return self._slots.setdefault(subscription.lower(), asyncio.Semaphore(READS_PER_SUBSCRIPTION))

    def writing(self, nsg_key: str) -> asyncio.Lock:
        """At most one write of one NSG at a time; Azure refuses the second with AnotherOperationInProgress."""
        return self._nsg_locks.setdefault(nsg_key, asyncio.Lock())

    def compute(self, subscription: str) -> ComputeManagementClient:
        """The genuine azure-mgmt-compute client of a subscription."""
        key = subscription.lower()
        if key not in self._compute:
            self._compute[key] = ComputeManagementClient(
                self._credential,
                subscription,
                base_url=self.endpoint.base_url,
                credential_scopes=list(self.endpoint.credential_scopes),
                policies=self._policies(f"mgmt-compute/{azure.mgmt.compute.__version__}"),
                **self._transport(),
            )
        return self._compute[key]

    def network(self, subscription: str) -> NetworkManagementClient:
        """The genuine azure-mgmt-network client of a subscription."""
        key = subscription.lower()
        if key not in self._network:
            self._network[key] = NetworkManagementClient(
                self._credential,
                subscription,
                base_url=self.endpoint.base_url,
                credential_scopes=list(self.endpoint.credential_scopes),
                policies=self._policies(f"mgmt-network/{azure.mgmt.network.__version__}"),
                **self._transport(),
            )
        return self._network[key]

    def graph(self) -> "ResourceGraphClient":
        """The genuine azure-mgmt-resourcegraph client; one for all subscriptions."""
        # Only scan needs it, and a worker that starts cold must not pay for its import.
        from azure.mgmt.resourcegraph import __version__ as version
        from azure.mgmt.resourcegraph.aio import ResourceGraphClient

        if self._graph is None:
            self._graph = ResourceGraphClient(
                self._credential,
                base_url=self.endpoint.base_url,
                credential_scopes=list(self.endpoint.credential_scopes),
                policies=self._policies(f"mgmt-resourcegraph/{version}"),
                **self._transport(),
            )
        return self._graph

    async def send(self, method: str, url: str, *, params: dict[str, str] | None = None, json: Any = None) -> Answer:
        """One raw request through the ARM pipeline, for what has no package; any status is an answer.

        Args:
            method: HTTP method.
            url: A path below ARM, or an absolute URL that ARM named (see `is_arm_url`).
            params: Query parameters.
            json: Body.

        Raises:
            AzureError: No answer came.
            ForeignUrlError: An absolute URL leads elsewhere, where our token must not go.
        """
        if not url.startswith("/") and not self.is_arm_url(url):
            raise ForeignUrlError("Azure named a URL outside Azure Resource Manager; the token does not go there")
        absolute = self.endpoint.base_url + url if url.startswith("/") else url
        response = await self._raw.send_request(HttpRequest(method, absolute, params=params, json=json))
        return answer_of(response.status_code, response.headers, response.text())

    async def download(self, url: str, *, most_bytes: int, tail_bytes: int) -> tuple[int, bytes]:
        """Status and the last bytes of a blob, read through its signed URL and without our token.

        Raises:
            AzureError: No answer came.
        """
        if self._plain is None:
            self._plain = AsyncPipelineClient(
                "https://", policies=[UserAgentPolicy(user_agent=USER_AGENT), ProxyPolicy()], **self._transport()
            )
        response = await self._plain.send_request(HttpRequest("GET", url), stream=True)
        kept, read = b"", 0
        try:
            async for chunk in response.iter_bytes():
                read += len(chunk)
                kept = (kept + chunk)[-tail_bytes:]
                if read >= most_bytes:
                    break
        finally:
            await response.close()
        return response.status_code, kept

    def is_arm_url(self, url: str) -> bool:
        """Whether an absolute URL leads to ARM, itself or a regional front of it."""
        own = urlsplit(self.endpoint.base_url)
        try:
            other = urlsplit(url)
            port = other.port
        except ValueError:
            return False
        if other.scheme != own.scheme or other.username or not other.hostname or not own.hostname:
            return False
        if other.hostname == own.hostname:
            return port == own.port
        return other.hostname.endswith("." + own.hostname) and port is None

    def _policies(self, moniker: str) -> list[Any]:
        return [
            RequestIdPolicy(),
            _CorrelationPolicy(),
            HeadersPolicy(),
            UserAgentPolicy(user_agent=USER_AGENT, sdk_moniker=moniker),
            ProxyPolicy(),
            SafeRetry(self._retry),
            AsyncARMChallengeAuthenticationPolicy(self._credential, *self.endpoint.credential_scopes),
        ]

    def _transport(self) -> dict[str, Any]:
        transport = _OneAttemptTransport(
            connection_verify=self.endpoint.connection_verify,
            connection_timeout=self.endpoint.connection_timeout_s,
            read_timeout=self.endpoint.read_timeout_s,
        )
        return {"transport": transport}
