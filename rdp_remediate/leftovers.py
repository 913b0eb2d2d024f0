"""Managed Run Commands of ours that nobody deleted: a process was lost, or Azure refused at that time."""

from rdp_remediate.ports import Completed, Services


async def delete_left_run_commands(services: Services) -> list[str]:
    """Deletes those whose time is over, by the names that were noted before they were created; says what became of each.

    A noted name that never came about is gone as well.
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
