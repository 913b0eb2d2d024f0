"""The report, schema rdp-remediate/report/1: a projection of run, bundles and journal, never stored as truth."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from rdp_remediate.models.base import Document, JsonObject, UtcTime
from rdp_remediate.models.bundle import Mode, Target, UnavailableFact
from rdp_remediate.models.plan import JournalEntry, Plan


class Hop(StrEnum):
    """The hops of the path in order; DESIGN section 1."""

    CLIENT = "client"
    EDGE = "edge"
    ENDPOINT = "endpoint"
    NETWORK = "network"
    PLATFORM = "platform"
    GUEST_NETWORK = "guest-network"
    GUEST_FIREWALL = "guest-firewall"
    GUEST_RDP_SERVICE = "guest-rdp-service"
    GUEST_AUTH = "guest-auth"
    GUEST_OS = "guest-os"


HOPS = tuple(Hop)


class FindingStatus(StrEnum):
    """What a check concluded; `error` is our bug, `unknown` is our sight, `fail` is the VM."""

    PASS = "pass"  # noqa: S105 - the word of the contract, no password
    FAIL = "fail"
    BY_DESIGN = "by_design"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"
    ERROR = "error"


class Effect(StrEnum):
    """What a failed check means for the person who wants in."""

    BLOCKS = "blocks"
    DEGRADES = "degrades"
    RISK = "risk"
    BLINDS = "blinds"


class Confidence(StrEnum):
    """How sure a failed check is."""

    CONFIRMED = "confirmed"
    LIKELY = "likely"
    POSSIBLE = "possible"


class Finding(Document):
    """The outcome of one check."""

    check: str
    hop: Hop
    title: str = Field(description="the healthy statement")
    status: FindingStatus
    fault: str | None = None
    reason: str | None = None
    effect: Effect | None = None
    confidence: Confidence | None = None
    because: str | None = Field(
        default=None, description="the check or the reason that made this one skipped or unknown"
    )
    by_hand: str | None = None
    evidence: JsonObject = {}


class Proof(StrEnum):
    """What shows that RDP answers."""

    END_TO_END = "end_to_end"
    COMPOSED = "composed"
    NONE = "none"


class Verdict(Document):
    """The conclusion of one pass."""

    status: Literal["reachable", "broken", "by_design", "not_proven"]
    hop: Hop | None = None
    headline: str
    causes: list[str] = Field(
        default=[], description="fault ids that block, in path order (a VM that is off comes first)"
    )
    proof: Proof = Proof.NONE
    proof_detail: str | None = None


class PathDecider(Document):
    """A rule or resource that decides the packet."""

    layer: str
    rule: str
    priority: int | None = None
    resource_id: str | None = None


class PathView(Document):
    """The decision of the path engine for one client and one entry."""

    entry: str
    client: str
    dialled: str
    verdict: str
    deciders: list[PathDecider] = []
    trace: list[JsonObject] = []
    candidates: list[PathDecider] = []
    assumptions: list[str] = []
    data_gaps: list[str] = []


class ProbeView(Document):
    """A probe with the path decision for its own source and what it may prove."""

    vantage: str
    source_address: str | None
    address: str
    port: int
    outcome: str
    verdict: str
    path_verdict: str | None
    proves: Literal["end_to_end", "answered", "nothing", "engine_disagrees", "expected_filtered"]
    detail: str
    result: JsonObject = {}
    findings: list[str] = Field(
        default=[], description="what else the probe saw of certificate, name, TLS and clock; never changes the verdict"
    )


class VantageView(Document):
    """One vantage in the table of who reaches what; what it means holds for this outcome alone."""

    vantage: str
    source: str | None
    address: str
    port: int
    path_verdict: str | None
    outcome: Literal["reaches", "does_not", "says_nothing"]
    meaning: str


class Diagnosis(Document):
    """What judgement concluded from one bundle."""

    findings: list[Finding]
    verdict: Verdict
    paths: list[PathView] = []
    probes: list[ProbeView] = []
    vantages: list[VantageView] = []
    contradictions: list[str] = []


class Delivery(Document):
    """What became of one summary."""

    sink: str
    outcome: Literal["delivered", "failed", "skipped"]
    detail: str


class PasteBlock(Document):
    """Commands that a person pastes: a way into Windows, or what to look at and set there. Never a secret."""

    title: str
    prompt: Literal["cmd", "powershell", "azure_cli"] = Field(description="cmd: lines that PowerShell takes as well")
    only_if: str | None = Field(default=None, description="what has to be seen before these lines are typed")
    note: str | None = None
    faults: list[str] = []
    lines: list[str]


class QuickStep(Document):
    """One of the eight steps of Microsoft's quick list for RDP, and what became of it here."""

    step: Literal[
        "reset_rdp_configuration",
        "check_nsg_rules",
        "boot_diagnostics",
        "reset_nic",
        "resource_health",
        "reset_password",
        "restart_vm",
        "redeploy_vm",
    ]
    title: str
    status: Literal["done", "offered", "refused", "not_needed"]
    why: str = Field(description="what decides the status, one or two sentences")
    evidence: list[str] = []
    cost: str | None = Field(default=None, description="what the step costs whoever takes it")
    command: str | None = Field(default=None, description="ready for a person; nothing runs it by itself")


class TimelineEntry(Document):
    """One thing that happened, as a log tells it."""

    at: UtcTime
    kind: Literal["sign_in", "change", "guest_event", "failure", "denied"]
    what: str
    by: str | None = Field(default=None, description="exactly as the log names them; null: the log names nobody")
    resource_id: str | None = None
    link: str | None = Field(default=None, description="the resource in the Azure portal")
    source: str = Field(description="the log that tells it")
    explains: str | None = Field(
        default=None, description="why this explains the cause; null: it does not, as far as was seen"
    )


class Timeline(Document):
    """What changed since RDP last worked, oldest first. A source that could not be read is named, never taken as quiet."""

    headline: str
    last_good: UtcTime | None = None
    failing_since: UtcTime | None = Field(
        default=None, description="the first failure that was seen; it may have begun before"
    )
    entries: list[TimelineEntry] = []
    unread: list[str] = []


class Report(Document):
    """What people and machines read about one run."""

    schema_: Literal["rdp-remediate/report/1"] = Field(alias="schema", default="rdp-remediate/report/1")
    incident_id: str
    run_id: str
    created_at: UtcTime
    target: Target
    vm_name: str
    mode: Mode
    mode_because: str | None = None
    trigger: str = Field(description="what started the run, one sentence")
    verdict_before: Verdict
    verdict: Verdict
    findings: list[Finding]
    findings_before: list[Finding] = []
    path: list[PathView] = []
    plan: Plan
    waiting: list[str] = Field(default=[], description="step ids that wait for a person")
    quick_steps: list[QuickStep] = Field(
        default=[], description="Microsoft's quick list in its order; empty before anything was judged"
    )
    actions: list[JournalEntry] = []
    probes: dict[str, list[ProbeView]] = Field(default={}, description="before and after")
    vantages: list[VantageView] = Field(
        default=[], description="who reaches RDP and who does not, from the last pass; no outcome is a proof by itself"
    )
    changes: list[dict[str, Any]] = Field(default=[], description="the activity log alone; timeline joins every source")
    timeline: Timeline | None = Field(default=None, description="null before anything was collected")
    notes: list[str] = []
    paste: list[PasteBlock] = Field(default=[], description="commands for a person, where no channel or no fix does it")
    rdp_file: str | None = Field(
        default=None, description="a fresh .rdp file where the user's own dials an old address or port; no secret in it"
    )
    timings: dict[str, float] = {}
    unavailable: list[UnavailableFact] = []
    deliveries: list[Delivery] = []
    done: str | None = None
