"""Operations that outlive a message: polled from where their row in the store says, and rewritten after each poll."""

from datetime import datetime, timedelta

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable
from rdp_remediate.ports import Completed, OutcomeUnknown, Services, Started, WriteOutcome

LEAST_PAUSE_S = 0.1
"""A service that names no time to wait is not asked hundreds of times a second."""


async def poll_guest(services: Services, operation_id: str, until: datetime) -> Started | Fact[JsonObject]:
    """Polls a parked Run Command until it ends or the time is over; its answer survives a crash before it is used."""
    while True:
        state = await services.ledger.get_operation(operation_id)
        if state is None:
            return Unavailable(Reason.UNREACHABLE, "the poll state of the Run Command is gone from the store", "guest")
        if isinstance(state.get("answer"), dict):
            return Observed(state["answer"], "guest", services.clock.now())
        polled = await services.guest.poll(state)
        if not isinstance(polled, Started):
            if not isinstance(polled, Unavailable):
                kept = {"answer": polled.value, "managed_because": state.get("managed_because")}
                await services.ledger.put_operation(operation_id, kept)
            return polled
        await services.ledger.put_operation(operation_id, polled.operation)
        pause_s = max(polled.retry_after_s, LEAST_PAUSE_S)
        if services.clock.now() + timedelta(seconds=pause_s) > until:
            return polled
        await services.clock.sleep(pause_s)


async def poll_write(services: Services, operation_id: str, until: datetime) -> WriteOutcome:
    """Polls a parked operation until it ends or the time is over."""
    while True:
        state = await services.ledger.get_operation(operation_id)
        if state is None:
            return OutcomeUnknown("the poll state of the operation is gone from the store")
        polled = await services.writes.poll(state)
        if not isinstance(polled, Started):
            return polled
        await services.ledger.put_operation(operation_id, polled.operation)
        pause_s = max(polled.retry_after_s, LEAST_PAUSE_S)
        if services.clock.now() + timedelta(seconds=pause_s) > until:
            return polled
        await services.clock.sleep(pause_s)


async def delete_left_run_commands(services: Services) -> list[str]:
    """Deletes the managed Run Commands that a lost process left and whose time is over, by their noted names.

    Returns:
        What became of each; one that never came about is gone as well.
    """
    said = []
    async for vm_id, name in services.ledger.left_run_commands(services.clock.now()):
        if services.settings.kill_switch or await services.ledger.killed():
            said.append(f"{name}: left in place, the kill switch is on")
            continue
        deleted = await services.writes.delete_run_command(vm_id, name)
        if isinstance(deleted, Completed):
            await services.ledger.forget_run_command(vm_id, name)
            said.append(f"{name}: gone")
        else:
            said.append(f"{name}: {getattr(deleted, 'detail', 'its deletion was accepted')}; it is looked at again")
    return said
