"""What one pass has read so far, and how a read gets in: its value, or the reason why there is none."""

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import UnavailableFact
from rdp_remediate.models.fact import Fact, Reason, Unavailable
from rdp_remediate.ports import Operation, Services

PLAIN_S = 30.0
"""Deadline of one plain read, retries included."""

LONG_S = 120.0
"""Deadline of one long-running read; a diagnostics POST alone may take 10 s before it answers (azure-facts.md 1)."""


@dataclass
class Gathering:
    """Answers as they come in; one writer each, so no lock is needed."""

    services: Services
    resources: dict[str, JsonObject] = field(default_factory=dict)
    operations: dict[str, dict[str, JsonObject]] = field(default_factory=dict)
    logs: dict[str, list[JsonObject]] = field(default_factory=dict)
    changes: list[JsonObject] = field(default_factory=list)
    unavailable: list[UnavailableFact] = field(default_factory=list)

    def miss(self, fact: str, resource_id: str | None, why: Unavailable) -> None:
        """Notes a read that gave no value."""
        self.unavailable.append(
            UnavailableFact(fact=fact, resource_id=resource_id, reason=why.reason.value, detail=why.detail)
        )

    async def read(self, resource_id: str) -> Fact[JsonObject]:
        """Reads one resource and keeps it, or why not."""
        fact = await by_deadline(self.services.reads.resource(resource_id), PLAIN_S, resource_id)
        if isinstance(fact, Unavailable):
            self.miss("resource", resource_id, fact)
        else:
            self.resources[resource_id.lower()] = fact.value
        return fact

    async def read_all(self, ids: Iterable[str]) -> list[JsonObject]:
        """Reads the resources that were not read yet, side by side; returns those that came."""
        wanted = [one for one in dict.fromkeys(ids) if one.lower() not in self.resources]
        facts = await asyncio.gather(*(self.read(one) for one in wanted))
        return [fact.value for fact in facts if not isinstance(fact, Unavailable)]

    async def read_operation(self, operation: Operation, key: str, deadline_s: float) -> None:
        """Asks for one of the reads that are no plain resource and keeps the answer, or why there is none."""
        asked = f"{operation.value} of {key}"
        fact = await by_deadline(self.services.reads.operation(operation, key), deadline_s, asked)
        if isinstance(fact, Unavailable):
            self.miss(operation.value, key, fact)
        else:
            self.operations.setdefault(operation.value, {})[key.lower()] = fact.value


async def by_deadline(read: Awaitable[Fact[JsonObject]], seconds: float, what: str) -> Fact[JsonObject]:
    """The read's fact, or a timeout."""
    try:
        async with asyncio.timeout(seconds):
            return await read
    except TimeoutError:
        return Unavailable(Reason.TIMEOUT, f"{what} did not answer within {seconds:g} s", what)
