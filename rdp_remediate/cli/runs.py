"""One run from start to end in this process: what the worker does by messages, a command does in a loop."""

from datetime import timedelta

from rdp_remediate.errors import StoreError
from rdp_remediate.models.report import Report
from rdp_remediate.models.run import Phase, Run
from rdp_remediate.parked import delete_left_run_commands
from rdp_remediate.pipeline import advance, report_of
from rdp_remediate.ports import Services

SLICE_S = 240
CLAIM_S = 360


async def run_to_end(run: Run, services: Services) -> tuple[Run, Report | None]:
    """Advances a run until it is done or waits for a person.

    Returns:
        The saved run, and its report once there is evidence.

    Raises:
        StoreError: Another process works on this run.
    """
    clock, ledger = services.clock, services.ledger
    # What an earlier run of this command lost; the app has a timer for it.
    await delete_left_run_commands(services)
    current = await ledger.create(run)
    while current.phase is not Phase.DONE:
        claimed = await ledger.claim(current.run_id, clock.now() + timedelta(seconds=CLAIM_S))
        if claimed is None:
            raise StoreError(f"Another process works on run {current.run_id}; see rdp-remediate history.")
        moved = await advance(claimed, services, clock.now() + timedelta(seconds=SLICE_S))
        current = await ledger.save(moved)
        if current.phase is Phase.WAIT and current.wait is not None:
            if current.wait.kind == "approval" and not any(s in current.approved for s in current.wait.step_ids):
                break
            if current.due_at is not None and current.due_at > clock.now():
                await clock.sleep((current.due_at - clock.now()).total_seconds())
    report = await report_of(current, services) if current.bundles else None
    return current, report
