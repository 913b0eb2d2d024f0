"""The only place that builds adapters: settings to services.

Adapters are imported when they are built, so that a process which only takes payloads in never imports azure.mgmt.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from rdp_remediate.errors import UsageError
from rdp_remediate.ports import Clock, Inventory, Ledger, Progress, Records, Services, Sink
from rdp_remediate.settings import Settings

LAB_PROBE_S = 0.3
LAB_POLL_S = 0.1


class WallClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time, aware UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Waits; a time that is over does not."""
        await asyncio.sleep(max(0.0, seconds))


def open_records(settings: Settings) -> Records:
    """The store that the settings name: the app's tables, a SQLite file, or this user's own SQLite file.

    Raises:
        UsageError: The tables are named but not where they are.
    """
    if settings.store == "tables":
        from rdp_remediate.store.tables import TablesRecords

        if settings.storage_connection:
            return TablesRecords.from_connection_string(settings.storage_connection)
        if not settings.table_service_uri or not settings.blob_service_uri:
            raise UsageError("The store is tables, but table_service_uri and blob_service_uri are not set.")
        from rdp_remediate.arm.credentials import managed_identity

        credential = managed_identity(settings.identity_client_id)
        return TablesRecords.from_endpoints(settings.table_service_uri, settings.blob_service_uri, credential)
    from rdp_remediate.store.sqlite import SqliteRecords

    return SqliteRecords(Path(settings.store) if settings.store else own_store())


def own_store() -> Path:
    """Where the command line keeps its own runs: $XDG_STATE_HOME/rdp-remediate/runs.sqlite3."""
    base = os.environ.get("XDG_STATE_HOME")
    folder = Path(base) if base else Path.home() / ".local" / "state"
    return folder / "rdp-remediate" / "runs.sqlite3"


def open_ledger(settings: Settings, records: Records, clock: Clock) -> Ledger:
    """The ledger over a store."""
    from rdp_remediate.store.ledger import Ledger

    ttl = timedelta(seconds=settings.rule_ttl_s)
    return Ledger(records, clock, writes_per_hour=settings.writes_per_hour, rule_ttl=ttl)


@asynccontextmanager
async def open_services(
    settings: Settings,
    *,
    vantage: Literal["app", "cli"],
    records: Records | None = None,
    progress: Callable[[Progress], None] | None = None,
    subscriptions: Sequence[str] = (),
    observe_because: str | None = None,
    correlation: str | None = None,
    sinks: Sequence[Sink] | None = None,
) -> AsyncIterator[Services]:
    """Builds every adapter for one event loop and closes them in the end.

    Args:
        settings: The settings.
        vantage: app: the managed identity of the function app; cli: the operator's own sign-in.
        records: A store that is already open and stays open; None: the one of the settings, closed in the end.
        progress: Gets live progress.
        subscriptions: Where a machine that is only named is looked for.
        observe_because: Why nothing may be changed, whatever the mode says.
        correlation: The run id that Azure's activity log shows with every request.
        sinks: Other sinks than those of the settings.
    """
    from rdp_remediate.arm import clients as arm
    from rdp_remediate.arm.polling import PollTimes
    from rdp_remediate.arm.reads import AzureReads
    from rdp_remediate.arm.writes import AzureWrites
    from rdp_remediate.guest.channels import GuestChannels
    from rdp_remediate.guest.managed_run_command import ManagedRunCommandChannel
    from rdp_remediate.guest.neighbour import RunCommandNeighbour
    from rdp_remediate.guest.run_command import RunCommandChannel
    from rdp_remediate.logs.queries import AzureLogQueries
    from rdp_remediate.probe.bundle_prober import BundleProber
    from rdp_remediate.probe.times import ProbeTimes

    managed = vantage == "app" or "IDENTITY_ENDPOINT" in os.environ
    credential = (
        arm.managed_identity(settings.identity_client_id)
        if vantage == "app"
        else arm.operator_credential(managed=managed)
    )
    verify: bool | str = settings.ca_bundle or True
    endpoint = arm.ArmEndpoint(
        base_url=settings.arm_url.rstrip("/"), credential_scopes=(settings.arm_scope,), connection_verify=verify
    )
    clock = WallClock()
    own_records = open_records(settings) if records is None else records
    clients = arm.ArmClients(credential, endpoint)
    identity = arm.correlation_id(correlation) if correlation else None
    longest = float(settings.poll_interval_cap_s)
    # The lab answers at once; Azure needs seconds, and Compute never says how many.
    pause_s = LAB_POLL_S if settings.in_lab else 5.0
    short = PollTimes(default_s=min(pause_s, 2.0, longest), longest_s=min(5.0, longest))
    started = PollTimes(default_s=min(pause_s, longest), longest_s=longest)
    writes = AzureWrites(clients, correlation_id=identity, poll_times=short, started_times=started)
    logs = AzureLogQueries(
        credential, settings.workspace_id, endpoint=settings.log_analytics_url, connection_verify=verify
    )
    # On loopback an answer takes milliseconds; the Internet's deadlines would make every silent endpoint cost 12 s.
    times = ProbeTimes.short(LAB_PROBE_S) if settings.in_lab else ProbeTimes()
    ledger = open_ledger(settings, own_records, clock)
    guest = GuestChannels(RunCommandChannel(writes, clock), ManagedRunCommandChannel(writes, clock, ledger))
    built = list(sinks) if sinks is not None else await _sinks(settings, credential)
    try:
        yield Services(
            settings=settings,
            reads=AzureReads(clients, correlation_id=identity, poll_times=short),
            writes=writes,
            guest=guest,
            prober=BundleProber(times, connect_to=connect_to(settings)),
            logs=logs,
            ledger=ledger,
            clock=clock,
            neighbours=RunCommandNeighbour(writes, clock),
            sinks=built,
            progress=progress or (lambda _: None),
            vantage=vantage,
            subscriptions=subscriptions,
            observe_because=observe_because,
        )
    finally:
        await writes.close()
        await logs.close()
        await clients.close()
        for sink in built:
            await _close(sink)
        await credential.close()
        if records is None:
            await own_records.close()


@asynccontextmanager
async def open_inventory(settings: Settings) -> AsyncIterator[Inventory]:
    """Bulk reads with the operator's own sign-in; they need no store and no sink, and write nothing."""
    from rdp_remediate.arm import clients as arm
    from rdp_remediate.arm.inventory import ResourceGraphInventory

    credential = arm.operator_credential(managed="IDENTITY_ENDPOINT" in os.environ)
    endpoint = arm.ArmEndpoint(
        base_url=settings.arm_url.rstrip("/"),
        credential_scopes=(settings.arm_scope,),
        connection_verify=settings.ca_bundle or True,
    )
    async with arm.ArmClients(credential, endpoint) as clients:
        yield ResourceGraphInventory(clients)


async def _close(sink: Any) -> None:
    close = getattr(sink, "close", None)
    if close is not None:
        await close()


async def _sinks(settings: Settings, credential: Any) -> list[Sink]:
    sinks: list[Sink] = []
    if settings.teams_webhook_url:
        from rdp_remediate.notify.teams import TeamsSink

        sinks.append(TeamsSink(settings.teams_webhook_url))
    if settings.webhook_url:
        from rdp_remediate.notify.webhook import WebhookSink

        sinks.append(WebhookSink(settings.webhook_url))
    if settings.event_grid_topic:
        from rdp_remediate.notify.event_grid import EventGridSink

        sinks.append(EventGridSink(settings.event_grid_topic, credential, connection_verify=settings.ca_bundle or True))
    return sinks


def connect_to(settings: Settings) -> dict[tuple[str, int], tuple[str, int]]:
    """The lab's mapping of dialled addresses to loopback ports; settings refuse it anywhere else."""
    from rdp_remediate.probe.target import parse_connect_to

    return dict(parse_connect_to(text) for text in settings.connect_to)


class App:
    """What one process of the function app holds open: a store for intake, and all services once a run is worked on.

    Clients belong to the event loop that they were opened on; a new loop gets new ones.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """Reads the settings when they are first needed, so that a wrong one is a clear error of the call."""
        self._environment = environment
        self._settings: Settings | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._records: Records | None = None
        self._stack = AsyncExitStack()
        self._services: Services | None = None
        self.clock: Clock = WallClock()

    @property
    def settings(self) -> Settings:
        """The settings of this process.

        Raises:
            UsageError: A setting is wrong.
        """
        if self._settings is None:
            self._settings = Settings.from_environment(os.environ if self._environment is None else self._environment)
        return self._settings

    async def ledger(self) -> Ledger:
        """The ledger, without anything that talks to ARM."""
        return open_ledger(self.settings, await self._open_records(), self.clock)

    async def services(self) -> Services:
        """Everything that a run needs."""
        records = await self._open_records()
        if self._services is None:
            opened = open_services(self.settings, vantage="app", records=records, subscriptions=self._subscriptions())
            self._services = await self._stack.enter_async_context(opened)
        return self._services

    async def close(self) -> None:
        """Closes what is open on this loop."""
        await self._stack.aclose()
        if self._records is not None:
            await self._records.close()
        self._services, self._records, self._loop = None, None, None

    async def _open_records(self) -> Records:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # The clients of a loop that is gone cannot be closed any more; they are let go.
            self._stack, self._services, self._records, self._loop = AsyncExitStack(), None, None, loop
        if self._records is None:
            self._records = open_records(self.settings)
        return self._records

    def _subscriptions(self) -> tuple[str, ...]:
        """The subscriptions that the configured sources name."""
        parts = (scope.strip("/").split("/") for scope in self.settings.sources)
        found = [part[1] for part in parts if len(part) > 1 and part[0].lower() == "subscriptions"]
        return tuple(dict.fromkeys(found))
