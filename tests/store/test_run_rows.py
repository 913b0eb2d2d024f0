"""Runs, claims and locks: one worker at a time, nothing lost and nothing doubled."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.errors import RecordChangedError, StoreError, UsageError
from rdp_remediate.models.incident import Kind
from rdp_remediate.models.plan import Plan
from rdp_remediate.models.run import Done, Phase, Run, RunMessage, Wait
from rdp_remediate.ports import Records
from rdp_remediate.store.ledger import Ledger, MessageAction, message_action
from rdp_remediate.store.sqlite import SqliteRecords
from tests.store.builders import VM, make_run, make_step
from tests.store.memory import CrashError, FakeClock, MemoryRecords

MINUTE = timedelta(minutes=1)


@pytest.fixture(params=["memory", "sqlite"])
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Records]:
    opened: Records = MemoryRecords() if request.param == "memory" else SqliteRecords(tmp_path / "store.sqlite")
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(records: Records, clock: FakeClock) -> Ledger:
    return Ledger(records, clock)


async def claimed(ledger: Ledger, run: Run, clock: FakeClock) -> Run:
    taken = await ledger.claim(run.run_id, clock.now() + 5 * MINUTE)
    assert taken is not None
    return taken


async def due(ledger: Ledger, clock: FakeClock) -> list[Run]:
    return [run async for run in ledger.due(clock.now())]


def done(run: Run) -> Run:
    return run.model_copy(update={"phase": Phase.DONE, "done": Done(kind="judged")})


class TestCreate:
    async def test_run_comes_back_as_it_was(self, ledger: Ledger) -> None:
        run = make_run()
        assert await ledger.create(run) == run
        assert await ledger.load(run.run_id) == run
        assert await ledger.load("unknown") is None

    async def test_same_event_twice_is_one_run_even_when_it_is_done(self, ledger: Ledger, clock: FakeClock) -> None:
        run = await ledger.create(make_run())
        assert await ledger.create(make_run()) == run
        finished = await ledger.save(done(await claimed(ledger, run, clock)))
        assert await ledger.create(make_run()) == finished

    async def test_another_event_joins_the_open_run_of_the_vm(self, ledger: Ledger) -> None:
        run = await ledger.create(make_run("event-1"))
        for _ in range(2):
            joined = await ledger.create(make_run("event-2", vm_id=VM.upper()))
            assert joined.run_id == run.run_id
            assert joined.joined == ["event-2"]
        assert await ledger.load(make_run("event-2").run_id) is None

    async def test_question_does_not_vanish_in_the_run_of_a_hint(self, ledger: Ledger, clock: FakeClock) -> None:
        hint = await ledger.create(make_run("hint-1", kind=Kind.HINT))
        asked = await ledger.create(make_run("alert-1"))
        assert asked.run_id == make_run("alert-1").run_id
        assert (await ledger.create(make_run("hint-2", kind=Kind.HINT))).run_id == asked.run_id
        assert (await ledger.create(make_run("manual-1", kind=Kind.MANUAL))).run_id == asked.run_id
        assert {run.run_id for run in await due(ledger, clock)} == {hint.run_id, asked.run_id}
        await ledger.save(done(await claimed(ledger, asked, clock)))
        assert (await ledger.create(make_run("hint-3", kind=Kind.HINT))).run_id == hint.run_id
        await ledger.save(done(await claimed(ledger, hint, clock)))
        assert await due(ledger, clock) == []

    async def test_runs_that_only_have_a_clue_do_not_join(self, ledger: Ledger, clock: FakeClock) -> None:
        first, second = await ledger.create(make_run("a", vm_id="")), await ledger.create(make_run("b", vm_id=""))
        assert first.run_id != second.run_id
        await ledger.save(done(await claimed(ledger, first, clock)))
        assert [run.run_id for run in await due(ledger, clock)] == [second.run_id]

    async def test_another_vm_has_its_own_run(self, ledger: Ledger) -> None:
        first = await ledger.create(make_run())
        second = await ledger.create(make_run(vm_id=f"{VM}0"))
        assert first.run_id != second.run_id

    async def test_after_a_finished_run_a_new_event_opens_a_new_one(self, ledger: Ledger, clock: FakeClock) -> None:
        first = await ledger.create(make_run("event-1"))
        await ledger.save(done(await claimed(ledger, first, clock)))
        second = await ledger.create(make_run("event-2"))
        assert second.run_id == make_run("event-2").run_id
        assert [run.run_id for run in await due(ledger, clock)] == [second.run_id]


class TestClaim:
    async def test_a_live_claim_keeps_others_out_until_it_expires(self, ledger: Ledger, clock: FakeClock) -> None:
        run = await ledger.create(make_run())
        await claimed(ledger, run, clock)
        assert await ledger.claim(run.run_id, clock.now() + 9 * MINUTE) is None
        clock.pass_by(301)
        assert await ledger.claim(run.run_id, clock.now() + MINUTE) is not None

    async def test_done_and_unknown_runs_cannot_be_claimed(self, ledger: Ledger, clock: FakeClock) -> None:
        run = await ledger.create(make_run())
        await ledger.save(done(await claimed(ledger, run, clock)))
        assert await ledger.claim(run.run_id, clock.now() + MINUTE) is None
        assert await ledger.claim("unknown", clock.now() + MINUTE) is None

    async def test_save_counts_up_and_frees_the_claim(self, ledger: Ledger, clock: FakeClock) -> None:
        run = await ledger.create(make_run())
        mine = await claimed(ledger, run, clock)
        saved = await ledger.save(mine.model_copy(update={"phase": Phase.JUDGE}))
        assert (saved.seq, saved.claimed_until, saved.phase) == (1, None, Phase.JUDGE)
        assert await ledger.load(run.run_id) == saved
        assert await ledger.claim(run.run_id, clock.now() + MINUTE) is not None

    async def test_worker_whose_claim_was_taken_over_cannot_save(self, ledger: Ledger, clock: FakeClock) -> None:
        run = await ledger.create(make_run())
        slow = await claimed(ledger, run, clock)
        clock.pass_by(301)
        fast = await claimed(ledger, run, clock)
        with pytest.raises(RecordChangedError, match="taken over"):
            await ledger.save(done(slow))
        saved = await ledger.save(fast)
        with pytest.raises(RecordChangedError):
            await ledger.save(fast)
        with pytest.raises(RecordChangedError):
            await ledger.save(slow)
        assert await ledger.load(run.run_id) == saved

    async def test_nobody_saves_without_a_claim(self, ledger: Ledger) -> None:
        run = await ledger.create(make_run())
        with pytest.raises(RecordChangedError):
            await ledger.save(run)
        with pytest.raises(RecordChangedError):
            await ledger.save(make_run("never created"))

    async def test_late_save_is_fine_while_nobody_else_came(self, ledger: Ledger, clock: FakeClock) -> None:
        run = await ledger.create(make_run())
        slow = await claimed(ledger, run, clock)
        clock.pass_by(301)
        assert (await ledger.save(slow)).seq == 1


class TestApproval:
    def waiting(self, run: Run) -> Run:
        wait = Wait(kind="approval", step_ids=["step-registry"], until=run.created_at + timedelta(days=3))
        return run.model_copy(update={"phase": Phase.WAIT, "wait": wait, "due_at": wait.until})

    async def test_yes_of_a_person_makes_the_run_due(self, ledger: Ledger, clock: FakeClock) -> None:
        run = await ledger.create(make_run())
        await ledger.save(self.waiting(await claimed(ledger, run, clock)))
        assert await due(ledger, clock) == []
        for _ in range(2):
            agreed = await ledger.approve(run.run_id, "step-registry", "ops@example.org")
            assert agreed.approved == {"step-registry": "ops@example.org"}
        assert [one.run_id for one in await due(ledger, clock)] == [run.run_id]

    async def test_yes_and_event_that_arrive_during_a_claim_are_kept(self, ledger: Ledger, clock: FakeClock) -> None:
        run = await ledger.create(make_run())
        await ledger.save(self.waiting(await claimed(ledger, run, clock)))
        mine = await claimed(ledger, run, clock)
        await ledger.approve(run.run_id, "step-registry", "ops")
        await ledger.create(make_run("event-2"))
        saved = await ledger.save(mine)
        assert (saved.approved, saved.joined, saved.due_at) == ({"step-registry": "ops"}, ["event-2"], clock.now())

    @pytest.mark.parametrize("state", ["unknown", "not waiting", "other step", "done"])
    async def test_yes_to_what_does_not_wait_is_refused(self, state: str, ledger: Ledger, clock: FakeClock) -> None:
        run = make_run() if state == "unknown" else await ledger.create(make_run())
        if state == "done":
            await ledger.save(done(await claimed(ledger, run, clock)))
        if state == "other step":
            await ledger.save(self.waiting(await claimed(ledger, run, clock)))
        before = await ledger.load(run.run_id)
        with pytest.raises(UsageError):
            await ledger.approve(run.run_id, "step-other", "ops")
        assert await ledger.load(run.run_id) == before


class TestDue:
    async def test_open_unclaimed_runs_past_their_time(self, ledger: Ledger, clock: FakeClock) -> None:
        run = await ledger.create(make_run())
        assert [one.run_id for one in await due(ledger, clock)] == [run.run_id]
        mine = await claimed(ledger, run, clock)
        assert await due(ledger, clock) == []
        await ledger.save(mine.model_copy(update={"due_at": clock.now() + MINUTE}))
        assert await due(ledger, clock) == []
        clock.pass_by(60)
        assert [one.seq for one in await due(ledger, clock)] == [1]

    async def test_run_whose_worker_died_is_due_when_its_claim_ends(self, ledger: Ledger, clock: FakeClock) -> None:
        run = await ledger.create(make_run())
        await claimed(ledger, run, clock)
        clock.pass_by(301)
        assert [one.run_id for one in await due(ledger, clock)] == [run.run_id]

    async def test_runs_are_listed_newest_first(self, ledger: Ledger, clock: FakeClock) -> None:
        ids: list[str] = []
        for number in range(4):
            created_at = clock.now() + number * MINUTE
            run = await ledger.create(make_run(f"event-{number}", created_at=created_at))
            await ledger.save(done(await claimed(ledger, run, clock)))
            ids.insert(0, run.run_id)
        assert [run.run_id async for run in ledger.runs()] == ids


class TestLock:
    async def test_one_run_holds_a_vm(self, ledger: Ledger, clock: FakeClock) -> None:
        first = await ledger.create(make_run("event-1"))
        assert await ledger.lock_vm(VM, first.run_id)
        assert await ledger.lock_vm(VM.upper(), first.run_id)
        assert not await ledger.lock_vm(VM, "other")
        await ledger.unlock_vm(VM, "other")
        assert not await ledger.lock_vm(VM, "other")
        await ledger.unlock_vm(VM, first.run_id)
        assert await ledger.lock_vm(VM, "other")

    async def test_lock_of_a_finished_or_vanished_run_is_free(self, ledger: Ledger, clock: FakeClock) -> None:
        first = await ledger.create(make_run("event-1"))
        await ledger.lock_vm(VM, first.run_id)
        await ledger.save(done(await claimed(ledger, first, clock)))
        assert await ledger.lock_vm(VM, "vanished")
        assert await ledger.lock_vm(VM, "third")


@pytest.mark.parametrize(
    ("seq", "change", "action"),
    [
        (3, {}, MessageAction.ADVANCE),
        (2, {}, MessageAction.RESEND),
        (4, {}, MessageAction.RESEND),
        (3, {"claimed_until": 1}, MessageAction.LEAVE),
        (2, {"claimed_until": 1}, MessageAction.LEAVE),
        (3, {"claimed_until": -1}, MessageAction.ADVANCE),
        (3, {"phase": Phase.DONE}, MessageAction.DROP),
        (2, {"phase": Phase.DONE}, MessageAction.DROP),
    ],
)
def test_what_a_message_asks(seq: int, change: dict[str, Any], action: MessageAction) -> None:
    now = FakeClock().now()
    if isinstance(minutes := change.get("claimed_until"), int):
        change = {"claimed_until": now + minutes * MINUTE}
    run = make_run(seq=3, **change)
    assert message_action(RunMessage(run_id=run.run_id, seq=seq), run, now) is action
    assert message_action(RunMessage(run_id="x", seq=seq), None, now) is MessageAction.DROP


class TestInterleavings:
    """Every step gives way to others in an order that the seed decides."""

    @pytest.mark.parametrize("seed", range(30))
    async def test_one_of_many_workers_wins_a_claim(self, seed: int) -> None:
        clock = FakeClock()
        ledger = Ledger(MemoryRecords(seed), clock)
        run = await ledger.create(make_run())
        until = clock.now() + MINUTE  # the very same instant for all: it is not what tells them apart
        takes = await asyncio.gather(*(ledger.claim(run.run_id, until) for _ in range(5)))
        assert sum(take is not None for take in takes) == 1

    @pytest.mark.parametrize("seed", range(30))
    async def test_events_at_once_open_one_run_and_none_is_lost(self, seed: int) -> None:
        ledger = Ledger(MemoryRecords(seed), FakeClock())
        events = [f"event-{number % 4}" for number in range(8)]
        runs = await asyncio.gather(*(ledger.create(make_run(event)) for event in events))
        assert len({run.run_id for run in runs}) == 1
        final = await ledger.load(runs[0].run_id)
        assert final is not None
        assert sorted([final.incident.event_id, *final.joined]) == sorted(set(events))
        assert [run.run_id async for run in ledger.runs()] == [final.run_id]

    @pytest.mark.parametrize("seed", range(20))
    async def test_event_beside_the_end_of_a_run_is_joined_or_opens_its_own(self, seed: int) -> None:
        clock = FakeClock()
        ledger = Ledger(MemoryRecords(seed), clock)
        first = await ledger.create(make_run("event-1"))
        mine = await ledger.claim(first.run_id, clock.now() + MINUTE)
        assert mine is not None
        finished, second = await asyncio.gather(ledger.save(done(mine)), ledger.create(make_run("event-2")))
        if second.run_id == first.run_id:
            assert finished.joined == ["event-2"]
        else:
            assert [run.run_id for run in await due(ledger, clock)] == [second.run_id]

    @pytest.mark.parametrize("seed", range(20))
    async def test_one_of_many_runs_gets_the_vm(self, seed: int) -> None:
        ledger = Ledger(MemoryRecords(seed), FakeClock())
        ids = [(await ledger.create(make_run("e", vm_id=f"{VM}{n}"))).run_id for n in range(4)]
        got = await asyncio.gather(*(ledger.lock_vm(VM, run_id) for run_id in ids))
        assert sum(got) == 1

    @pytest.mark.parametrize("seed", range(10))
    async def test_every_approval_of_many_is_kept(self, seed: int) -> None:
        clock = FakeClock()
        ledger = Ledger(MemoryRecords(seed), clock)
        steps = [f"step-{number}" for number in range(5)]
        wait = Wait(kind="approval", step_ids=steps)
        run = await ledger.create(make_run(phase=Phase.WAIT, wait=wait))
        mine = await ledger.claim(run.run_id, clock.now() + MINUTE)
        assert mine is not None
        await asyncio.gather(*(ledger.approve(run.run_id, step, "ops") for step in steps), ledger.save(mine))
        final = await ledger.load(run.run_id)
        assert final is not None
        assert sorted(final.approved) == steps


class TestCrashes:
    """A process that dies at any step leaves a store from which the next one goes on."""

    async def test_creation_cut_short_anywhere_is_finished_by_the_timer_or_the_next_event(self) -> None:
        crashed = 0
        for step in range(1, 30):
            records, clock = MemoryRecords(), FakeClock()
            ledger = Ledger(records, clock)
            records.crash_at = step
            try:
                await ledger.create(make_run("event-1"))
            except CrashError:
                crashed += 1
            records.crash_at = None
            assert len(await due(ledger, clock)) <= 1
            final = await ledger.create(make_run("event-2"))
            again = await ledger.create(make_run("event-1"))
            assert again.run_id == final.run_id, "both events are in one run"
            assert {again.incident.event_id, *again.joined} == {"event-1", "event-2"}
            assert [run.run_id for run in await due(ledger, clock)] == [final.run_id]
        assert crashed > 3

    async def test_save_cut_short_anywhere_happened_whole_or_not_at_all(self) -> None:
        outcomes = set()
        for step in range(1, 30):
            records, clock = MemoryRecords(), FakeClock()
            ledger = Ledger(records, clock)
            run = await ledger.create(make_run("event-1"))
            mine = await ledger.claim(run.run_id, clock.now() + MINUTE)
            assert mine is not None
            records.steps, records.crash_at = 0, step
            with contextlib.suppress(CrashError):
                await ledger.save(done(mine))
            records.crash_at = None
            clock.pass_by(61)
            stored = await ledger.load(run.run_id)
            assert stored is not None
            outcomes.add(stored.phase)
            if stored.phase is Phase.DONE:
                assert await due(ledger, clock) == []
            else:
                assert [one.run_id for one in await due(ledger, clock)] == [run.run_id]
            second = await ledger.create(make_run("event-2"))
            assert (second.run_id == run.run_id) is (stored.phase is not Phase.DONE)
        assert outcomes == {Phase.DONE, Phase.COLLECT}


async def test_damaged_run_is_a_clear_error(records: Records, ledger: Ledger) -> None:
    await records.insert("runs", "r", {"schema": "rdp-remediate/run/1"})
    with pytest.raises(StoreError, match="stored run r cannot be read"):
        await ledger.load("r")


async def test_plan_of_a_run_survives_the_store(ledger: Ledger, clock: FakeClock) -> None:
    run = await ledger.create(make_run(plan=Plan(steps=[make_step()])))
    assert await ledger.load(run.run_id) == run
