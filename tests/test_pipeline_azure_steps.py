"""Approval steps in Azure: what comes first, what is sent once, and what a new alert does to a run that waits."""

import pytest

from rdp_remediate.models.plan import JournalEntry, Outcome
from rdp_remediate.models.run import Phase, Run, RunMessage
from rdp_remediate.ports import Rejected, Services
from rdp_remediate.worker import advance_one, approve, new_run
from tests import factories as f
from tests.dying import DyingRecords, survive
from tests.fakes import FORBIDDEN, LOST_DONE, LOST_UNDONE
from tests.stage import Stage, incident, play, played, stage

OPEN_TO_ALL = (
    f.security_rules(f.NIC_NSG, f.rule("Any-RDP", 300, source="*")),
    f.security_rules(f.SUBNET_NSG, f.rule("Any-RDP", 300, source="Internet")),
)


async def _yes(on: Stage, run: Run, *kinds: str) -> Run:
    """Approves the waiting steps of these kinds and plays on."""
    assert run.plan is not None
    for step in run.plan.steps:
        if step.kind in kinds:
            await approve(on.services().ledger, run.run_id, step.step_id, "ada@example.com")
    return await play(on, run.run_id)


async def _rows(on: Stage, run: Run, kind: str | None = None) -> list[JournalEntry]:
    journal = await on.services().ledger.journal(run.run_id)
    return [entry for entry in journal if kind in (None, entry.step.kind)]


async def test_an_open_door_is_closed_before_windows_answers_behind_it() -> None:
    on = stage(*OPEN_TO_ALL, f.registry(f.DENY_LOCAL, 1))
    run = await played(on)
    assert on.world.acting == []
    done = await _yes(on, run, "narrow_nsg_rule", "registry")
    rows = await _rows(on, done)
    assert [(row.step.kind, row.outcome) for row in rows] == [
        ("narrow_nsg_rule", Outcome.APPLIED),
        ("registry", Outcome.APPLIED),
    ]
    assert done.phase is Phase.DONE
    assert on.world.reachable()
    assert on.world.rules(f.NIC_NSG)[0]["properties"]["sourceAddressPrefix"] == f.SOURCES


async def test_a_rule_that_somebody_changed_meanwhile_is_not_narrowed() -> None:
    on = stage(*OPEN_TO_ALL)
    run = await played(on)
    on.world.change(f.security_rules(f.NIC_NSG, f.rule("Any-RDP", 310, source="*")))
    again = await _yes(on, run, "narrow_nsg_rule")
    assert on.world.acting == [], "a person said yes to another rule"
    assert again.wait is not None
    assert again.wait.kind == "approval"


@pytest.mark.parametrize(
    ("script", "outcomes"),
    [
        (FORBIDDEN, [Outcome.FAILED]),
        (LOST_DONE, [Outcome.APPLIED]),
        (LOST_UNDONE, [Outcome.OUTCOME_UNKNOWN, Outcome.APPLIED]),
    ],
)
async def test_every_answer_to_the_narrowing(script: Rejected, outcomes: list[Outcome]) -> None:
    on = stage(*OPEN_TO_ALL)
    run = await played(on)
    on.world.script("put_rule", script)
    done = await _yes(on, run, "narrow_nsg_rule")
    assert [row.outcome for row in await _rows(on, done)] == outcomes


@pytest.mark.parametrize("script", [LOST_DONE, LOST_UNDONE])
async def test_a_restart_whose_answer_is_lost_is_never_sent_again(script: Rejected) -> None:
    on = stage(f.agent_not_ready)
    run = await played(on)
    on.world.script("restart_vm", script)
    done = await _yes(on, run, "restart_vm")
    assert len(on.world.called("restart_vm")) == 1
    assert [row.outcome for row in await _rows(on, done)] == [Outcome.OUTCOME_UNKNOWN]
    assert done.phase is Phase.DONE


async def test_a_restart_that_did_not_help_is_not_repeated() -> None:
    on = stage(f.agent_not_ready)
    run = await played(on)
    on.world.script("restart_vm", LOST_UNDONE)
    done = await _yes(on, run, "restart_vm")
    assert done.plan is not None
    assert [refusal.code for refusal in done.plan.refusals] == ["restarted_once"]


async def test_an_agent_that_came_back_by_itself_is_not_restarted() -> None:
    on = stage(f.agent_not_ready)
    run = await played(on)
    healthy = stage().world.data
    on.world.data["resources"][f.VM.lower()] = healthy["resources"][f.VM.lower()]
    on.world.data["guest"] = healthy["guest"]
    done = await _yes(on, run, "restart_vm")
    assert on.world.called("restart_vm") == []
    assert done.phase is Phase.DONE


async def test_a_restart_that_nobody_approves_does_not_keep_the_door_shut() -> None:
    on = stage(f.agent_not_ready, f.security_rules(f.NIC_NSG))
    run = await played(on)
    waiting = await _yes(on, run, "security_rule")
    assert len(on.world.called("put_rule")) == 1
    assert on.world.called("restart_vm") == []
    assert waiting.wait is not None, "the restart still waits"


async def test_a_new_alert_wakes_a_run_that_waits_and_a_hint_does_not() -> None:
    on = stage(*OPEN_TO_ALL)
    run = await played(on)
    asked = len(on.guest.requests)
    ledger = on.services().ledger
    hint = incident(event_id="hint-1", kind="hint", source="event_grid")
    assert (await ledger.create(new_run(hint, on.settings, on.clock))).run_id == run.run_id
    held = await ledger.load(run.run_id)
    assert held is not None
    assert held.due_at == run.due_at
    on.world.change(f.registry(f.DENY_LOCAL, 1))
    joined = await ledger.create(new_run(incident(event_id="request-2"), on.settings, on.clock))
    assert joined.run_id == run.run_id
    assert joined.due_at is not None
    assert joined.due_at <= on.clock.now()
    woken = await _advanced(on, run.run_id)
    assert len(on.guest.requests) > asked
    assert woken.plan is not None
    assert "rdp-disabled-local" in {fault for step in woken.plan.steps for fault in step.faults}
    again = await _advanced(on, run.run_id)
    assert again.looked == len(again.joined), "the same alert wakes it once"


async def _advanced(on: Stage, run_id: str) -> Run:
    """Works on a run until nothing of it is due."""
    services = on.services()

    async def opened() -> Services:
        return services

    while True:
        run = await services.ledger.load(run_id)
        assert run is not None
        if not await advance_one(RunMessage(run_id=run_id, seq=run.seq), opened):
            break
    found = await services.ledger.load(run_id)
    assert found is not None
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "kind", "call"),
    [((f.agent_not_ready,), "restart_vm", "restart_vm"), (OPEN_TO_ALL, "narrow_nsg_rule", "put_rule")],
)
async def test_a_death_after_any_write_acts_once(changes: tuple[f.Change, ...], kind: str, call: str) -> None:
    number, writes = 0, 1
    while number < writes:
        number += 1
        on = stage(*changes)
        records = DyingRecords()
        on.records = records
        run = await played(on)
        assert run.plan is not None
        step = next(one for one in run.plan.steps if one.kind == kind)
        await approve(on.services().ledger, run.run_id, step.step_id, "ada@example.com")
        records.writes, records.dies_after = 0, None if number == 1 else number - 1
        done = await survive(on, run.run_id)
        if number == 1:
            writes = records.writes + 1
        assert done.phase is Phase.DONE, f"death after write {number - 1}"
        assert len(on.world.called(call)) <= 1, f"death after write {number - 1}"
        rows = await _rows(on, done, kind)
        assert all(row.outcome is not Outcome.INTENDED for row in rows), f"death after write {number - 1}"
