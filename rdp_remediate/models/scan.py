"""The result of a scan, schema rdp-remediate/scan/1: an overview of the network path of many VMs, never a proof."""

from typing import Literal

from pydantic import Field

from rdp_remediate.models.base import Document, UtcTime
from rdp_remediate.models.bundle import UnavailableFact
from rdp_remediate.models.report import PathDecider


class ScanEntry(Document):
    """A door of a VM: what a client dials."""

    kind: str
    address: str | None
    port: int


class Unreachable(Document):
    """A VM that configured sources can't get to.

    Attributes:
        sources: The configured sources of which no address, or not every address, gets in.
        addresses: How many addresses of them don't get in.
        whole: Whether not one address of these sources gets in.
        entry: The door that was looked at first; None when the VM has none for these sources.
        verdict: DENY, NO_PATH, ASYMMETRIC, BLACKHOLE or LB_PROBE_BLOCKED.
    """

    vm_id: str
    sources: list[str]
    addresses: int
    whole: bool
    verdict: str
    deciders: list[PathDecider]
    entry: ScanEntry | None = None


class Exposed(Document):
    """A door of a VM that admits Internet addresses outside the configured sources.

    Attributes:
        sources: The admitted CIDRs, at most 64 of them; `addresses` counts all.
    """

    vm_id: str
    entry: ScanEntry
    sources: list[str]
    addresses: int
    deciders: list[PathDecider]


class Undetermined(Document):
    """A VM about which a question could not be answered, and why."""

    vm_id: str
    question: Literal["reachable", "exposed"]
    reasons: list[str]


class ScanCounts(Document):
    """How many VMs were seen and what was said about them.

    Attributes:
        not_windows: VMs whose disk says Linux; they are counted and not judged.
        through_bastion: Without a public door; an Azure Bastion host gets to them.
        without_sources: VMs for which no sources are configured, so that only the exposure was judged.
    """

    virtual_machines: int = 0
    not_windows: int = 0
    reachable: int = 0
    through_bastion: int = 0
    unreachable: int = 0
    open_to_internet: int = 0
    undetermined: int = 0
    without_sources: int = 0


class Scan(Document):
    """What a scan saw.

    Attributes:
        unreachable: VMs that configured sources can't get to.
        open_to_internet: Doors that admit more than a 256th of the whole Internet.
        other_sources: Doors that admit some other Internet addresses outside the configured sources; no finding.
        undetermined: What could not be told about a VM that was seen.
        unavailable: What could not be read: unseen is not absent.
        limits: What a scan never sees, as sentences.
        requests: Requests by kind of resource.
    """

    schema_: Literal["rdp-remediate/scan/1"] = Field(alias="schema", default="rdp-remediate/scan/1")
    read_at: UtcTime
    subscriptions: list[str]
    port: int
    counts: ScanCounts
    unreachable: list[Unreachable] = []
    open_to_internet: list[Exposed] = []
    other_sources: list[Exposed] = []
    undetermined: list[Undetermined] = []
    unavailable: list[UnavailableFact] = []
    limits: list[str] = []
    requests: dict[str, int] = {}
    timings_s: dict[str, float] = {}

    @property
    def has_findings(self) -> bool:
        """Whether some VM is unreachable or open to the Internet."""
        return bool(self.unreachable or self.open_to_internet)

    @property
    def complete(self) -> bool:
        """Whether everything could be read and told."""
        return not (self.unavailable or self.undetermined)
