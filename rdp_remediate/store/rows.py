"""What every part of the ledger does with a row: read, change, write if nobody else did, else begin again."""

from collections.abc import Callable

from rdp_remediate.errors import RecordChangedError, RecordExistsError, StoreError
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.incident import vm_key
from rdp_remediate.ports import Clock, Records

ATTEMPTS = 50


def row_key(vm_id: str) -> str:
    """The key of a VM's rows."""
    return vm_key(vm_id).strip("/").replace("/", "|")


class Rows:
    """The records and the clock of the ledger."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock

    async def _change(
        self, table: str, key: str, change: Callable[[JsonObject | None], JsonObject | None]
    ) -> JsonObject | None:
        """Writes what `change` makes of a row, again from the newest row when somebody else wrote between.

        Args:
            table: The table.
            key: The row's key.
            change: Gets the row's value, or None when there is none; returns the new value, or None to leave it.

        Returns:
            What is there afterwards.

        Raises:
            StoreError: The store failed, or others wrote at each attempt.
        """
        for _ in range(ATTEMPTS):
            record = await self._records.get(table, key)
            before = None if record is None else record.value
            after = change(before)
            if after is None or after == before:
                return before
            try:
                if record is None:
                    await self._records.insert(table, key, after)
                else:
                    await self._records.replace(table, key, after, record.etag)
            except (RecordExistsError, RecordChangedError):
                continue
            return after
        raise StoreError(f"{table}/{key} was written by others at each of {ATTEMPTS} attempts.")
