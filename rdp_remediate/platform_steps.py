"""Steps on the VM itself: compared, sent once, waited for, and read back where their answer was lost.

One acting call at a time. A VM that is deallocated to be started again is started in the same pass, by the row that was
written before it was switched off: no plan and no second question stands between the two.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from rdp_remediate import execution
from rdp_remediate.facts.platform import VirtualMachine, read_vm
from rdp_remediate.journal import finish
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.plan import JournalEntry, Outcome, Step
from rdp_remediate.models.run import Phase, Run, Wait
from rdp_remediate.parking import later, next_pass, park
from rdp_remediate.ports import (
    ArmWrites,
    Completed,
    OutcomeUnknown,
    Progress,
    Rejected,
    Services,
    Started,
    WriteOutcome,
)

AGENT_PAUSE_S = 60

KINDS = ("start_vm", "restart_vm", "redeploy_vm", "reapply_vm", "deallocate_vm", "vm_access", "delete_extension")
"""Kinds of step on the VM, which are also what a run waits for meanwhile."""

_POWER: Mapping[str, Callable[[ArmWrites], Callable[[str], Coroutine[Any, Any, WriteOutcome]]]] = {
    "start_vm": lambda writes: writes.start_virtual_machine,
    "restart_vm": lambda writes: writes.restart_virtual_machine,
    "redeploy_vm": lambda writes: writes.redeploy_virtual_machine,
    "reapply_vm": lambda writes: writes.reapply_virtual_machine,
    "deallocate_vm": lambda writes: writes.deallocate_virtual_machine,
}
_AFTER = {"start_vm": "running"}


async def act(run: Run, services: Services, steps: Sequence[Step]) -> Run | None:
    """Sends the first of these steps and parks the run until it has ended.

    Returns:
        The run, or None where the brakes hold the step.
    """
    chosen = [one for one in steps if one.group == steps[0].group] if steps[0].kind == "deallocate_vm" else steps[:1]
    entries = await execution.intend(run, services, chosen)
    if not entries:
        return None
    return await _send(run, services, entries)


async def _send(run: Run, services: Services, entries: Sequence[JournalEntry]) -> Run:
    entry = entries[0]
    services.progress(Progress("platform", entry.step.title))
    if changed := await _changed(run, services, entry.step):
        await _stop(services, entries, Outcome.STALE, changed)
        return next_pass(run)
    kind, vm_id = entry.step.kind, run.target.vm_id
    extension = str(entry.step.target.get("extension"))
    if kind == "vm_access":
        call = services.writes.put_extension(vm_id, extension, entry.step.desired)
    elif kind == "delete_extension":
        call = services.writes.delete_extension(vm_id, extension)
    else:
        call = _POWER[kind](services.writes)(vm_id)
    started = await asyncio.shield(call)
    if isinstance(started, Started):
        operation_id = f"{run.run_id}-{kind}-{run.pass_number}"
        await services.ledger.put_operation(operation_id, started.operation)
        wait = Wait.model_validate({"kind": "operation", "operation_id": operation_id, "purpose": kind})
        return park(run, wait, Phase.ACT)
    return await ended(run, services, entries, started, kind)


async def _changed(run: Run, services: Services, step: Step) -> str | None:
    """Why what the step acts on is not as its plan saw it, or None."""
    match step.kind:
        case "delete_extension":
            return await execution.extension_changed(services, step)
        case "reapply_vm":
            return await _not_failed(run, services)
        case "start_vm":
            machine = await _vm(run, services)
            if isinstance(machine, str):
                return machine
            return None if machine.power_state == step.expected else f"the VM is {machine.power_state} now"
        case "restart_vm" | "redeploy_vm" | "deallocate_vm":
            return await execution.power_changed(run, services, step)
        case _:
            return None


async def ended(run: Run, services: Services, entries: Sequence[JournalEntry], end: WriteOutcome, kind: str) -> Run:
    """Closes the row of the step that was sent, and sends what belongs to it.

    Args:
        run: The run, no longer parked.
        services: The ports.
        entries: The open rows: the step that was sent, then what follows it in its group.
        end: How the call ended.
        kind: Which step was sent. Where a process died after its row was closed, only what follows is still open.
    """
    if not entries:
        return next_pass(run)
    if entries[0].step.kind != kind:
        return await _follow(run, services, entries)
    entry, following = entries[0], entries[1:]
    match end:
        case Completed():
            outcome, detail = Outcome.APPLIED, None
        case Rejected(code=code, detail=text):
            outcome, detail = Outcome.FAILED, f"{code}: {text}"
        case _:
            outcome, detail = await _read_back(run, services, entry.step, end)
    after = _AFTER.get(entry.step.kind, entry.step.desired) if outcome is Outcome.APPLIED else None
    await finish(services, entry, outcome, after=after, detail=detail)
    if outcome is not Outcome.APPLIED:
        await _stop(services, following, Outcome.NOT_STARTED, "an earlier step of this fix did not succeed")
        return next_pass(run)
    if following:
        return await _follow(run, services, following)
    pause = min(AGENT_PAUSE_S, services.settings.settle_s)
    return park(next_pass(run), Wait(kind="until", until=later(services, pause), purpose="settle"), Phase.COLLECT)


async def _follow(run: Run, services: Services, entries: Sequence[JournalEntry]) -> Run:
    if await execution.killed(services):
        await _stop(services, entries, Outcome.NOT_STARTED, execution.KILLED)
        return next_pass(run)
    return await _send(run, services, entries)


async def _read_back(run: Run, services: Services, step: Step, end: WriteOutcome) -> tuple[Outcome, str]:
    """How a step ended whose answer was lost: applied only where the VM shows what nothing else would have made."""
    lost = end.detail if isinstance(end, OutcomeUnknown) else "no answer"
    if step.kind not in ("deallocate_vm", "reapply_vm"):
        return Outcome.OUTCOME_UNKNOWN, lost
    machine = await _vm(run, services)
    if isinstance(machine, str):
        return Outcome.OUTCOME_UNKNOWN, f"{lost}; {machine}"
    shown = machine.power_state if step.kind == "deallocate_vm" else (machine.provisioning_state or "").lower()
    if shown == step.desired:
        return Outcome.APPLIED, f"its answer was lost, and the VM is {shown}"
    return Outcome.OUTCOME_UNKNOWN, lost


async def _not_failed(run: Run, services: Services) -> str | None:
    machine = await _vm(run, services)
    if isinstance(machine, str):
        return machine
    state = (machine.provisioning_state or "").lower()
    failed = state == "failed" or (machine.provisioning_code or "").lower().startswith("failed")
    return None if failed else f"the VM's provisioning state is {state or 'not shown'} now"


async def _vm(run: Run, services: Services) -> VirtualMachine | str:
    present = await services.reads.resource(run.target.vm_id)
    if isinstance(present, Unavailable):
        return f"the VM could not be read: {present.detail}"
    try:
        return read_vm(present.value)
    except (KeyError, TypeError):
        return "the VM could not be read"


async def _stop(services: Services, entries: Sequence[JournalEntry], outcome: Outcome, detail: str) -> None:
    for entry in entries:
        await finish(services, entry, outcome, detail=detail)
