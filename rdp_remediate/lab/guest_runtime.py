"""What the lab asks of a simulated Windows and of the RDP endpoint in front of it.

Both are implemented in `rdp_remediate.lab.guests`; the lab itself knows these protocols only. A guest is its state: one
JSON document of schema winps/state/1. Every function here takes the whole state and never keeps it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

GuestState = dict[str, Any]


class Admission(StrEnum):
    """What a client that connects to a TCP port sees."""

    ACCEPT = "accept"
    SILENT = "silent"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """What one script did to a guest; output is whole, the lab cuts it to 4,096 bytes as Azure does."""

    stdout: str
    stderr: str
    state: GuestState
    not_simulated: list[str] = field(default_factory=list)
    """Texts that the simulation cannot answer for; a test fails on any, the lab puts them on stderr."""


@dataclass(frozen=True, slots=True)
class RdpListener:
    """The RDP listener that the guest's state brings about, as negotiation needs it (MS-RDPBCGR 2.2.1.1, 2.2.1.2)."""

    port: int
    security_layer: int
    """Effective SecurityLayer, the policy copy winning: 0 RDP, 1 negotiate, 2 TLS."""
    user_authentication: bool
    """True when Network Level Authentication is demanded."""
    thumbprint: str | None
    """SHA-1 thumbprint, upper case, of the certificate that the listener presents; None when it has none that works."""
    computer_name: str


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A genuine certificate and its key on disk, PEM."""

    certificate: Path
    key: Path


class GuestRuntime(Protocol):
    """Executes scripts over a guest state and answers what Windows would make of that state."""

    def healthy_state(self, base: str) -> GuestState:
        """Returns a fresh healthy state.

        Bases: server2022, server2022-domain, server2022-core, server2022-de, server2016, win11.

        Raises:
            UsageError: the runtime has no such base.
        """
        ...

    def settle(self, state: GuestState) -> GuestState:
        """Returns the state after Windows' own dynamics (a stopped TermService has no listener)."""
        ...

    def rdp_listener(self, state: GuestState) -> RdpListener | None:
        """Returns the RDP listener of a settled state, None when there is none."""
        ...

    def admits(self, state: GuestState, client: str, port: int) -> Admission:
        """Returns what Windows Firewall and the listeners make of a TCP SYN from client to the guest's port.

        The network before the guest is the lab's part. A closed port behind the firewall is silence (stealth mode).
        """
        ...

    async def run_script(
        self, state: GuestState, script: str, parameters: dict[str, str], *, timeout_s: float
    ) -> ScriptResult:
        """Runs a PowerShell script as Run Command does: as SYSTEM, parameters bound by name, all of them strings.

        Raises:
            TimeoutError: the script ran longer than timeout_s.
        """
        ...

    async def close(self) -> None:
        """Ends what the runtime started."""
        ...


class RdpFront(Protocol):
    """One live TCP endpoint on loopback that plays a VM's RDP port as one dialled address and port show it.

    The loopback port stays the same all its life: refuse = bound and not listening, silence = a full accept queue.
    """

    async def start(self, host: str = "127.0.0.1") -> int:
        """Binds a free port, takes its first posture and returns the port."""
        ...

    async def refresh(self) -> None:
        """Asks `admit` and `listener` again and changes posture when needed; called after every state change."""
        ...

    async def close(self) -> None:
        """Closes the endpoint and every connection that it accepted."""
        ...


class RdpFrontFactory(Protocol):
    """Builds a front; `rdp_remediate.lab.guests.rdp_front.RdpFront` is one."""

    def __call__(
        self,
        *,
        admit: Callable[[str], Admission],
        listener: Callable[[], RdpListener | None],
        certificate: Callable[[str], CertificateFiles],
    ) -> RdpFront:
        """Builds a front that is not yet bound.

        Args:
            admit: What a connect from this loopback address sees: path, guest firewall and listener together.
            listener: The guest's listener now; consulted per connection for the negotiation.
            certificate: The genuine certificate for a thumbprint of guest state.
        """
        ...
