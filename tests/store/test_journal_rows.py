"""Journal, expiring rules, bundles and parked operations."""

from datetime import datetime, timedelta

import pytest

from rdp_remediate.errors import StoreError
from rdp_remediate.models.bundle import Bundle, Policy, Target
from rdp_remediate.models.plan import JournalEntry, Outcome
from rdp_remediate.store.ledger import Ledger
from tests.store.builders import START, VM, hours, make_entry, make_rule_step
from tests.store.memory import CrashError, FakeClock, MemoryRecords


@pytest.fixture
def records() -> MemoryRecords:
    return MemoryRecords()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(records: MemoryRecords, clock: FakeClock) -> Ledger:
    return Ledger(records, clock)


async def expired(ledger: Ledger, clock: FakeClock) -> list[JournalEntry]:
    return [entry async for entry in ledger.expired(clock.now())]


class TestJournal:
    async def test_rows_are_numbered_and_come_back_in_order(self, ledger: Ledger) -> None:
        appended = [await ledger.append(make_entry()) for _ in range(12)]
        await ledger.append(make_entry(run="run-10"))
        assert [entry.number for entry in appended] == list(range(1, 13))
        assert await ledger.journal("run-1") == appended
        assert await ledger.journal("run-") == []

    async def test_row_is_completed_in_its_place(self, ledger: Ledger) -> None:
        first, second = await ledger.append(make_entry()), await ledger.append(make_entry())
        ended = first.model_copy(update={"outcome": Outcome.APPLIED, "after": 0, "ended_at": START})
        for _ in range(2):
            await ledger.complete(ended)
        assert await ledger.journal("run-1") == [ended, second]

    async def test_nothing_is_completed_without_its_row(self, ledger: Ledger) -> None:
        with pytest.raises(StoreError, match="no journal row"):
            await ledger.complete(make_entry(number=7))

    async def test_row_is_there_before_anything_else_or_the_call_is_not_made(self, records: MemoryRecords) -> None:
        for step in range(1, 12):
            ledger = Ledger(records, FakeClock())
            records.steps, records.crash_at = 0, step
            returned = True
            try:
                await ledger.append(make_entry(make_rule_step(), run=f"run-{step}"))
            except CrashError:
                returned = False
            records.crash_at = None
            rows = await ledger.journal(f"run-{step}")
            assert len(rows) == 1 or not returned


class TestRules:
    async def test_rule_is_counted_once_an_opening(self, ledger: Ledger, clock: FakeClock) -> None:
        entry = await ledger.append(make_entry(make_rule_step("Open-RDP")))
        assert await ledger.openings("Open-RDP") == 0, "intended is not opened"
        for _ in range(2):
            await ledger.opened(entry.model_copy(update={"outcome": Outcome.APPLIED, "ended_at": clock.now()}))
        assert await ledger.openings("open-rdp") == 1
        other = await ledger.append(make_entry(make_rule_step("Open-RDP"), run="run-2"))
        await ledger.opened(other)
        assert await ledger.openings("Open-RDP") == 2
        assert await ledger.openings("Open") == 0
        clock.pass_by(timedelta(days=7, seconds=1).total_seconds())
        assert await ledger.openings("Open-RDP") == 0

    async def test_rule_whose_write_was_never_answered_still_expires(self, ledger: Ledger, clock: FakeClock) -> None:
        entry = await ledger.append(make_entry(make_rule_step()))
        assert await expired(ledger, clock) == []
        clock.pass_by(hours(8).total_seconds())
        assert await expired(ledger, clock) == [entry.model_copy(update={"expires_at": START + hours(8)})]

    @pytest.mark.parametrize(
        ("description", "row_expiry", "expected"),
        [
            ("rdp-remediate run until 2026-11-03T13:30Z", None, "2026-11-03T13:30:00+00:00"),
            ("made 2026-11-03T12:00:00Z ends 2026-11-03T14:00:00Z", None, "2026-11-03T14:00:00+00:00"),
            ("rdp-remediate until 2026-11-03T13:30Z", START + hours(1), "2026-11-03T13:00:00+00:00"),
        ],
    )
    async def test_expiry_is_the_stated_one(
        self, description: str, row_expiry: datetime | None, expected: str, ledger: Ledger, clock: FakeClock
    ) -> None:
        step = make_rule_step(description=description)
        await ledger.append(make_entry(step, expires_at=row_expiry))
        clock.time = datetime.fromisoformat(expected) - timedelta(seconds=1)
        assert await expired(ledger, clock) == []
        clock.pass_by(1)
        assert len(await expired(ledger, clock)) == 1

    async def test_removed_and_undone_rules_are_not_listed_again(self, ledger: Ledger, clock: FakeClock) -> None:
        first = await ledger.append(make_entry(make_rule_step("a")))
        await ledger.append(make_entry(make_rule_step("b")))
        await ledger.complete(first.model_copy(update={"outcome": Outcome.UNDONE}))
        clock.pass_by(hours(9).total_seconds())
        (entry,) = await expired(ledger, clock)
        assert entry.step.target["name"] == "b"
        await ledger.forget_opening(entry)
        assert await expired(ledger, clock) == []
        await ledger.forget_opening(make_entry(make_rule_step("unknown")))

    async def test_old_rows_are_cleared_away(self, ledger: Ledger, records: MemoryRecords, clock: FakeClock) -> None:
        entry = await ledger.append(make_entry(make_rule_step()))
        await ledger.complete(entry.model_copy(update={"outcome": Outcome.UNDONE}))
        clock.pass_by(timedelta(days=31).total_seconds())
        await expired(ledger, clock)
        assert [record async for record in records.scan("rules")] == []
        assert len(await ledger.journal("run-1")) == 1, "the journal is never cleared"

    async def test_steps_that_open_nothing_are_no_rules(self, ledger: Ledger, clock: FakeClock) -> None:
        entry = await ledger.append(make_entry())
        await ledger.opened(entry)
        await ledger.append(make_entry(make_rule_step(), outcome=Outcome.NOT_STARTED))
        clock.pass_by(hours(9).total_seconds())
        assert await expired(ledger, clock) == []


class TestBlobs:
    async def test_bundle_of_a_repeated_pass_replaces_its_own(self, ledger: Ledger) -> None:
        def bundle(text: str) -> Bundle:
            resources = {VM.lower(): {"text": text, "null": None}}
            return Bundle(target=Target(vm_id=VM), policy=Policy(), collected_at=START, resources=resources)

        first = await ledger.put_bundle("run-1", 1, bundle("a"))
        assert await ledger.put_bundle("run-1", 1, bundle("b")) == first
        assert await ledger.put_bundle("run-1", 2, bundle("c")) != first
        assert await ledger.get_bundle(first) == bundle("b")

    async def test_answer_comes_back(self, ledger: Ledger) -> None:
        reference = await ledger.put_answer("run-1", 1, {"schema": "rdp-remediate/guest/1", "n": None})
        assert await ledger.get_answer(reference) == {"schema": "rdp-remediate/guest/1", "n": None}

    async def test_what_is_gone_or_damaged_is_a_clear_error(self, ledger: Ledger, records: MemoryRecords) -> None:
        with pytest.raises(StoreError, match="not in the store any more"):
            await ledger.get_bundle("bundles/x/1.json")
        for body in (b"{", b"[]", b"\xff"):
            await records.put_blob("damaged", body)
            with pytest.raises(StoreError):
                await ledger.get_bundle("damaged")
            with pytest.raises(StoreError):
                await ledger.get_answer("damaged")

    async def test_operation_is_rewritten_and_forgotten(self, ledger: Ledger) -> None:
        assert await ledger.get_operation("o") is None
        await ledger.put_operation("o", {"url": "1"})
        await ledger.put_operation("o", {"url": "2"})
        assert await ledger.get_operation("o") == {"url": "2"}
        for _ in range(2):
            await ledger.delete_operation("o")
        assert await ledger.get_operation("o") is None
