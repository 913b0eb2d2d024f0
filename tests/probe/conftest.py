"""Real servers and identities that the probe's tests share."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from tests.probe.certificates import ServerIdentity, make_identity
from tests.probe.real_servers import RealServer, shadow, x_display, xrdp


@pytest.fixture(scope="session")
def identity() -> ServerIdentity:
    """The certificate of the machine VM-PROD-01, as Windows makes it."""
    return make_identity("VM-PROD-01.contoso.example")


@pytest.fixture(scope="session")
def expired_identity() -> ServerIdentity:
    return make_identity("old-server", valid_from=timedelta(days=-400), valid_until=timedelta(days=-30))


@pytest.fixture(scope="session")
def server_stack() -> Iterator[ExitStack]:
    """What ends the real servers when the session ends."""
    with ExitStack() as stack:
        yield stack


class XrdpServers:
    """Starts each kind of xrdp once."""

    def __init__(
        self, stack: ExitStack, directory: Path, identity: ServerIdentity, expired_identity: ServerIdentity
    ) -> None:
        self._stack, self._directory = stack, directory
        self._files = {
            "good": identity.write(directory, "good"),
            "expired": expired_identity.write(directory, "expired"),
            "none": (directory / "missing.crt", directory / "missing.key"),
        }
        self._running: dict[str, RealServer] = {}

    def get(
        self,
        name: str,
        *,
        layer: str = "tls",
        files: str = "good",
        protocols: str = "TLSv1.2, TLSv1.3",
        extra: str = "",
    ) -> RealServer:
        if name not in self._running:
            certificate, key = self._files[files]
            self._running[name] = self._stack.enter_context(
                xrdp(
                    self._directory / name,
                    certificate,
                    key,
                    security_layer=layer,
                    ssl_protocols=protocols,
                    extra=extra,
                )
            )
        return self._running[name]


class ShadowServers:
    """Starts each kind of freerdp-shadow once, on one display."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        self._stack, self._directory = stack, directory
        self._display: str | None = None
        self._running: dict[str, RealServer] = {}

    def get(self, name: str, *options: str) -> RealServer:
        if name not in self._running:
            if self._display is None:
                self._display = self._stack.enter_context(x_display(self._directory))
            self._running[name] = self._stack.enter_context(shadow(self._directory / name, self._display, *options))
        return self._running[name]


@pytest.fixture(scope="session")
def xrdp_servers(
    server_stack: ExitStack,
    tmp_path_factory: pytest.TempPathFactory,
    identity: ServerIdentity,
    expired_identity: ServerIdentity,
) -> XrdpServers:
    return XrdpServers(server_stack, tmp_path_factory.mktemp("xrdp"), identity, expired_identity)


@pytest.fixture(scope="session")
def shadow_servers(server_stack: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> ShadowServers:
    return ShadowServers(server_stack, tmp_path_factory.mktemp("shadow"))


@pytest.fixture(scope="session")
def shadow_nla(shadow_servers: ShadowServers) -> RealServer:
    """freerdp-shadow that insists on NLA."""
    return shadow_servers.get("nla", "/sec:nla", "-auth")
