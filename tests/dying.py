"""A process that dies after any write to the store, and those that follow it."""

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.run import Run
from rdp_remediate.worker import CLAIM_S
from tests.stage import Stage, play
from tests.store.memory import CrashError, MemoryRecords


class DyingRecords(MemoryRecords):
    """Records whose process dies right after the write of a given number, once."""

    def __init__(self, dies_after: int | None = None) -> None:
        super().__init__()
        self.dies_after = dies_after
        self.writes = 0

    async def replace(self, table: str, key: str, value: JsonObject, etag: str | None) -> str:
        return self._written(await super().replace(table, key, value, etag))

    async def insert(self, table: str, key: str, value: JsonObject) -> str:
        return self._written(await super().insert(table, key, value))

    async def delete(self, table: str, key: str, etag: str | None = None) -> None:
        await super().delete(table, key, etag)
        self._written("")

    async def put_blob(self, name: str, body: bytes) -> None:
        await super().put_blob(name, body)
        self._written("")

    def _written(self, etag: str) -> str:
        self.writes += 1
        if self.writes == self.dies_after:
            raise CrashError(f"after write {self.writes}")
        return etag


async def survive(on: Stage, run_id: str) -> Run:
    """Plays a run; a process that died is followed by another once its claim is over."""
    for _ in range(3):
        try:
            return await play(on, run_id)
        except CrashError:
            on.clock.pass_by(CLAIM_S + 60)
    raise AssertionError("it died more than once")
