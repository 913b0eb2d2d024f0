"""The log queries of one pass, side by side; part of collection."""

import asyncio

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Target, UnavailableFact
from rdp_remediate.models.fact import Fact, Reason, Unavailable
from rdp_remediate.ports import Services

LOG_S = 60.0
"""Deadline of one query; Log Analytics itself may take longer over a large workspace."""

QUERIES = (
    "agent",
    "brute_force",
    "denied_flows",
    "guest_events",
    "heartbeat",
    "sign_in_reasons",
    "sign_ins",
    "signed_in",
)
WITH_PORT = ("denied_flows",)
DEFAULT_PORT = 3389


async def read_logs(
    services: Services, target: Target, logs: dict[str, list[JsonObject]], unavailable: list[UnavailableFact]
) -> None:
    """Adds the rows of every query by its name, and the queries without an answer; no rows are an answer.

    Where no workspace is set at all, that is one fact, `logs`, and not one per query.
    """

    async def one(name: str) -> Fact[list[JsonObject]]:
        port = {"rdp_port": str(target.dialled_port or DEFAULT_PORT)} if name in WITH_PORT else {}
        try:
            async with asyncio.timeout(LOG_S):
                return await services.logs.run(name, {"vm_id": target.vm_id, **port})
        except TimeoutError:
            return Unavailable(Reason.TIMEOUT, f"Query {name} did not answer within {LOG_S:g} s.", f"logs.{name}")

    if services.settings.workspace_id is None:
        why = "No Log Analytics workspace is set (workspace_id)."
        unavailable.append(UnavailableFact(fact="logs", reason=Reason.NOT_CONFIGURED.value, detail=why))
        return
    for name, fact in zip(QUERIES, await asyncio.gather(*(one(name) for name in QUERIES)), strict=True):
        if isinstance(fact, Unavailable):
            unavailable.append(UnavailableFact(fact=f"logs.{name}", reason=fact.reason.value, detail=fact.detail))
        else:
            logs[name] = fact.value
