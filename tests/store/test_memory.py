"""The records of the ledger's tests keep the contract themselves, or those tests would prove nothing."""

import pytest

from tests.store.contract import RecordsContract
from tests.store.memory import MemoryRecords


class TestMemory(RecordsContract):
    @pytest.fixture
    async def records(self) -> MemoryRecords:
        return MemoryRecords()
