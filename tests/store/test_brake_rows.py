"""Brakes stop in doubt, and count right when many write at once."""

import asyncio

import pytest

from rdp_remediate.errors import StoreError
from rdp_remediate.ports import Record
from rdp_remediate.store.ledger import Ledger
from tests.store.builders import VM, hours
from tests.store.memory import FakeClock, MemoryRecords


@pytest.fixture
def records() -> MemoryRecords:
    return MemoryRecords()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(records: MemoryRecords, clock: FakeClock) -> Ledger:
    return Ledger(records, clock, writes_per_hour=3)


class TestKillSwitch:
    async def test_thrown_and_released_by_row(self, ledger: Ledger) -> None:
        assert not await ledger.killed()
        await ledger.throw_kill_switch(on=True, person="ops")
        assert await ledger.killed()
        await ledger.throw_kill_switch(on=False, person="ops")
        assert not await ledger.killed()

    @pytest.mark.parametrize(
        ("body", "thrown"), [(b"", True), (b"on", True), (b"whatever", True), (b" OFF \n", False), (b"0", False)]
    )
    async def test_thrown_by_a_blob_of_its_name(
        self, body: bytes, thrown: bool, ledger: Ledger, records: MemoryRecords
    ) -> None:
        await records.put_blob("kill-switch", body)
        assert await ledger.killed() is thrown

    async def test_odd_row_counts_as_thrown(self, ledger: Ledger, records: MemoryRecords) -> None:
        await records.insert("switches", "kill-switch", {"on": "no"})
        assert await ledger.killed()

    async def test_unreadable_switch_counts_as_thrown(self, clock: FakeClock) -> None:
        class Unreadable(MemoryRecords):
            async def get(self, table: str, key: str) -> Record | None:
                raise StoreError("the store failed")

        assert await Ledger(Unreadable(), clock).killed()


class TestRest:
    async def test_fix_rests_on_its_vm_until_its_time(self, ledger: Ledger, clock: FakeClock) -> None:
        until = clock.now() + hours(1)
        await ledger.rest(VM, "start_term_service", until)
        assert await ledger.cooldown(VM.upper(), "start_term_service") == until
        assert await ledger.cooldown(VM, "other_fix") is None
        assert await ledger.cooldown(f"{VM}0", "start_term_service") is None
        clock.pass_by(3600)
        assert await ledger.cooldown(VM, "start_term_service") is None

    async def test_shorter_rest_does_not_cut_a_longer_one(self, ledger: Ledger, clock: FakeClock) -> None:
        until = clock.now() + hours(2)
        await ledger.rest(VM, "f", until)
        await ledger.rest(VM, "f", clock.now() + hours(1))
        assert await ledger.cooldown(VM, "f") == until
        await ledger.rest(VM, "f", clock.now() + hours(3))
        assert await ledger.cooldown(VM, "f") == clock.now() + hours(3)


class TestWritesPerHour:
    async def test_each_write_counts_for_an_hour(self, ledger: Ledger, clock: FakeClock) -> None:
        assert await ledger.writes_left() == 3
        await ledger.count_write()
        clock.pass_by(1800)
        for _ in range(3):
            await ledger.count_write()
        assert await ledger.writes_left() == 0
        clock.pass_by(1800)
        assert await ledger.writes_left() == 0, "the three of the last half hour still count"
        clock.pass_by(1800)
        assert await ledger.writes_left() == 3

    @pytest.mark.parametrize("seed", range(10))
    async def test_no_write_of_many_at_once_is_lost(self, seed: int, clock: FakeClock) -> None:
        ledger = Ledger(MemoryRecords(seed), clock, writes_per_hour=20)
        await asyncio.gather(*(ledger.count_write() for _ in range(10)))
        assert await ledger.writes_left() == 10


async def test_last_decisions_of_a_vm(ledger: Ledger) -> None:
    assert await ledger.decisions(VM) is None
    await ledger.remember_decisions(VM, {"public": "DENY"})
    await ledger.remember_decisions(VM.upper(), {"public": "ALLOW"})
    assert await ledger.decisions(VM) == {"public": "ALLOW"}
