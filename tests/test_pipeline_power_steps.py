"""Redeploy, reapply, and deallocate to start again: sent once, compared before, read back where the answer was lost."""

from datetime import timedelta
from typing import Any

import pytest

from rdp_remediate.models.fact import Reason
from rdp_remediate.models.plan import JournalEntry, Outcome, Risk
from rdp_remediate.models.run import Phase, Run
from rdp_remediate.worker import approve, new_run
from tests import factories as f
from tests.dying import DyingRecords, survive
from tests.fakes import FORBIDDEN, LOST_DONE, LOST_UNDONE, Script
from tests.planned import planned
from tests.stage import Stage, incident, play, stage

BITLOCKER = "bitlocker-recovery"
AWAY = (f.silent, f.agent_not_ready)
FAILED = f.resource(f.VM, "properties", "provisioningState", value="Failed")


def failing_host(data: Any) -> None:
    """Azure has announced that the host is failing."""
    rows = data["operations"]["resource_annotations"][f.VM.lower()]["value"]
    at = (f.at(data) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    name = "VirtualMachinePossiblyDegradedDueToHardwareFailure"
    rows.append({"properties": {"annotationName": name, "context": "Platform Initiated", "occurredTime": at}})


async def _waiting(on: Stage, boot_screen: str | None = None) -> Run:
    """A run that waits for a person."""
    fresh = new_run(incident(), on.settings, on.clock)
    policy = fresh.policy.model_copy(update={"boot_screen": boot_screen})
    run = await play(on, (await on.services().ledger.create(fresh.model_copy(update={"policy": policy}))).run_id)
    assert run.wait is not None
    assert run.wait.kind == "approval"
    return run


async def _approve(on: Stage, run: Run, *kinds: str) -> None:
    assert run.plan is not None
    for step in run.plan.steps:
        if step.kind in kinds:
            await approve(on.services().ledger, run.run_id, step.step_id, "ada@example.com")


async def _rows(on: Stage, run: Run) -> list[tuple[str, Outcome]]:
    return [(row.step.kind, row.outcome) for row in await _journal(on, run)]


async def _journal(on: Stage, run: Run) -> list[JournalEntry]:
    return list(await on.services().ledger.journal(run.run_id))


# Redeploy


async def test_a_redeploy_waits_for_a_person_and_is_sent_once() -> None:
    on = stage(failing_host)
    run = await _waiting(on)
    assert on.world.acting == []
    await _approve(on, run, "redeploy_vm")
    done = await play(on, run.run_id)
    assert await _rows(on, done) == [("redeploy_vm", Outcome.APPLIED)]
    assert len(on.world.called("redeploy_vm")) == 1
    assert done.phase is Phase.DONE


@pytest.mark.parametrize("script", [LOST_DONE, LOST_UNDONE])
async def test_a_redeploy_whose_answer_is_lost_is_never_sent_again(script: Script) -> None:
    on = stage(failing_host)
    run = await _waiting(on)
    on.world.script("redeploy_vm", script)
    await _approve(on, run, "redeploy_vm")
    done = await play(on, run.run_id)
    assert len(on.world.called("redeploy_vm")) == 1
    assert await _rows(on, done) == [("redeploy_vm", Outcome.OUTCOME_UNKNOWN)]


async def test_a_vm_that_went_off_after_the_plan_is_not_redeployed() -> None:
    on = stage(failing_host)
    run = await _waiting(on)
    await _approve(on, run, "redeploy_vm")
    on.world.change(f.powered("deallocated"))
    await play(on, run.run_id)
    assert on.world.called("redeploy_vm") == []


def test_the_redeploy_says_what_is_lost() -> None:
    (step,) = planned(failing_host).steps
    assert (step.kind, step.risk, step.undoable) == ("redeploy_vm", Risk.DISRUPTIVE, False)
    assert "temporary disk is lost" in step.title
    assert "dynamic" in (step.approval or "")


def test_a_read_only_lock_and_a_vm_that_is_off_are_not_redeployed() -> None:
    row = {"id": f"{f.GROUP}/providers/Microsoft.Authorization/locks/keep", "properties": {"level": "ReadOnly"}}
    locked = planned(failing_host, f.operation("locks", f.VM, {"value": [row]}))
    assert [refusal.code for refusal in locked.refusals] == ["locked"]
    assert locked.steps == []
    off = planned(failing_host, f.powered("deallocated"))
    assert "redeploy_vm" not in {step.kind for step in off.steps}


# Reapply


@pytest.mark.parametrize(
    ("script", "outcome"),
    [(None, Outcome.APPLIED), (LOST_DONE, Outcome.APPLIED), (FORBIDDEN, Outcome.FAILED)],
)
async def test_a_reapply_is_read_back_where_its_answer_was_lost(script: Any, outcome: Outcome) -> None:
    on = stage(FAILED)
    run = await _waiting(on)
    if script is not None:
        on.world.script("reapply_vm", script)
    await _approve(on, run, "reapply_vm")
    done = await play(on, run.run_id)
    assert len(on.world.called("reapply_vm")) == 1
    assert await _rows(on, done) == [("reapply_vm", outcome)]


async def test_a_vm_that_recovered_meanwhile_is_not_reapplied() -> None:
    on = stage(FAILED)
    run = await _waiting(on)
    await _approve(on, run, "reapply_vm")
    on.world.change(f.resource(f.VM, "properties", "provisioningState", value="Succeeded"))
    await play(on, run.run_id)
    assert on.world.called("reapply_vm") == []


# Deallocate and start


async def test_the_vm_is_deallocated_and_started_in_one_go() -> None:
    on = stage(*AWAY)
    run = await _waiting(on, BITLOCKER)
    await _approve(on, run, "deallocate_vm", "start_vm")
    done = await play(on, run.run_id)
    assert [call for call, _ in on.world.acting if call.endswith("_vm")] == ["deallocate_vm", "start_vm"]
    assert await _rows(on, done) == [("deallocate_vm", Outcome.APPLIED), ("start_vm", Outcome.APPLIED)]
    assert on.world.running


async def test_half_a_yes_switches_nothing_off() -> None:
    on = stage(*AWAY)
    run = await _waiting(on, BITLOCKER)
    await _approve(on, run, "deallocate_vm")
    await play(on, run.run_id)
    assert on.world.acting == []


async def test_a_lost_deallocation_that_took_effect_is_followed_by_the_start() -> None:
    on = stage(*AWAY)
    run = await _waiting(on, BITLOCKER)
    on.world.script("deallocate_vm", LOST_DONE)
    await _approve(on, run, "deallocate_vm", "start_vm")
    done = await play(on, run.run_id)
    assert await _rows(on, done) == [("deallocate_vm", Outcome.APPLIED), ("start_vm", Outcome.APPLIED)]


@pytest.mark.parametrize(("script", "outcome"), [(FORBIDDEN, Outcome.FAILED), (LOST_UNDONE, Outcome.OUTCOME_UNKNOWN)])
async def test_nothing_is_started_after_a_deallocation_that_did_not_happen(script: Script, outcome: Outcome) -> None:
    on = stage(*AWAY)
    run = await _waiting(on, BITLOCKER)
    on.world.script("deallocate_vm", script)
    await _approve(on, run, "deallocate_vm", "start_vm")
    done = await play(on, run.run_id)
    assert await _rows(on, done) == [("deallocate_vm", outcome), ("start_vm", Outcome.NOT_STARTED)]
    assert len(on.world.called("deallocate_vm")) == 1
    assert on.world.called("start_vm") == []


async def test_an_unread_vm_after_a_lost_deallocation_is_unknown() -> None:
    on = stage(*AWAY)
    run = await _waiting(on, BITLOCKER)
    on.world.script("deallocate_vm", LOST_DONE)
    on.world.hooks["deallocate_vm"] = lambda: on.world.refused.update({f.VM.lower(): Reason.TIMEOUT})
    await _approve(on, run, "deallocate_vm", "start_vm")
    done = await play(on, run.run_id)
    assert await _rows(on, done) == [("deallocate_vm", Outcome.OUTCOME_UNKNOWN), ("start_vm", Outcome.NOT_STARTED)]


@pytest.mark.slow
async def test_a_death_after_any_write_deallocates_and_starts_at_most_once() -> None:
    number, writes = 0, 1
    while number < writes:
        number += 1
        on = stage(*AWAY)
        records = DyingRecords()
        on.records = records
        run = await _waiting(on, BITLOCKER)
        await _approve(on, run, "deallocate_vm", "start_vm")
        records.writes, records.dies_after = 0, None if number == 1 else number - 1
        done = await survive(on, run.run_id)
        if number == 1:
            writes = records.writes + 1
        assert len(on.world.called("deallocate_vm")) <= 1, f"death after write {number - 1}"
        assert len(on.world.called("start_vm")) <= 1, f"death after write {number - 1}"
        rows = await _journal(on, done)
        assert all(row.outcome is not Outcome.INTENDED for row in rows), f"death after write {number - 1}"
        if on.world.called("deallocate_vm"):
            started = on.world.running
            said = [row.step.kind for row in rows if row.outcome is not Outcome.APPLIED]
            assert started or "start_vm" in said or "deallocate_vm" in said, f"death after write {number - 1}"
