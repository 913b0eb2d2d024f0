"""Undo inside Windows: in reverse, only what is still what we set, in one Run Command."""

from typing import Any

import pytest

from rdp_remediate.models.plan import JournalEntry, Outcome
from rdp_remediate.models.run import Run
from rdp_remediate.undoing import undo_guest
from tests import factories as f
from tests.fakes import BUSY, FORBIDDEN, LOST_DONE
from tests.stage import Stage, played, stage, steps_of

DISABLED = (f.service("Stopped", "Disabled"), f.registry(f.DENY_LOCAL, 1))


async def _repaired() -> tuple[Stage, Run, list[JournalEntry]]:
    on = stage(*DISABLED)
    run = await played(on)
    journal = await on.services().ledger.journal(run.run_id)
    assert {entry.outcome for entry in journal} == {Outcome.APPLIED}
    on.guest.requests.clear()
    return on, run, journal


async def _after(on: Stage, run: Run) -> list[Outcome]:
    return [entry.outcome for entry in await on.services().ledger.journal(run.run_id)]


async def test_undo_puts_the_state_back_in_reverse_order_with_one_run_command() -> None:
    on, run, journal = await _repaired()
    await undo_guest(on.services(), journal)
    assert steps_of(on.guest.requests) == ["registry", "service_state", "service_start"]
    assert len(on.guest.requests) == 1
    guest = on.world.data["guest"]
    assert guest["services"]["TermService"]["state"] == "Stopped"
    assert guest["services"]["TermService"]["start_type"] == "Disabled"
    assert guest["registry"][f.DENY_LOCAL] == 1
    assert await _after(on, run) == [Outcome.UNDONE] * 3


async def test_what_somebody_changed_since_is_left_alone() -> None:
    on, run, journal = await _repaired()
    on.world.change(f.service("Running", "Auto"))
    await undo_guest(on.services(), journal)
    assert on.world.data["guest"]["services"]["TermService"]["start_type"] == "Auto"
    assert (await _after(on, run))[0] is Outcome.STALE
    assert (await _after(on, run))[2] is Outcome.UNDONE


@pytest.mark.parametrize("script", [BUSY, FORBIDDEN])
async def test_an_undo_that_did_not_start_leaves_the_rows_applied(script: Any) -> None:
    on, run, journal = await _repaired()
    on.world.script("repair", script)
    await undo_guest(on.services(), journal)
    assert await _after(on, run) == [Outcome.APPLIED] * 3
    rows = await on.services().ledger.journal(run.run_id)
    assert all("not undone" in (entry.detail or "") for entry in rows)


async def test_a_lost_undo_is_unknown() -> None:
    on, run, journal = await _repaired()
    on.world.script("repair", LOST_DONE)
    await undo_guest(on.services(), journal)
    assert await _after(on, run) == [Outcome.OUTCOME_UNKNOWN] * 3


async def test_an_undo_without_an_answer_is_unknown() -> None:
    on, run, journal = await _repaired()
    on.guest.silent = {"repair"}
    await undo_guest(on.services(), journal)
    assert await _after(on, run) == [Outcome.OUTCOME_UNKNOWN] * 3


async def test_an_undo_that_never_ends_is_given_up() -> None:
    on, run, journal = await _repaired()
    on.guest.polls = 10_000
    began = on.clock.time
    await undo_guest(on.services(), journal)
    assert (on.clock.time - began).total_seconds() < 700
    assert await _after(on, run) == [Outcome.OUTCOME_UNKNOWN] * 3


async def test_a_restart_cannot_be_taken_back_and_asks_for_nothing() -> None:
    on, run, journal = await _repaired()
    step = journal[0].step.model_copy(update={"undoable": False, "kind": "service_restart"})
    await undo_guest(on.services(), [journal[0].model_copy(update={"step": step})])
    assert on.guest.requests == []
    row = (await on.services().ledger.journal(run.run_id))[0]
    assert row.outcome is Outcome.APPLIED
    assert "cannot be taken back" in (row.detail or "")
