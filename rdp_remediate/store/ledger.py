"""The ledger: what runs, journal, brakes and parked operations mean, written once over any `Records`."""

from datetime import datetime, timedelta
from enum import StrEnum

from rdp_remediate import ports
from rdp_remediate.models.run import Phase, Run, RunMessage
from rdp_remediate.ports import Clock, Records
from rdp_remediate.store.brake_rows import BrakeRows
from rdp_remediate.store.journal_rows import JournalRows
from rdp_remediate.store.run_rows import RunRows, is_claimed


class Ledger(RunRows, JournalRows, BrakeRows, ports.Ledger):
    """`ports.Ledger` over `Records`; safe over several processes, each step of it idempotent."""

    def __init__(
        self,
        records: Records,
        clock: Clock,
        *,
        writes_per_hour: int = 20,
        rule_ttl: timedelta = timedelta(hours=8),
    ) -> None:
        """Keeps everything in the given records.

        Args:
            records: Where rows and blobs are; the ledger does not close them.
            clock: The time.
            writes_per_hour: What `writes_left` counts down from.
            rule_ttl: When a rule expires whose journal row and description name no time.
        """
        super().__init__(records, clock)
        self._writes_per_hour = writes_per_hour
        self._rule_ttl = rule_ttl


class MessageAction(StrEnum):
    """What a queue message asks of the worker."""

    ADVANCE = "advance"
    RESEND = "resend"
    LEAVE = "leave"
    DROP = "drop"


def message_action(message: RunMessage, run: Run | None, now: datetime) -> MessageAction:
    """What to do with a message, given the run's row as it stands.

    ADVANCE: claim the run and advance it. RESEND: the message is old, its run waits for one with the row's seq.
    LEAVE: somebody is at work on the run; its process, or the timer after it, sends the next message. DROP: the run is
    done or unknown.
    """
    if run is None or run.phase is Phase.DONE:
        return MessageAction.DROP
    if is_claimed(run, now):
        return MessageAction.LEAVE
    return MessageAction.ADVANCE if message.seq == run.seq else MessageAction.RESEND
