"""Starts a lab: https ARM, plain http, and the RDP endpoints of the VMs, all on free loopback ports."""

import os
import ssl
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from rdp_remediate.lab.arm_app import ArmApp
from rdp_remediate.lab.arm_http import Context
from rdp_remediate.lab.build import build_world
from rdp_remediate.lab.certificates import LabAuthority, concatenated_bundle
from rdp_remediate.lab.endpoints import Endpoints
from rdp_remediate.lab.guest_runtime import GuestRuntime, RdpFrontFactory
from rdp_remediate.lab.guests.certificates import GuestCertificates
from rdp_remediate.lab.latency import profile
from rdp_remediate.lab.names import Names
from rdp_remediate.lab.operations import Operations
from rdp_remediate.lab.plain_app import IDENTITY_SECRET, PlainApp, Receivers
from rdp_remediate.lab.request_log import Failures, RequestLog
from rdp_remediate.lab.scenario import Scenario, by_name
from rdp_remediate.lab.world import World

LOOPBACK = "127.0.0.1"
_SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


class Lab:
    """One simulated subscription with everything that serves it; use it as an asynchronous context manager.

    Attributes:
        world: The state; tests change it and call `await lab.world.changed()`.
        requests: What was asked of ARM, in order.
        failures: Switches that make ARM requests fail.
        delivery_failures: Switches for the receivers of summaries.
        receivers: What the product delivered to the event topic, the Teams and the generic webhook.
    """

    world: World

    def __init__(
        self,
        scenario: Scenario | str = "healthy",
        *,
        runtime: GuestRuntime,
        front: RdpFrontFactory | None = None,
        names: Names | None = None,
        latency: str = "instant",
        speed: float = 1.0,
    ) -> None:
        """Prepares a lab; nothing is started yet.

        Args:
            scenario: A scenario, or names of built-in ones joined with `+`.
            runtime: Executes scripts over guest state; closed with the lab.
            front: Builds the live RDP endpoints; without one there are none.
            names: Names in the subscription.
            latency: instant or realistic.
            speed: Divides the latencies.

        Raises:
            UsageError: there is no such scenario.
        """
        self.scenario = by_name(scenario) if isinstance(scenario, str) else scenario
        self.names = names or Names()
        self.latency = profile(latency, speed)
        self.requests, self.failures, self.receivers = RequestLog(), Failures(), Receivers()
        self.delivery_failures = Failures()
        self._runtime, self._front = runtime, front
        self._runners: list[web.AppRunner] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.arm_url = self.http_url = ""
        self.endpoints: Endpoints | None = None

    async def __aenter__(self) -> Self:
        """Starts everything.

        Raises:
            UsageError: the scenario cannot be played.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="rdp-remediate-lab-")
        try:
            await self._start(Path(self._folder.name))
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops everything that was started and removes its files."""
        await self._stop()

    async def _start(self, folder: Path) -> None:
        self.folder = folder
        authority = LabAuthority(folder)
        self.ca_file = authority.ca_file
        existing = [os.environ.get(name, "") for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")]
        candidates = [Path(p) for p in [*existing, *_SYSTEM_BUNDLES] if p and Path(p).is_file()]
        self.ca_bundle = concatenated_bundle(folder, authority.ca_file, candidates[:1])
        self.certificates = GuestCertificates(folder)
        self.world = build_world(self.scenario, self._runtime, self.names)
        for vm, state in self.world.guests.items():
            self.world.guests[vm] = self.certificates.bind(state)
        self.operations = Operations(self.names.subscription, self.latency)
        self.context = Context(self.world, self._runtime, self.latency, self.operations, self.certificates.bind)
        arm = ArmApp(self.context, self.requests, self.failures)
        self.plain = PlainApp(self.world, self.receivers, self.delivery_failures)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(authority.certificate, authority.key)
        self.arm_url = f"https://localhost:{await self._serve(arm.application, tls)}"
        self.http_url = f"http://{LOOPBACK}:{await self._serve(self.plain.application, None)}"
        self.endpoints = Endpoints(self.world, self._runtime, self._front, self.certificates.files)
        await self.endpoints.start(LOOPBACK)
        self.world.listeners.append(self.endpoints.refresh)

    async def _serve(self, application: web.Application, tls: ssl.SSLContext | None) -> int:
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        self._runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, LOOPBACK, 0, ssl_context=tls)
        await site.start()
        port: int = runner.addresses[0][1]
        return port

    async def _stop(self) -> None:
        if self.endpoints is not None:
            await self.endpoints.close()
        if hasattr(self, "operations"):
            await self.operations.close()
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()
        await self._runtime.close()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    @property
    def vm_id(self) -> str:
        """The ARM id of the target VM."""
        return self.world.vm_id

    @property
    def connect_to(self) -> list[str]:
        """The mappings HOST:PORT:ADDR:PORT that lead dialled addresses to loopback, as curl's --connect-to has them."""
        return self.endpoints.connect_to if self.endpoints is not None else []

    def identity(self) -> dict[str, str]:
        """Returns the variables that make azure-identity ask the lab, and nobody else, for tokens."""
        return {
            "IDENTITY_ENDPOINT": f"{self.http_url}/msi/token",
            "IDENTITY_HEADER": IDENTITY_SECRET,
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": self.http_url,
        }

    def exports(self) -> dict[str, str]:
        """Returns the environment that points the genuine SDKs and `az` at this lab (reference arm.md section 2)."""
        known = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
        hosts = [h for h in known.split(",") if h]
        direct = ",".join([*hosts, *(h for h in ("localhost", LOOPBACK) if h not in hosts)])
        return {
            **self.identity(),
            "RDP_REMEDIATE_ARM_URL": self.arm_url,
            "AZURE_SUBSCRIPTION_ID": self.names.subscription,
            "AZURE_TENANT_ID": self.names.tenant,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "AZURE_CONFIG_DIR": str(self.folder / "az"),
            "AZURE_CORE_COLLECT_TELEMETRY": "0",
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",
            "REQUESTS_CA_BUNDLE": str(self.ca_bundle),
            "SSL_CERT_FILE": str(self.ca_bundle),
            "NO_PROXY": direct,
            "no_proxy": direct,
        }
