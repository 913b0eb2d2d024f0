"""Rules of an NSG and routes of a route table: one child is compared, written and read back, or taken back.

A child that the plan adds is created only where none of its name is; one that the plan replaces is written only over the
version that was just read and is still what the plan saw. What somebody changed meanwhile is left alone and said so.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from rdp_remediate.journal import finish
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Fact, Reason, Unavailable
from rdp_remediate.models.plan import JournalEntry, Outcome, Step
from rdp_remediate.network.rule_comparison import same_route, same_rule
from rdp_remediate.ports import ArmWrites, Completed, OutcomeUnknown, Rejected, Services, WriteOutcome

BUSY_TRIES = 5


class _Put(Protocol):
    def __call__(
        self, parent_id: str, name: str, body: JsonObject, /, *, etag: str | None
    ) -> Coroutine[Any, Any, WriteOutcome]: ...


class _Delete(Protocol):
    def __call__(self, parent_id: str, name: str, /, *, etag: str | None) -> Coroutine[Any, Any, WriteOutcome]: ...


@dataclass(frozen=True)
class Child:
    """How one kind of child is addressed, written and compared."""

    word: str
    parent: str
    collection: str
    put: Callable[[ArmWrites], _Put]
    delete: Callable[[ArmWrites], _Delete]
    same: Callable[[JsonObject, JsonObject], bool]

    def resource_id(self, step: Step) -> str:
        """The ARM id of the child."""
        return f"{step.target[self.parent]}/{self.collection}/{step.target['name']}"


_RULE = Child(
    "rule",
    "nsg_id",
    "securityRules",
    lambda writes: writes.put_security_rule,
    lambda writes: writes.delete_security_rule,
    same_rule,
)
_ROUTE = Child(
    "route",
    "route_table_id",
    "routes",
    lambda writes: writes.put_route,
    lambda writes: writes.delete_route,
    same_route,
)
CHILDREN: Mapping[str, Child] = {
    "security_rule": _RULE,
    "narrow_nsg_rule": _RULE,
    "outbound_rule": _RULE,
    "host_route": _ROUTE,
}
"""By step kind."""


async def write_child(services: Services, entry: JournalEntry) -> Outcome:
    """Creates or replaces one child and reads it back; the journal's row says how it ended."""
    step = entry.step
    child = CHILDREN[step.kind]
    present = await services.reads.resource(child.resource_id(step))
    etag: str | None = None
    if isinstance(present, Unavailable):
        if present.reason is not Reason.NOT_FOUND:
            why = f"the {child.word} could not be read before the write: {present.detail}"
            return await _end(services, entry, Outcome.FAILED, detail=why)
        if step.expected is not None:
            return await _end(services, entry, Outcome.STALE, detail=f"the {child.word} is not there any more")
    else:
        shown = present.value
        if child.same(shown, step.desired):
            return await _end(services, entry, Outcome.ALREADY_TRUE, after=shown)
        if step.expected is None or not child.same(shown, step.expected):
            why = f"a {child.word} of this name is there and is not what the plan expected"
            return await _end(services, entry, Outcome.STALE, after=shown, detail=why)
        etag = shown.get("etag")
        if not etag:
            why = f"Azure showed no version of the {child.word}, so a change of somebody else could be overwritten"
            return await _end(services, entry, Outcome.FAILED, after=shown, detail=why)
    written = await _put(services, child, step, step.desired, etag)
    return await _read_back(services, entry, child, written)


async def _put(services: Services, child: Child, step: Step, body: JsonObject, etag: str | None) -> WriteOutcome:
    """One PUT, again only where Azure itself said that it was too busy to take it."""
    pause_s = 2.0
    for attempt in range(BUSY_TRIES):
        call = child.put(services.writes)(step.target[child.parent], step.target["name"], body, etag=etag)
        written = await asyncio.shield(call)
        if not isinstance(written, Rejected) or not _busy(written) or attempt == BUSY_TRIES - 1:
            return written
        await services.clock.sleep(min(written.retry_after_s or pause_s, 30.0))
        pause_s *= 2
    return written


def _busy(written: Rejected) -> bool:
    """Whether Azure was only too busy; a 412 says that somebody else wrote this child, which no waiting mends."""
    return written.status != 412 and written.reason in (Reason.BUSY, Reason.THROTTLED)


async def _read_back(services: Services, entry: JournalEntry, child: Child, written: WriteOutcome) -> Outcome:
    step = entry.step
    if isinstance(written, Rejected):
        stale = written.code in ("SecurityRuleConflict",) or written.status == 412
        outcome = Outcome.STALE if stale else Outcome.FAILED
        return await _end(services, entry, outcome, detail=f"{written.code}: {written.detail}")
    now_there = await services.reads.resource(child.resource_id(step))
    if not isinstance(now_there, Unavailable) and child.same(now_there.value, step.desired):
        return await _end(services, entry, Outcome.APPLIED, after=now_there.value)
    if isinstance(now_there, Unavailable) and now_there.reason is not Reason.NOT_FOUND:
        detail = f"the {child.word} could not be read back: {now_there.detail}"
        return await _end(services, entry, Outcome.OUTCOME_UNKNOWN, detail=detail)
    lost = isinstance(written, OutcomeUnknown)
    detail = written.detail if isinstance(written, OutcomeUnknown) else "what was read back is not what was written"
    after = None if isinstance(now_there, Unavailable) else now_there.value
    outcome = await _end(
        services, entry, Outcome.OUTCOME_UNKNOWN if lost else Outcome.FAILED, after=after, detail=detail
    )
    as_before = after is not None and step.expected is not None and child.same(after, step.expected)
    if after is not None and not as_before:
        await undo_child(services, entry)
    return outcome


async def undo_child(services: Services, entry: JournalEntry) -> Outcome:
    """Takes back a child that is still exactly as the step left it; anything else is left alone and said so.

    An added child is deleted, a replaced one is written again as it was before.

    Returns:
        UNDONE, STALE for a child that somebody changed, or OUTCOME_UNKNOWN; the journal's row says the same.
    """
    step = entry.step
    child = CHILDREN[step.kind]
    present = await services.reads.resource(child.resource_id(step))
    if isinstance(present, Unavailable):
        if present.reason is not Reason.NOT_FOUND:
            why = f"the {child.word} could not be read: {present.detail}"
            return await _end(services, entry, Outcome.OUTCOME_UNKNOWN, detail=why)
        if step.expected is None:
            return await _end(services, entry, Outcome.UNDONE, detail=f"the {child.word} is already gone")
        return await _end(services, entry, Outcome.STALE, detail=f"somebody deleted the {child.word}; it stays deleted")
    shown = present.value
    if step.expected is not None and child.same(shown, step.expected):
        return await _end(services, entry, Outcome.UNDONE, after=shown, detail="it is already as it was before")
    if not child.same(shown, step.desired):
        why = f"somebody changed the {child.word}; it is left alone"
        return await _end(services, entry, Outcome.STALE, after=shown, detail=why)
    etag = shown.get("etag")
    if step.expected is None:
        call = child.delete(services.writes)(step.target[child.parent], step.target["name"], etag=etag)
        written = await asyncio.shield(call)
        return await _taken_back(services, entry, written, f"the {child.word} could not be deleted")
    if not etag:
        why = f"Azure showed no version of the {child.word}, so it is left as it is"
        return await _end(services, entry, Outcome.OUTCOME_UNKNOWN, after=shown, detail=why)
    written = await _put(services, child, step, step.expected, etag)
    if isinstance(written, Rejected) and written.status == 412:
        why = f"somebody changed the {child.word}; it is left alone"
        return await _end(services, entry, Outcome.STALE, detail=why)
    after = await services.reads.resource(child.resource_id(step))
    if _is(after, child, step.expected):
        return await _end(services, entry, Outcome.UNDONE)
    detail = getattr(written, "detail", "what was read back is not what was written")
    return await _end(services, entry, Outcome.OUTCOME_UNKNOWN, detail=f"the {child.word} is not as before: {detail}")


def _is(fact: Fact[JsonObject], child: Child, body: JsonObject) -> bool:
    return not isinstance(fact, Unavailable) and child.same(fact.value, body)


async def _taken_back(services: Services, entry: JournalEntry, written: WriteOutcome, failed: str) -> Outcome:
    if isinstance(written, Completed):
        return await _end(services, entry, Outcome.UNDONE)
    detail = f"{failed}: {getattr(written, 'detail', 'no answer')}"
    return await _end(services, entry, Outcome.OUTCOME_UNKNOWN, detail=detail)


async def _end(
    services: Services, entry: JournalEntry, outcome: Outcome, *, after: Any = None, detail: str | None = None
) -> Outcome:
    await finish(services, entry, outcome, after=after, detail=detail)
    return outcome
