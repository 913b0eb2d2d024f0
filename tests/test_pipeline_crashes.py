"""The process dies after any write to the store; a fresh one finishes the run, and nothing is done twice."""

import pytest

from rdp_remediate.diagnosis import diagnose_bundle
from rdp_remediate.models.plan import Outcome
from rdp_remediate.models.run import Phase, Run
from rdp_remediate.worker import approve
from tests import factories as f
from tests.dying import DyingRecords, survive
from tests.stage import Stage, stage
from tests.store.memory import CrashError


def _stage(dies_after: int | None, *changes: f.Change) -> tuple[Stage, DyingRecords]:
    on = stage(*changes)
    records = DyingRecords(dies_after)
    on.records = records
    return on, records


BROKEN = (f.registry(f.DENY_LOCAL, 1), f.security_rules(f.NIC_NSG))


async def _repair(dies_after: int | None) -> tuple[Stage, Run, int]:
    on, records = _stage(None, *BROKEN)
    run = await on.create()
    records.writes, records.dies_after = 0, dies_after
    return on, await survive(on, run.run_id), records.writes


async def _last_verdict(on: Stage, run: Run) -> str:
    return diagnose_bundle(await on.services().ledger.get_bundle(run.bundles[-1])).verdict.status


async def _assert_done_once(on: Stage, run: Run, where: str) -> None:
    assert run.phase is Phase.DONE, where
    assert run.done is not None, where
    assert run.done.kind == "judged", where
    assert await _last_verdict(on, run) == "reachable", where
    assert len(on.world.called("put_rule")) == 1, where
    assert on.world.called("set") == ["registry 0"], where
    assert len(on.world.rules(f.NIC_NSG)) == 1, where
    journal = await on.services().ledger.journal(run.run_id)
    assert all(entry.outcome is not Outcome.INTENDED for entry in journal), where
    assert len(on.sink.bodies) in (1, 2), where
    assert await on.services().ledger.lock_vm(f.VM, "next-run"), where
    operations = [key for table, key in on.records._rows if table == "operations" and "delivered" not in key]
    assert operations == [], where


@pytest.mark.slow
async def test_a_death_after_any_write_of_a_repair_loses_nothing_and_doubles_nothing() -> None:
    on, run, writes = await _repair(None)
    await _assert_done_once(on, run, "no death")
    assert writes > 25
    for number in range(1, writes + 1):
        on, run, _ = await _repair(number)
        await _assert_done_once(on, run, f"death after write {number} of {writes}")


@pytest.mark.slow
async def test_a_death_while_a_vm_is_started_sends_no_second_start() -> None:
    number, writes = 0, 1
    while number < writes:
        number += 1
        on, records = _stage(None, f.powered("deallocated"))
        run = await survive(on, (await on.create()).run_id)
        assert run.wait is not None
        await approve(on.services().ledger, run.run_id, run.wait.step_ids[0], "ada@example.com")
        records.writes, records.dies_after = 0, None if number == 1 else number - 1
        done = await survive(on, run.run_id)
        if number == 1:
            writes = records.writes + 1
        assert done.phase is Phase.DONE
        assert len(on.world.called("start_vm")) <= 1, f"death after write {number - 1}"
        if on.world.running:
            assert await _last_verdict(on, done) == "reachable", f"death after write {number - 1}"


@pytest.mark.parametrize("dies_before", ["put_rule", "repair"])
async def test_a_death_between_the_row_and_the_call_is_looked_at_first(dies_before: str) -> None:
    on, _ = _stage(None, *BROKEN)

    def die() -> None:
        raise CrashError("before the call took effect")

    on.world.hooks[dies_before] = die
    run = await survive(on, (await on.create()).run_id)
    journal = await on.services().ledger.journal(run.run_id)
    kind = "security_rule" if dies_before == "put_rule" else "registry"
    mine = [entry for entry in journal if entry.step.kind == kind]
    assert [entry.outcome for entry in mine] == [Outcome.OUTCOME_UNKNOWN, Outcome.APPLIED]
    assert mine[1].pass_number > mine[0].pass_number
    assert await _last_verdict(on, run) == "reachable"
