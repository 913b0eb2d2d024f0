"""The evidence bundle, schema rdp-remediate/bundle/1: everything that judgement may see, and nothing that it concludes.

A saved bundle replays offline and gives the same findings and plan. Raw ARM JSON stays as ARM returned it, keyed by
lower-case ARM id; only `rdp_remediate.facts` reads inside. What is neither present nor listed in `unavailable` was not
collected.
"""

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from rdp_remediate.models.base import Document, JsonObject, UtcTime


class Mode(StrEnum):
    """What a run may do; the lowest of setting, tags and request holds."""

    OFF = "off"
    OBSERVE = "observe"
    APPROVE = "approve"
    AUTO = "auto"


MODE_ORDER = (Mode.OFF, Mode.OBSERVE, Mode.APPROVE, Mode.AUTO)

Entry = Literal["public", "lb", "dnat", "bastion", "vpn", "vnet"]


class Target(Document):
    """The VM and the connection that was tried; all but `vm_id` are claims of whoever asked."""

    vm_id: str
    client_address: str | None = None
    user: str | None = None
    dialled_address: str | None = None
    dialled_port: int | None = Field(default=None, ge=1, le=65535)
    entry: Entry | None = None
    principal_id: str | None = None


class Policy(Document):
    """The rules of the run, resolved for this VM; on replay the bundle's own policy holds."""

    sources: list[str] = Field(default=[], description="configured sources of this VM: CIDRs that may reach RDP")
    mode: Mode = Mode.OBSERVE
    tags: dict[str, str] = Field(default={}, description="rdp-remediate tags that were honoured, lower-case names")
    tags_readable: bool = True
    auto_risks: list[str] = []
    unknown_author: Literal["act", "ask"] = "act"
    guest_reads: Literal["never", "asked"] = "asked"
    isolation_tags: list[str] = []
    isolation_nsgs: list[str] = []
    rule_ttl_s: int = 8 * 3600
    blast_radius_limit: int = 20
    own_principal_ids: list[str] = []
    vantage_address: str | None = Field(default=None, description="the address that our own probes come from, if known")
    boot_screen: str | None = Field(default=None, description="what a person who looked at the boot picture says")


class ProbeRecord(Document):
    """One probe: where from, where to, and the prober's result as JSON (rdp-probe.md 1.3)."""

    vantage: Literal["app", "cli", "guest", "neighbour", "client"]
    source_address: str | None = None
    address: str
    port: int
    at: UtcTime
    result: JsonObject


class UnavailableFact(Document):
    """A read that gave no value. `fact` is resource, an operation's key, guest[.section] or probes.<vantage>."""

    fact: str
    resource_id: str | None = None
    reason: str
    detail: str


class Bundle(Document):
    """Everything that was seen of one VM at one time."""

    schema_: Literal["rdp-remediate/bundle/1"] = Field(alias="schema", default="rdp-remediate/bundle/1")
    run_id: str | None = None
    requested_by: str | None = None
    mode_because: str | None = None
    target: Target
    policy: Policy = Policy()
    collected_at: UtcTime
    reported_at: UtcTime | None = Field(default=None, description="when somebody, or an alert, said that RDP fails")
    resources: dict[str, JsonObject] = {}
    operations: dict[str, dict[str, Any]] = {}
    guest: JsonObject | None = None
    guest_slice2: JsonObject | None = Field(
        default=None,
        description="a second answer with what did not fit into the first; never joined with it in one check",
    )
    client_check: JsonObject | None = None
    probes: list[ProbeRecord] = []
    logs: dict[str, list[JsonObject]] = {}
    changes: list[JsonObject] = Field(default=[], description="activity-log events as the REST API gives them")
    unavailable: list[UnavailableFact] = []
