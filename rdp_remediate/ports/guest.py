"""The ports into Windows, to a neighbour of the target, and to RDP itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Fact, Unavailable
from rdp_remediate.ports.outcomes import Started, WriteOutcome


@dataclass(frozen=True, slots=True)
class GuestRequest:
    """What one Run Command asks the guest; see guest/protocol.py for its wire form.

    Attributes:
        attempt: Sets this request apart from the others of its run: pass, purpose and replans.
        location: The VM's region, which a managed Run Command has to name.
        managed_because: Why the action Run Command is not asked any more in this run, or None.
    """

    run_id: str
    script: Literal["collect", "repair"]
    attempt: str = ""
    location: str | None = None
    managed_because: str | None = None
    slice: int = 1
    user: str | None = None
    self_address: str | None = None
    deadline_s: int = 60
    allow_domain_controller: bool = False
    steps: Sequence[JsonObject] = ()


class GuestChannel(Protocol):
    """The way into Windows."""

    def preflight(self, vm: JsonObject) -> Unavailable | None:
        """Why Run Command cannot be used now, judged from the VM with its instance view; None: it can."""
        ...

    async def start(self, vm_id: str, request: GuestRequest) -> WriteOutcome:
        """Sends the script; ends as `Started`, `Rejected` (busy, not running …) or `OutcomeUnknown`."""
        ...

    async def poll(self, operation: JsonObject) -> Started | Fact[JsonObject]:
        """How the script stands: still running, its decoded answer, or why there is none."""
        ...


@dataclass(frozen=True, slots=True)
class NeighbourRequest:
    """What a neighbour VM is asked to try: an address and port that ARM shows on the target, nothing else."""

    run_id: str
    windows: bool
    address: str
    port: int


class NeighbourChannel(Protocol):
    """The way into a VM beside the target; it only probes."""

    def preflight(self, vm: JsonObject) -> Unavailable | None:
        """Why Run Command cannot be used on this VM now; None: it can."""
        ...

    async def start(self, vm_id: str, request: NeighbourRequest) -> WriteOutcome:
        """Sends the probe; ends as `Started`, `Rejected` or `OutcomeUnknown`."""
        ...

    async def poll(self, operation: JsonObject) -> Started | Fact[JsonObject]:
        """How the probe stands: still running, its result as a probe record holds it, or why there is none."""
        ...


class Prober(Protocol):
    """The RDP wire probe."""

    async def probe(self, address: str, port: int, *, computer_name: str | None = None) -> JsonObject:
        """One confirmed probe; the result as JSON (rdp-probe.md 1.3). Never raises for what the network does."""
        ...
