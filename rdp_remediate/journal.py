"""How a journal row ends."""

from datetime import timedelta
from typing import Any

from rdp_remediate.models.plan import JournalEntry, Outcome
from rdp_remediate.ports import Services


async def finish(
    services: Services, entry: JournalEntry, outcome: Outcome, *, after: Any = None, detail: str | None = None
) -> JournalEntry:
    """Completes a journal row; an applied change lets its fix rest on the VM."""
    done = entry.model_copy(
        update={"outcome": outcome, "after": after, "detail": detail, "ended_at": services.clock.now()}
    )
    await services.ledger.complete(done)
    if outcome is Outcome.APPLIED:
        until = services.clock.now() + timedelta(seconds=services.settings.cooldown_s)
        await services.ledger.rest(entry.vm_id, entry.step.fix, until)
    return done
