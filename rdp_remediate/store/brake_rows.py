"""Brakes: the kill switch, rests of a fix on a VM, writes per hour; and the last known path decisions of each VM."""

from datetime import datetime, timedelta

from rdp_remediate.errors import StoreError
from rdp_remediate.models.base import JsonObject
from rdp_remediate.store.rows import Rows, row_key

_SWITCHES = "switches"
_RESTS = "rests"
_WRITES = "writes"
_DECISIONS = "decisions"

KILL_SWITCH = "kill-switch"
"""Row key and blob name: a blob of this name throws the switch from any storage browser."""

_OFF_WORDS = frozenset({b"off", b"false", b"0", b"no"})


class BrakeRows(Rows):
    """The brakes of an installation."""

    _writes_per_hour: int

    async def killed(self) -> bool:
        """Whether the kill switch is thrown; an unreadable switch counts as thrown.

        It is thrown by `throw_kill_switch`, or by a blob `kill-switch` whose text is not off, false, no or 0.
        """
        try:
            record = await self._records.get(_SWITCHES, KILL_SWITCH)
            blob = await self._records.get_blob(KILL_SWITCH)
        except StoreError:
            return True
        by_row = record is not None and record.value.get("on") is not False
        return by_row or (blob is not None and blob.strip().lower() not in _OFF_WORDS)

    async def throw_kill_switch(self, *, on: bool, person: str) -> None:
        """Throws or releases the kill switch; a blob of its name holds it thrown all the same."""
        row = {"on": on, "by": person, "at": self._clock.now().isoformat()}
        await self._records.replace(_SWITCHES, KILL_SWITCH, row, None)

    async def cooldown(self, vm_id: str, fix: str) -> datetime | None:
        """Until when this fix rests on this VM; None: it may run."""
        record = await self._records.get(_RESTS, f"{row_key(vm_id)}:{fix}")
        if record is None:
            return None
        until = datetime.fromisoformat(record.value["until"])
        return until if until > self._clock.now() else None

    async def rest(self, vm_id: str, fix: str, until: datetime) -> None:
        """Lets a fix rest on a VM; a longer rest that is there stays."""

        def write(value: JsonObject | None) -> JsonObject | None:
            if value is not None and datetime.fromisoformat(value["until"]) >= until:
                return None
            return {"until": until.isoformat()}

        await self._change(_RESTS, f"{row_key(vm_id)}:{fix}", write)

    async def writes_left(self) -> int:
        """How many writes this installation may still make: all that were made within the last hour count."""
        record = await self._records.get(_WRITES, "recent")
        made = self._recent(None if record is None else record.value)
        return max(0, self._writes_per_hour - len(made))

    async def count_write(self) -> None:
        """Counts one write."""
        now = self._clock.now().isoformat()
        await self._change(_WRITES, "recent", lambda value: {"at": [*self._recent(value), now]})

    def _recent(self, value: JsonObject | None) -> list[str]:
        since = self._clock.now() - timedelta(hours=1)
        return [at for at in (value or {}).get("at", []) if datetime.fromisoformat(at) > since]

    async def decisions(self, vm_id: str) -> JsonObject | None:
        """The last known path decisions of a VM, for hints to compare with."""
        record = await self._records.get(_DECISIONS, row_key(vm_id))
        return None if record is None else record.value

    async def remember_decisions(self, vm_id: str, decisions: JsonObject) -> None:
        """Keeps the path decisions of a VM."""
        await self._records.replace(_DECISIONS, row_key(vm_id), decisions, None)
