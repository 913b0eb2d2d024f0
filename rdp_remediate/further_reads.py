"""Reads that follow from the question, asked once the usual reads are there: what Network Watcher says of its flow.

They run beside the probe. Each failed read is noted; none ends a run.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from rdp_remediate.facts.facts import Facts, read_facts
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Bundle, UnavailableFact
from rdp_remediate.models.fact import Fact, Reason, Unavailable
from rdp_remediate.network.cross_check import flow_to_ask
from rdp_remediate.ports import Operation, Services

DEADLINE_S = 45.0
"""IP flow verify takes about 11 s in Azure (azure-facts.md 3)."""


@dataclass(frozen=True)
class Wanted:
    """One read."""

    operation: Operation
    key: str
    arguments: dict[str, str] = field(default_factory=dict)


def wanted_reads(facts: Facts) -> Iterator[Wanted]:
    """What this question needs beside the usual reads."""
    flow = flow_to_ask(facts)
    if flow is not None and not isinstance(facts.vm, Unavailable):
        place = {
            "vm": facts.target.vm_id,
            "location": facts.vm.value.location,
            "local": flow.local,
            "remote": flow.remote,
        }
        yield Wanted(Operation.IP_FLOW, flow.nic_id, {**place, "port": str(flow.port)})
        yield Wanted(Operation.NEXT_HOP, flow.nic_id, place)


async def further_reads(bundle: Bundle, services: Services) -> Bundle:
    """The bundle with the answers to what its own question needs."""
    wanted = list(wanted_reads(read_facts(bundle)))
    answers = await asyncio.gather(*(_read(one, services) for one in wanted))
    operations = {name: dict(by_id) for name, by_id in bundle.operations.items()}
    missing = list(bundle.unavailable)
    for one, fact in zip(wanted, answers, strict=True):
        if isinstance(fact, Unavailable):
            missing.append(
                UnavailableFact(
                    fact=one.operation.value, resource_id=one.key, reason=fact.reason.value, detail=fact.detail
                )
            )
        else:
            operations.setdefault(one.operation.value, {})[one.key.lower()] = fact.value
    return bundle.model_copy(update={"operations": operations, "unavailable": missing})


async def _read(one: Wanted, services: Services) -> Fact[JsonObject]:
    what = f"{one.operation.value} of {one.key}"
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await services.reads.operation(one.operation, one.key, **one.arguments)
    except TimeoutError:
        return Unavailable(Reason.TIMEOUT, f"{what} did not answer within {DEADLINE_S:g} s", what)
