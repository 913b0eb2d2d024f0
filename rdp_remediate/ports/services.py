"""Everything that a run needs of the outside world, as one value."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from rdp_remediate.models.report import Delivery
from rdp_remediate.ports.azure import ArmReads, ArmWrites, LogQueries
from rdp_remediate.ports.guest import GuestChannel, NeighbourChannel, Prober
from rdp_remediate.ports.store import Ledger
from rdp_remediate.settings import Settings


class Sink(Protocol):
    """One place that gets the summary."""

    @property
    def name(self) -> str:
        """Stands in reports."""
        ...

    @property
    def renderer(self) -> Literal["card", "json", "event"]:
        """The form that it takes."""
        ...

    async def deliver(self, body: bytes) -> Delivery:
        """Sends one rendered summary and says what became of it; never raises for the network or the server."""
        ...


class Clock(Protocol):
    """Time as a service, so that tests own it."""

    def now(self) -> datetime:
        """The time, aware UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """One line of live progress: `stage` is a phase or hop, `text` a short sentence."""

    stage: str
    text: str
    done: bool = False


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a run needs of the outside world; built by `wiring` only."""

    settings: Settings
    reads: ArmReads
    writes: ArmWrites
    guest: GuestChannel
    prober: Prober
    logs: LogQueries
    ledger: Ledger
    clock: Clock
    neighbours: NeighbourChannel | None = None
    sinks: Sequence[Sink] = ()
    progress: Callable[[Progress], None] = field(default=lambda _: None)
    vantage: Literal["app", "cli"] = "app"
    subscriptions: Sequence[str] = ()
    """Ids of the subscriptions in which a machine that is only named is looked for."""
    observe_because: str | None = None
    """Why nothing may be changed whatever the mode says, such as a store that cannot be reached."""
