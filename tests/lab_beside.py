"""A lab on an event loop of its own thread, for tests whose product runs in another process or calls no asyncio."""

import asyncio
import dataclasses
import re
import threading
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from rdp_remediate.cli.lab_services import lab_environment
from rdp_remediate.lab.build import build_world
from rdp_remediate.lab.guests.modelled import ModelledGuest
from rdp_remediate.lab.guests.rdp_front import RdpFront
from rdp_remediate.lab.plain_app import Delivery
from rdp_remediate.lab.request_log import LoggedRequest
from rdp_remediate.lab.scenario import by_name
from rdp_remediate.lab.server import Lab

PROMPT_S = 20.0

_Result = TypeVar("_Result")


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = PROMPT_S) -> None:
    """Waits until a condition holds; fails saying what was waited for."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}"
        time.sleep(0.02)


class LoopThread:
    """An event loop in a thread of its own; `run` calls into it from outside."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=PROMPT_S)
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Runs a coroutine on the loop and returns what it returned."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=PROMPT_S)


class LabBeside:
    """A running lab whose state and log a synchronous test reads and changes; ended with the loop that it runs on."""

    def __init__(self, loop: LoopThread, scenario: str) -> None:
        self._loop = loop
        self._runtime = ModelledGuest()
        self.lab = Lab(scenario, runtime=self._runtime, front=RdpFront)

    def __enter__(self) -> Self:
        self._loop.run(self.lab.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run(self.lab.__aexit__(None, None, None))

    def environment(self, store: str) -> dict[str, str]:
        """The settings that point the product at this lab."""
        return lab_environment(self.lab, store)

    def reset(self, scenario: str) -> None:
        """Plays another scenario on the same addresses, with empty logs; whoever is pointed at the lab stays so.

        The scenario must dial the addresses and ports that the lab was started with.
        """
        self._loop.run(self._reset(scenario))

    async def _reset(self, scenario: str) -> None:
        fresh = build_world(by_name(scenario), self._runtime, self.lab.names)
        for vm, state in fresh.guests.items():
            fresh.guests[vm] = self.lab.certificates.bind(state)
        for field in dataclasses.fields(fresh):
            if field.name != "listeners":
                setattr(self.lab.world, field.name, getattr(fresh, field.name))
        self.lab.scenario = fresh.scenario
        await self.lab.world.changed()
        for log in (self.lab.requests, self.lab.receivers, self.lab.failures, self.lab.delivery_failures):
            log.clear()

    def change(self, edit: Callable[[Lab], None]) -> None:
        """Changes the lab's state as somebody else would, and lets everything follow."""

        async def edited() -> None:
            edit(self.lab)
            await self.lab.world.changed()

        self._loop.run(edited())

    # What was asked of it

    def requests(self, pattern: str, method: str | None = None) -> list[LoggedRequest]:
        """The requests whose path matches, in order."""
        return self.lab.requests.matching(pattern, method)

    def run_commands(self) -> list[str]:
        """The scripts that were sent into the guest, in order: collect or repair."""
        found = []
        for request in self.requests("/runCommand$", "POST"):
            script = re.search(r"# rdp-remediate (collect|repair) ", request.body)
            assert script is not None, f"a script that is not ours: {request.body[:200]}"
            found.append(script[1])
        return found

    def rule_writes(self, method: str = "PUT") -> list[str]:
        """The names of the NSG rules that were written, in order."""
        return [request.path.rsplit("/", 1)[1] for request in self.requests("/securityRules/[^/]+$", method)]

    def writes(self) -> list[str]:
        """Everything that changes something or runs in the guest, as METHOD last/segments."""
        return [f"{entry.method} {'/'.join(entry.path.split('/')[-2:])}" for entry in self.lab.requests.writes()]

    def cards(self) -> list[Delivery]:
        """What the Teams receiver got."""
        return self.lab.receivers.of("teams")
