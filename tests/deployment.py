"""The whole app as it is deployed, on loopback: its functions under the genuine runtime, Azurite's queues and tables, a lab."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from azure.data.tables import TableClient
from azure.storage.blob import ContainerClient

from rdp_remediate.cli.demo import alert_of
from rdp_remediate.lab.server import Lab
from rdp_remediate.models.base import JsonObject
from rdp_remediate.store.tables import CONTAINER, TABLE, TablesRecords
from tests.azurite import Azurite
from tests.function_host.host import FunctionHost
from tests.function_host.invocation import Invocation
from tests.function_host.queue_pump import Crash, Delivery, Outcome, QueuePump
from tests.intake.cases import SUBSCRIPTION, text
from tests.lab_beside import PROMPT_S, LabBeside, LoopThread
from tests.store_gate import Hold, StoreGate

APP = Path(__file__).resolve().parents[1]
TWO_FAULTS = "fw-rdp-rule-disabled+nsg-no-allow-rule"


class Deployment:
    """One lab and one store for a module of tests, and a function host that can be killed and replaced."""

    def __init__(self, azurite: Azurite, lab: LabBeside, gate: StoreGate) -> None:
        self.lab, self.gate = lab, gate
        self._direct = azurite.connection_string
        through_gate = replace(azurite, table_endpoint=gate.endpoint).connection_string
        self.settings = {
            **lab.environment("tables"),
            "AzureWebJobsStorage": azurite.connection_string,
            "RDP_REMEDIATE_STORAGE_CONNECTION": through_gate,
        }
        self.host = self._new_host()
        self.pump = QueuePump(self.host, azurite.connection_string, retry_after_s=0)

    def _new_host(self) -> FunctionHost:
        return FunctionHost(APP, self.settings, timeout_s=60).__enter__()

    def __enter__(self) -> Self:
        self.pump.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pump.__exit__(None, None, None)
        self.host.__exit__(None, None, None)

    def begin(self, scenario: str = TWO_FAULTS) -> None:
        """Empties store and queues and plays a scenario from its start; a lost host is replaced."""
        self.gate.open()
        with TableClient.from_connection_string(self._direct, TABLE) as table:
            table.delete_table()
            table.create_table()
        with ContainerClient.from_connection_string(self._direct, CONTAINER) as container:
            if container.exists():
                container.delete_container()
            container.create_container()
        self.pump.clear()
        self.lab.reset(scenario)
        if not self.host.alive:
            self.replace_host()

    def replace_host(self) -> None:
        """Another instance of the app takes over."""
        self.host.__exit__(None, None, None)
        self.host = self._new_host()
        self.pump.attach(self.host)

    # What comes in, and what is done for it

    def post(self, path: str, body: Any = b"", **headers: str) -> Invocation:
        """Posts to an HTTP function; its queue messages go on their way."""
        return self.pump.carry(self.host.invoke_http("POST", f"/api/{path}", headers=headers, body=body))

    def alert(self) -> str:
        """Posts the scenario's failed-RDP alert and returns the id of its run."""
        answer = self.post("alerts", alert_of(self.lab.lab)).must_succeed()
        assert answer.status == 202, answer.body
        (run,) = answer.json()["runs"]
        return str(run["run_id"])

    def work(self, run_id: str, *, timeout_s: float = 60.0) -> JsonObject:
        """Works on the messages until the run is done; returns its status."""
        done = self.pump.drain(timeout_s=timeout_s, until=lambda: self.status(run_id)["phase"] == "done")
        for delivery in done:
            assert delivery.outcome is Outcome.DONE, delivery
        return self.status(run_id)

    def settle(self) -> tuple[Delivery, ...]:
        """Works on the messages until none is left."""
        deliveries = self.pump.drain(timeout_s=60)
        for delivery in deliveries:
            assert delivery.outcome is Outcome.DONE, delivery
        return deliveries

    def status(self, run_id: str) -> JsonObject:
        """What the function status says of a run."""
        answer = self.host.invoke_http("GET", f"/api/runs/{run_id}").must_succeed()
        assert answer.status == 200, answer.body
        shown: JsonObject = answer.json()
        return shown

    def report(self, run_id: str) -> JsonObject:
        """The report of a run that has one."""
        report: JsonObject | None = self.status(run_id)["report"]
        assert report is not None, self.status(run_id)
        return report

    def minute_timer(self) -> tuple[str, ...]:
        """Lets the one-minute timer fire; returns the messages that it sent."""
        return self.pump.carry(self.host.invoke_timer("due").must_succeed()).queue_outputs("runs")

    # A lost worker

    def lose_worker_at(self, hold: Hold) -> None:
        """Delivers messages until a request of the host to the store is held, and kills the host there."""
        host = self.host

        def kill() -> None:
            if hold.caught.wait(PROMPT_S):
                host.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        outcomes = []
        while (delivery := self.pump.deliver("runs")) is not None:
            outcomes.append(delivery.outcome)
            if delivery.outcome is not Outcome.DONE:
                break
        killer.join()
        assert outcomes[-1:] == [Outcome.LOST], f"no worker was lost at {hold.pattern!r}: {outcomes}"

    def lose_host(self, crash: Crash) -> None:
        """Delivers the next message; the host is lost after the function returned, before all of its end is written.

        The process itself may go on: another instance would run the same code, and nothing of a run is in memory.
        """
        lost = self.pump.deliver("runs", crash=crash)
        assert lost is not None, "there was no message"
        assert lost.outcome is Outcome.LOST
        assert lost.invocation is not None
        lost.invocation.must_succeed()

    def let_claims_end(self) -> None:
        """Ends every claim in the store, as six minutes do."""
        past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()

        async def end(records: TablesRecords) -> None:
            async for record in records.scan("runs"):
                if record.value.get("claimed_until") is not None:
                    await records.replace("runs", record.key, {**record.value, "claimed_until": past}, record.etag)

        self._in_store(end)

    def resume(self) -> None:
        """What happens in the minutes after a loss: another instance, claims end, the timer and the old message come."""
        self.gate.open()
        if not self.host.alive:
            self.replace_host()
        self.let_claims_end()
        self.minute_timer()
        self.pump.let_lost_return()

    # What is in the store

    def _in_store(self, work: Callable[[TablesRecords], Awaitable[Any]]) -> Any:
        async def opened() -> Any:
            records = TablesRecords.from_connection_string(self._direct)
            try:
                return await work(records)
            finally:
                await records.close()

        return asyncio.run(opened())

    def rows(self, table: str) -> dict[str, JsonObject]:
        """The rows of one table of the store by key."""

        async def read(records: TablesRecords) -> dict[str, JsonObject]:
            return {record.key: record.value async for record in records.scan(table)}

        found: dict[str, JsonObject] = self._in_store(read)
        return found

    def change_rows(self, table: str, change: Callable[[JsonObject], JsonObject]) -> None:
        """Rewrites every row of one table of the store."""

        async def write(records: TablesRecords) -> None:
            async for record in records.scan(table):
                await records.replace(table, record.key, change(record.value), record.etag)

        self._in_store(write)

    def journal(self) -> list[tuple[str, str]]:
        """Fix and outcome of every row of the journal, in order."""
        return [(row["step"]["fix"], row["outcome"]) for row in self.rows("journal").values()]


@contextmanager
def deploy(azurite: Azurite, scenario: str = TWO_FAULTS) -> Iterator[Deployment]:
    """Starts everything and ends it."""
    with (
        LoopThread() as loop,
        LabBeside(loop, scenario) as lab,
        StoreGate(loop, azurite.table_endpoint) as gate,
        Deployment(azurite, lab, gate) as deployment,
    ):
        yield deployment


def event_texts(lab: Lab) -> dict[str, str]:
    """One change that a person made to the lab's VM or its NSG, as Event Grid delivers it in both schemas."""
    names = lab.names
    written = text("eventgrid-nsg-rule-write-by-person.json")
    acted = json.dumps(json.loads(text("cloudevents-vm-actions-batch.json"))[:1])
    changes = {
        SUBSCRIPTION: names.subscription,
        "net-rg": names.resource_group,
        "web-nsg": names.nic_nsg,
        "Shop-RG": names.resource_group,
        "Web01": names.vm,
    }
    for old, new in changes.items():
        written, acted = written.replace(old, new), acted.replace(old, new)
    return {"event_grid": written, "cloud_events": acted}
