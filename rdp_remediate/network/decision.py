"""What the path engine is asked and what it answers."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What happens to a new TCP connection. INDETERMINATE is never permission."""

    ALLOW = "ALLOW"
    DENY = "DENY"
    NO_PATH = "NO_PATH"
    ASYMMETRIC = "ASYMMETRIC"
    BLACKHOLE = "BLACKHOLE"
    LB_PROBE_BLOCKED = "LB_PROBE_BLOCKED"
    INDETERMINATE = "INDETERMINATE"


class Layer(StrEnum):
    """Who can decide, in the order in which they are asked."""

    PATH = "path"
    ADMIN = "admin"
    PLATFORM = "platform"
    SUBNET = "subnet"
    NIC = "nic"
    LB = "lb"
    ROUTE = "route"
    CLASSIC = "classic"
    ACL = "acl"


class Match(StrEnum):
    """Whether one dimension of a rule covers the flow."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, order=True)
class Decider:
    """What decided: a rule, or one of the words for what is no rule (`no-nsg`, `no-endpoint`, …)."""

    layer: Layer
    rule: str
    priority: int | None = None
    resource_id: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """A new TCP connection as its client sees it.

    Attributes:
        client: The client's address as the Internet or the VNet sees it; None only for entry `bastion`.
        dialled_address: Address or the DNS name of a public IP.
        dialled_port: The port that the client dials; behind a load balancer not the guest's.
        vm_id: The VM that is meant; else the bundle's target, else whoever owns the dialled address.
        ip_configuration: Its IP configuration, when only that one is meant.
        entry: `bastion` for a session that comes from the Bastion host.
    """

    client: str | None
    dialled_address: str
    dialled_port: int = 3389
    vm_id: str | None = None
    ip_configuration: str | None = None
    entry: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on a flow and who gave it.

    Attributes:
        deciders: What decided; every candidate when the verdict is INDETERMINATE or several rules may have decided.
        candidates: The deciders again when there is more than one possible course, else empty.
        admin_unread: Security admin rules could not be read; a DENY stands as likely, nothing is allowed for certain.
        address: The destination that the last filter sees, as text; empty when there is no path.
        port: The VM-side port; 0 when there is no path.
    """

    verdict: Verdict
    deciders: tuple[Decider, ...]
    candidates: tuple[Decider, ...] = ()
    assumptions: tuple[str, ...] = ()
    data_gaps: tuple[str, ...] = ()
    admin_unread: bool = False
    address: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One rule against the flow, with the five matches that Network Watcher's NSG diagnostics show too.

    Attributes:
        decides: Whether the rule decides (or may decide) its own layer, even where an earlier layer drops the packet.
        reached: Whether packets of this flow get as far as its layer.
    """

    layer: Layer
    rule: str
    resource_id: str
    priority: int | None
    access: str
    protocol: Match
    source: Match
    source_port: Match
    destination: Match
    destination_port: Match
    decides: bool
    reached: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with every rule that was asked.

    Attributes:
        steps: What happened to the packet, one sentence each, in order.
        not_reached: Layers that no packet of this flow gets to.
    """

    decision: Decision
    trace: tuple[TraceRow, ...] = ()
    steps: tuple[str, ...] = ()
    not_reached: tuple[Layer, ...] = ()
