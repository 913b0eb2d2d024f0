"""A stage for whole runs: the fakes of the outside world, the real ledger in memory, and the worker that plays a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rdp_remediate.models.incident import Incident, Kind, Source
from rdp_remediate.models.run import Phase, Run, RunMessage
from rdp_remediate.ports import (
    GuestRequest,
    NeighbourChannel,
    Progress,
    Services,
)
from rdp_remediate.settings import Settings
from rdp_remediate.store.ledger import Ledger
from rdp_remediate.worker import advance_one, new_run
from tests import factories as f
from tests.factories import Change
from tests.fakes import FakeGuest, FakeProber, FakeReads, FakeSink, FakeWrites, ManualClock, NoLogs, World
from tests.store.memory import FakeClock, MemoryRecords


@dataclass
class Stage:
    """Everything for one run: the world, its fakes, and the real ledger over records in memory."""

    world: World
    settings: Settings
    clock: ManualClock
    records: MemoryRecords
    guest: FakeGuest
    prober: FakeProber
    sink: FakeSink
    said: list[Progress]
    vantage: Literal["app", "cli"] = "app"
    observe_because: str | None = None
    neighbours: NeighbourChannel | None = None

    def services(self) -> Services:
        """The ports of a fresh process over the same store and world."""
        ledger = Ledger(self.records, self.clock, writes_per_hour=self.settings.writes_per_hour)
        return Services(
            settings=self.settings,
            reads=FakeReads(self.world, self.clock),
            writes=FakeWrites(self.world),
            guest=self.guest,
            prober=self.prober,
            logs=NoLogs(),
            ledger=ledger,
            clock=self.clock,
            sinks=(self.sink,),
            progress=self.said.append,
            vantage=self.vantage,
            subscriptions=(f.SUBSCRIPTION.rsplit("/", 1)[-1],),
            observe_because=self.observe_because,
            neighbours=self.neighbours,
        )

    async def create(self, **fields: Any) -> Run:
        """Stores the run of an incident."""
        return await self.services().ledger.create(new_run(incident(**fields), self.settings, self.clock))


def incident(**fields: Any) -> Incident:
    """A person's question about the VM."""
    given: dict[str, Any] = {
        "source": Source.MANUAL,
        "kind": Kind.MANUAL,
        "event_id": "request-1",
        "occurred_at": FakeClock().time,
        "vm_id": f.VM,
        "client_address": f.CLIENT,
        "dialled_port": 3389,
        "summary": "RDP fails",
    }
    return Incident.model_validate({**given, **fields})


def stage(*changes: Change, **settings: Any) -> Stage:
    """A stage with a changed world; an app that may do what it wants to VMs without tags, for the office."""
    given: dict[str, Any] = {
        "max_mode": "auto",
        "untagged": "auto",
        "sources": {"/": (f.SOURCES,)},
        "settle_s": 0,
        "vantage_address": f.CLIENT,
        **settings,
    }
    clock = ManualClock()
    world = World().change(*changes)
    return Stage(
        world, Settings(**given), clock, MemoryRecords(), FakeGuest(world, clock), FakeProber(world), FakeSink(), []
    )


async def play(on: Stage, run_id: str, rounds: int = 200) -> Run:
    """Works on a run as the app does, message by message and with the timer, until it is done or waits for a person."""
    for _ in range(rounds):
        services = on.services()
        run = await services.ledger.load(run_id)
        assert run is not None
        if run.phase is Phase.DONE or (run.wait is not None and run.wait.kind == "approval" and not _decided(run)):
            return run

        async def opened(services: Services = services) -> Services:
            return services

        if not await advance_one(RunMessage(run_id=run_id, seq=run.seq), opened):
            on.clock.pass_by(1)
            if run.claimed_until is not None and run.claimed_until > on.clock.time:
                on.clock.time = run.claimed_until
    raise AssertionError(f"the run did not end within {rounds} rounds")


def _decided(run: Run) -> bool:
    assert run.wait is not None
    return any(step_id in run.approved for step_id in run.wait.step_ids)


async def played(on: Stage, **fields: Any) -> Run:
    """Creates a run and works on it."""
    return await play(on, (await on.create(**fields)).run_id)


def steps_of(requests: Sequence[GuestRequest]) -> list[str]:
    """The kinds of the steps that the guest was asked for."""
    return [str(step["kind"]) for request in requests for step in request.steps]
