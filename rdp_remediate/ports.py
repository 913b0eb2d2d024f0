"""Every Protocol between the pipeline and the outside world, and the values that cross them.

The pipeline knows these; `wiring` alone knows who implements them.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Protocol

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.fact import Fact, Reason, Unavailable
from rdp_remediate.models.inventory import InventoryKind, InventoryPage
from rdp_remediate.models.plan import JournalEntry
from rdp_remediate.models.report import Delivery
from rdp_remediate.models.run import Run
from rdp_remediate.settings import Settings


class Operation(StrEnum):
    """Reads that are no plain resource; the words are the keys of a bundle's `operations`."""

    EFFECTIVE_SECURITY_RULES = "effective_security_rules"  # by NIC id; an acting-free POST
    EFFECTIVE_ROUTES = "effective_routes"  # by NIC id
    EFFECTIVE_ADMIN_RULES = "effective_admin_rules"  # by VNet id, all pages joined in {"value": […]}
    SERVICE_TAGS = "service_tags"  # by /subscriptions/{s}/providers/Microsoft.Network/locations/{location}
    APPLICATION_SECURITY_GROUP_MEMBERS = "application_security_group_members"  # by ASG id: NICs of its resource group
    RESOURCE_HEALTH = "resource_health"  # by VM id: availabilityStatuses/current
    RESOURCE_ANNOTATIONS = "resource_annotations"  # by VM id: Resource Graph healthresources annotations
    JIT_POLICIES = "jit_policies"  # by subscription id path: {"value": […]}
    LOCKS = "locks"  # by resource id: locks that apply to it, {"value": […]}
    TAGS = "tags"  # by scope (subscription or resource group): {"tag": "value"}
    BASTION_HOSTS = "bastion_hosts"  # by subscription id path: {"value": […]}
    BOOT_LOG = "boot_log"  # by VM id: {"text": "…"} the tail of the serial log; no URL is kept
    RESOURCE_CHANGES = "resource_changes"  # by resource group id: Resource Graph resourcechanges of 7 days
    ACTIVITY = "activity"  # by resource id: activity-log events of the last 7 days, {"value": […]}
    ADDRESS_OWNERS = (
        "address_owners"  # by subscription id path plus arguments addresses, group: {"value": [{id, type, …}]}
    )
    FIND_VM = "find_vm"  # by subscription id path plus argument name: {"value": [vm, …]}
    SUBSCRIPTION = "subscription"  # by subscription id path
    PERMISSIONS = "permissions"  # by resource id
    PRIVATE_DNS_LINKS = "private_dns_links"  # by VNet id: links of private DNS zones, {"value": [{id, properties}]}
    GATEWAY_CONNECTIONS = "gateway_connections"  # by virtual network gateway id: {"value": [connection, …]}
    IP_FLOW = "ip_flow"  # by NIC id plus arguments vm, location, local, remote, port: {"asked": {…}, "answer": {…}}
    NEXT_HOP = "next_hop"  # by NIC id plus arguments vm, location, local, remote: {"asked": {…}, "answer": {…}}
    ROLE_ASSIGNMENTS = "role_assignments"  # by scope plus argument principal: {"value": […], "definitions": {id: …}}


@dataclass(frozen=True, slots=True)
class Completed:
    """A write that ended well; `value` is the resource or the operation's output."""

    value: Any


@dataclass(frozen=True, slots=True)
class Rejected:
    """A write that Azure refused: nothing was changed.

    Attributes:
        reason: The kind of refusal.
        status: HTTP status.
        code: Azure's error code without blanks around it.
        detail: One sentence without secrets.
        retry_after_s: Azure's wait, clamped, where it named one.
    """

    reason: Reason
    status: int
    code: str
    detail: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """The answer of a write was lost; nobody knows whether it happened. Never repeat it: read and compare."""

    detail: str


@dataclass(frozen=True, slots=True)
class Started:
    """A long-running operation; `operation` is opaque JSON to poll with, secret (poll URLs are signed)."""

    operation: JsonObject
    retry_after_s: float = 5.0


WriteOutcome = Completed | Rejected | OutcomeUnknown | Started


class ArmReads(Protocol):
    """Reads of Azure Resource Manager. Never raises for Azure's answers: every failure is `Unavailable`."""

    async def resource(self, resource_id: str) -> Fact[JsonObject]:
        """One resource as ARM returns it (a VM with its instance view)."""
        ...

    async def operation(self, operation: Operation, resource_id: str, **arguments: str) -> Fact[JsonObject]:
        """One of the reads that are no plain resource."""
        ...

    async def boot_picture(self, vm_id: str) -> Fact[bytes]:
        """The picture of the VM's console: a BMP, PNG or JPEG file, or the reason why there is none."""
        ...


class Inventory(Protocol):
    """Bulk reads that lag minutes behind: for overviews only, never for a decision to write or a verification."""

    def pages(self, kind: InventoryKind, subscriptions: Sequence[str]) -> AsyncIterator[Fact[InventoryPage]]:
        """Every page of one kind. Never raises for Azure's answers: a failed page is `Unavailable` and the last one."""
        ...


class ArmWrites(Protocol):
    """Acting calls. A call whose answer was lost ends as `OutcomeUnknown` and is never sent again."""

    async def put_security_rule(self, nsg_id: str, name: str, body: JsonObject, *, etag: str | None) -> WriteOutcome:
        """Creates (etag None) or replaces one child rule of an NSG and waits for its end."""
        ...

    async def delete_security_rule(self, nsg_id: str, name: str, *, etag: str | None) -> WriteOutcome:
        """Deletes one child rule of an NSG and waits for its end."""
        ...

    async def put_route(self, route_table_id: str, name: str, body: JsonObject, *, etag: str | None) -> WriteOutcome:
        """Creates (etag None) or replaces one route of a route table and waits for its end."""
        ...

    async def delete_route(self, route_table_id: str, name: str, *, etag: str | None) -> WriteOutcome:
        """Deletes one route of a route table and waits for its end."""
        ...

    async def start_virtual_machine(self, vm_id: str) -> WriteOutcome:
        """Starts a VM; the operation is returned as `Started`."""
        ...

    async def restart_virtual_machine(self, vm_id: str) -> WriteOutcome:
        """Restarts a VM; the operation is returned as `Started`."""
        ...

    async def redeploy_virtual_machine(self, vm_id: str) -> WriteOutcome:
        """Moves a VM to another host; the operation is returned as `Started`."""
        ...

    async def reapply_virtual_machine(self, vm_id: str) -> WriteOutcome:
        """Applies the state of a VM again; the operation is returned as `Started`."""
        ...

    async def deallocate_virtual_machine(self, vm_id: str) -> WriteOutcome:
        """Stops a VM and takes it off its host; the operation is returned as `Started`."""
        ...

    async def run_command(self, vm_id: str, body: JsonObject) -> WriteOutcome:
        """Sends one action Run Command; the operation is returned as `Started`."""
        ...

    async def put_run_command(self, vm_id: str, name: str, body: JsonObject) -> WriteOutcome:
        """Creates one managed Run Command that is not there yet; `Started`, and its end is the resource with its view."""
        ...

    async def delete_run_command(self, vm_id: str, name: str) -> WriteOutcome:
        """Deletes one managed Run Command; `Completed` only when there is none any more."""
        ...

    async def put_extension(self, vm_id: str, name: str, body: JsonObject) -> WriteOutcome:
        """Creates or replaces one extension of a VM; the operation is returned as `Started`."""
        ...

    async def delete_extension(self, vm_id: str, name: str) -> WriteOutcome:
        """Deletes one extension of a VM; the operation is returned as `Started`."""
        ...

    async def initiate_jit(self, policy_id: str, body: JsonObject) -> WriteOutcome:
        """Asks Defender for just-in-time access."""
        ...

    async def poll(self, operation: JsonObject) -> WriteOutcome:
        """Asks once how an operation stands: `Started` with the newest poll state, or its end."""
        ...


@dataclass(frozen=True, slots=True)
class GuestRequest:
    """What one Run Command asks the guest; see guest/protocol.py for its wire form.

    Attributes:
        attempt: Sets this request apart from the others of its run: pass, purpose and replans.
        location: The VM's region, which a managed Run Command has to name.
        managed_because: Why the action Run Command is not asked any more in this run, or None.
    """

    run_id: str
    script: Literal["collect", "repair"]
    attempt: str = ""
    location: str | None = None
    managed_because: str | None = None
    slice: int = 1
    user: str | None = None
    self_address: str | None = None
    deadline_s: int = 60
    allow_domain_controller: bool = False
    steps: Sequence[JsonObject] = ()


class GuestChannel(Protocol):
    """The way into Windows."""

    def preflight(self, vm: JsonObject) -> Unavailable | None:
        """Why Run Command cannot be used now, judged from the VM with its instance view; None: it can."""
        ...

    async def start(self, vm_id: str, request: GuestRequest) -> WriteOutcome:
        """Sends the script; ends as `Started`, `Rejected` (busy, not running …) or `OutcomeUnknown`."""
        ...

    async def poll(self, operation: JsonObject) -> Started | Fact[JsonObject]:
        """How the script stands: still running, its decoded answer, or why there is none."""
        ...


@dataclass(frozen=True, slots=True)
class NeighbourRequest:
    """What a neighbour VM is asked to try: an address and port that ARM shows on the target, nothing else."""

    run_id: str
    windows: bool
    address: str
    port: int


class NeighbourChannel(Protocol):
    """The way into a VM beside the target; it only probes."""

    def preflight(self, vm: JsonObject) -> Unavailable | None:
        """Why Run Command cannot be used on this VM now; None: it can."""
        ...

    async def start(self, vm_id: str, request: NeighbourRequest) -> WriteOutcome:
        """Sends the probe; ends as `Started`, `Rejected` or `OutcomeUnknown`."""
        ...

    async def poll(self, operation: JsonObject) -> Started | Fact[JsonObject]:
        """How the probe stands: still running, its result as a probe record holds it, or why there is none."""
        ...


class Prober(Protocol):
    """The RDP wire probe."""

    async def probe(self, address: str, port: int, *, computer_name: str | None = None) -> JsonObject:
        """One confirmed probe; the result as JSON (rdp-probe.md 1.3). Never raises for what the network does."""
        ...


class LogQueries(Protocol):
    """Log Analytics, by the name of a .kql file."""

    async def run(self, name: str, parameters: Mapping[str, str]) -> Fact[list[JsonObject]]:
        """The rows of one query."""
        ...


@dataclass(frozen=True, slots=True)
class Record:
    """One stored document and the version that a conditional write must name."""

    key: str
    value: JsonObject
    etag: str


class Records(Protocol):
    """Rows by table and key with conditional writes, and blobs. Raises StoreError and its children only."""

    async def get(self, table: str, key: str) -> Record | None:
        """The row, or None when there is none."""
        ...

    async def insert(self, table: str, key: str, value: JsonObject) -> str:
        """Writes a new row and returns its etag; RecordExistsError when the key is taken."""
        ...

    async def replace(self, table: str, key: str, value: JsonObject, etag: str | None) -> str:
        """Replaces a row; RecordChangedError when its etag is another (None: whatever is there, or nothing)."""
        ...

    async def delete(self, table: str, key: str, etag: str | None = None) -> None:
        """Deletes a row if it is there; RecordChangedError when its etag is another."""
        ...

    def scan(self, table: str, prefix: str = "") -> AsyncIterator[Record]:
        """Rows in key order whose key starts with `prefix`."""
        ...

    async def put_blob(self, name: str, body: bytes) -> None:
        """Stores a blob; the same name is replaced."""
        ...

    async def get_blob(self, name: str) -> bytes | None:
        """A blob, or None when there is none."""
        ...

    async def close(self) -> None:
        """Releases what is open."""
        ...


class RunCommandNotes(Protocol):
    """Managed Run Commands of ours by name, so that one that a lost process left behind is deleted later."""

    async def note_run_command(self, vm_id: str, name: str, until: datetime) -> None:
        """Remembers a managed Run Command before it is created, and from when on it may be deleted."""
        ...

    async def forget_run_command(self, vm_id: str, name: str) -> None:
        """Forgets one that is gone."""
        ...

    def left_run_commands(self, now: datetime) -> AsyncIterator[tuple[str, str]]:
        """VM id and name of those whose time is over."""
        ...


class Ledger(RunCommandNotes, Protocol):
    """What runs, journal, brakes and parked operations mean, written once over `Records`. Raises StoreError and its children."""

    async def load(self, run_id: str) -> Run | None:
        """The run, or None."""
        ...

    async def create(self, run: Run) -> Run:
        """Stores a new run, or returns the one that is there under its id; an open run of the VM is joined and returned."""
        ...

    async def claim(self, run_id: str, until: datetime) -> Run | None:
        """Takes a run for this process until a time; None while somebody else's claim lives or the run is done."""
        ...

    async def save(self, run: Run) -> Run:
        """Writes a claimed run with seq+1 and frees the claim; RecordChangedError when another process wrote it since."""
        ...

    async def approve(self, run_id: str, step_id: str, person: str) -> Run:
        """Records a person's yes to a step that waits for it and makes the run due; UsageError when it does not wait."""
        ...

    async def lock_vm(self, vm_id: str, run_id: str) -> bool:
        """Takes the VM's lock for a run; True also when the run holds it already."""
        ...

    async def unlock_vm(self, vm_id: str, run_id: str) -> None:
        """Releases the VM's lock if this run holds it."""
        ...

    async def put_bundle(self, run_id: str, pass_number: int, bundle: Bundle) -> str:
        """Keeps a bundle and returns its reference."""
        ...

    async def get_bundle(self, reference: str) -> Bundle:
        """A kept bundle; StoreError when it is gone."""
        ...

    async def put_answer(self, run_id: str, pass_number: int, answer: JsonObject) -> str:
        """Keeps a guest answer and returns its reference."""
        ...

    async def get_answer(self, reference: str) -> JsonObject:
        """A kept guest answer; StoreError when it is gone."""
        ...

    async def put_picture(self, run_id: str, picture: bytes) -> str:
        """Keeps the boot picture that a run saw last and returns its reference."""
        ...

    async def picture(self, run_id: str) -> bytes | None:
        """The boot picture that a run saw last, or None when it saw none."""
        ...

    async def put_operation(self, operation_id: str, state: JsonObject) -> None:
        """Writes the poll state of a parked operation; the only place that holds its URL."""
        ...

    async def get_operation(self, operation_id: str) -> JsonObject | None:
        """The poll state of a parked operation."""
        ...

    async def delete_operation(self, operation_id: str) -> None:
        """Forgets an operation that has ended."""
        ...

    async def append(self, entry: JournalEntry) -> JournalEntry:
        """Adds a row to the run's journal, numbered from 1, before the call that it describes."""
        ...

    async def complete(self, entry: JournalEntry) -> None:
        """Rewrites a row of the journal with its outcome."""
        ...

    async def journal(self, run_id: str) -> list[JournalEntry]:
        """The rows of a run in order."""
        ...

    async def killed(self) -> bool:
        """Whether the kill switch is thrown; an unreadable switch counts as thrown."""
        ...

    async def cooldown(self, vm_id: str, fix: str) -> datetime | None:
        """Until when this fix rests on this VM; None: it may run."""
        ...

    async def rest(self, vm_id: str, fix: str, until: datetime) -> None:
        """Lets a fix rest on a VM."""
        ...

    async def writes_left(self) -> int:
        """How many writes this installation may still make in the current hour."""
        ...

    async def count_write(self) -> None:
        """Counts one write."""
        ...

    async def openings(self, rule_name: str) -> int:
        """How often a rule was opened in the last seven days."""
        ...

    async def opened(self, entry: JournalEntry) -> None:
        """Remembers an NSG rule of ours with its expiry, for the reaper and for `openings`."""
        ...

    async def forget_opening(self, entry: JournalEntry) -> None:
        """Takes a rule off the reaper's list; `openings` still counts it."""
        ...

    def expired(self, now: datetime) -> AsyncIterator[JournalEntry]:
        """The rules of ours whose time is over."""
        ...

    async def decisions(self, vm_id: str) -> JsonObject | None:
        """The last known path decisions of a VM, for hints to compare with."""
        ...

    async def remember_decisions(self, vm_id: str, decisions: JsonObject) -> None:
        """Keeps the path decisions of a VM."""
        ...

    def due(self, now: datetime) -> AsyncIterator[Run]:
        """Runs that are not done, past their due time and not claimed."""
        ...

    def runs(self) -> AsyncIterator[Run]:
        """Every run that is kept, newest first."""
        ...


class Sink(Protocol):
    """One place that gets the summary."""

    @property
    def name(self) -> str:
        """Stands in reports."""
        ...

    @property
    def renderer(self) -> Literal["card", "json", "event"]:
        """The form that it takes."""
        ...

    async def deliver(self, body: bytes) -> Delivery:
        """Sends one rendered summary and says what became of it; never raises for the network or the server."""
        ...


class Clock(Protocol):
    """Time as a service, so that tests own it."""

    def now(self) -> datetime:
        """The time, aware UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """One line of live progress: `stage` is a phase or hop, `text` a short sentence."""

    stage: str
    text: str
    done: bool = False


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a run needs of the outside world; built by `wiring` only."""

    settings: Settings
    reads: ArmReads
    writes: ArmWrites
    guest: GuestChannel
    prober: Prober
    logs: LogQueries
    ledger: Ledger
    clock: Clock
    neighbours: NeighbourChannel | None = None
    sinks: Sequence[Sink] = ()
    progress: Callable[[Progress], None] = field(default=lambda _: None)
    vantage: Literal["app", "cli"] = "app"
    subscriptions: Sequence[str] = ()
    """Ids of the subscriptions in which a machine that is only named is looked for."""
    observe_because: str | None = None
    """Why nothing may be changed whatever the mode says, such as a store that cannot be reached."""
