"""How a packet for a dialled address and port arrives at an IP configuration: what the filters then see."""

from dataclasses import dataclass, replace
from enum import StrEnum

from rdp_remediate.facts.network_addresses import Ranges
from rdp_remediate.facts.network_model import IpConfiguration, Nic
from rdp_remediate.facts.network_words import Sku
from rdp_remediate.network.decision import Decider, Layer, Verdict


class EntryKind(StrEnum):
    """The kinds of door through which a VM can be dialled; the words of `target.entry`."""

    PUBLIC = "public"
    LB = "lb"
    DNAT = "dnat"
    BASTION = "bastion"
    PRIVATE = "vnet"
    CLASSIC = "classic"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet that gets to a NIC.

    Attributes:
        destination: The address that filters see: the private one, or the frontend's with floating IP.
        port: The VM-side port.
        public: Whether it came in through a public address of the VM or of its load balancer.
        floating: Whether the destination is the frontend's address.
        gated: Whether a health probe decides if new flows are sent (load-balancing rules).
        probe_port: The probe's port; None while `gated` means that it is not known.
        sources: The only addresses that can be seen as source (firewall or Bastion subnet); None: the client's own.
        clients: The clients that a DNAT rule admits; None: every client.
        through: Addresses of the appliance that the packet came through.
    """

    kind: EntryKind
    nic: Nic
    ip_configuration: IpConfiguration
    destination: int | None
    port: int
    entry_id: str
    public: bool = False
    sku: Sku = Sku.STANDARD
    floating: bool = False
    gated: bool = False
    probe_port: int | None = None
    sources: Ranges | None = None
    clients: Ranges | None = None
    through: tuple[int, ...] = ()
    assumptions: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Blocked:
    """A packet that gets to no NIC, or of which that can't be told (verdict INDETERMINATE)."""

    verdict: Verdict
    deciders: tuple[Decider, ...] = ()
    assumptions: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()


NO_PUBLIC_ENTRY = "no-public-entry"
NO_RULE_ON_PORT = "no-rule-on-frontend-port"
UNATTACHED = "nat-rule-unattached"
PROTOCOL = "protocol"


def no_path(word: str, resource_id: str = "", *assumptions: str) -> Blocked:
    """Nothing maps the dialled address and port to the VM."""
    return Blocked(Verdict.NO_PATH, (Decider(Layer.PATH, word, None, resource_id),), assumptions)


def unclear(*gaps: str) -> Blocked:
    """Whether anything maps it can't be told."""
    return Blocked(Verdict.INDETERMINATE, (), (), gaps)


def through_private_address(nic: Nic, one: IpConfiguration, port: int) -> Arrival:
    """A packet to the private address itself."""
    return Arrival(EntryKind.PRIVATE, nic, one, one.private_address, port, one.arm_id)


def from_subnet(arrival: Arrival, sources: Ranges, kind: EntryKind, through: tuple[int, ...] = ()) -> Arrival:
    """The same arrival, seen as coming from an appliance's subnet."""
    return replace(arrival, kind=kind, sources=sources, through=through)
