"""Every Protocol between the pipeline and the outside world, and the values that cross them.

The pipeline knows these; `wiring` alone knows who implements them.
"""

from rdp_remediate.ports.azure import ArmReads, ArmWrites, Inventory, LogQueries, Operation
from rdp_remediate.ports.guest import GuestChannel, GuestRequest, NeighbourChannel, NeighbourRequest, Prober
from rdp_remediate.ports.outcomes import Completed, OutcomeUnknown, Rejected, Started, WriteOutcome
from rdp_remediate.ports.services import Clock, Progress, Services, Sink
from rdp_remediate.ports.store import Ledger, Record, Records, RunCommandNotes

__all__ = [
    "ArmReads",
    "ArmWrites",
    "Clock",
    "Completed",
    "GuestChannel",
    "GuestRequest",
    "Inventory",
    "Ledger",
    "LogQueries",
    "NeighbourChannel",
    "NeighbourRequest",
    "Operation",
    "OutcomeUnknown",
    "Prober",
    "Progress",
    "Record",
    "Records",
    "Rejected",
    "RunCommandNotes",
    "Services",
    "Sink",
    "Started",
    "WriteOutcome",
]
