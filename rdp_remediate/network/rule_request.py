"""What an NSG rule is asked for, and the sources that are never put into one."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from rdp_remediate.facts.network_addresses import Ranges, merge, network_range
from rdp_remediate.network.prefixes import PUBLIC, overlap

_PRIVATE = tuple(ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))
_PRIVATE_V6 = ip_network("fc00::/7")


class Refusal(StrEnum):
    """Why no rule is planned; the words of reports and of the command line (network-semantics §7.1)."""

    ADMIN = "REFUSE_ADMIN"
    ROUTE = "REFUSE_ROUTE"
    NO_PATH = "REFUSE_NO_PATH"
    NO_SOURCE = "REFUSE_NO_SOURCE"
    WIDE = "REFUSE_WIDE"
    USE_JIT = "USE_JIT"
    EXPLICIT_DENY = "REFUSE_EXPLICIT_DENY"
    INDETERMINATE = "REFUSE_INDETERMINATE"
    NEEDS_NSG = "NEEDS_NSG"
    RULE_LIMIT = "REFUSE_RULE_LIMIT"
    NO_SLOT = "NO_SLOT"
    PROBE = "REFUSE_PROBE_BLOCKED"
    NSG_NOT_READY = "REFUSE_NSG_NOT_READY"
    FOREIGN_NSG = "REFUSE_FOREIGN_NSG"
    BLAST_RADIUS = "REFUSE_BLAST_RADIUS"
    CUTS_OTHERS = "REFUSE_CUTS_OTHERS"
    NOT_NARROWABLE = "REFUSE_NOT_NARROWABLE"


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal with one sentence: what stands in the way, and who can move it."""

    code: Refusal
    why: str
    resource_id: str = ""


@dataclass(frozen=True, slots=True)
class RuleRequest:
    """Who is to get to which port of which VM.

    Attributes:
        sources: CIDRs, already limited to the configured sources.
        vm_id: The VM; else the bundle's target.
        dialled_address: The door; else the bundle's, else the first public one, else the private address.
        dialled_port: The port at that door; else the bundle's.
        ip_configuration_id: The IP configuration that is meant, when not the one behind the door.
        guest_port: The port that the guest listens on; None: the VM-side port of the door.
        override_deny: Whether a person approved a rule above a written deny.
        jit: Whether the VM has a just-in-time policy; None: as the evidence shows.
        shortest_ipv4: Public IPv4 prefixes shorter than this are refused; likewise `shortest_ipv6`.
        shortest_private_ipv4: The same for private ranges; 0: as configured.
        most_vms: The largest number of VMs that may share the NSG; None: no limit.
    """

    sources: tuple[str, ...]
    vm_id: str | None = None
    dialled_address: str | None = None
    dialled_port: int | None = None
    ip_configuration_id: str | None = None
    guest_port: int | None = None
    override_deny: bool = False
    run_id: str = ""
    expires_at: datetime | None = None
    jit: bool | None = None
    shortest_ipv4: int = 24
    shortest_ipv6: int = 64
    shortest_private_ipv4: int = 0
    most_vms: int | None = None


Network = IPv4Network | IPv6Network


def _floor(network: Network, request: RuleRequest) -> int:
    if isinstance(network, IPv6Network):
        inside = isinstance(_PRIVATE_V6, IPv6Network) and network.subnet_of(_PRIVATE_V6)
        return 1 if inside else request.shortest_ipv6
    inside = any(isinstance(own, IPv4Network) and network.subnet_of(own) for own in _PRIVATE)
    return max(1, request.shortest_private_ipv4) if inside else request.shortest_ipv4


def allowed_networks(request: RuleRequest) -> dict[int, tuple[Network, ...]] | Refused:
    """The sources by address family, overlaps removed and nothing widened; or why they are refused."""
    if not [text for text in request.sources if text.strip()]:
        return Refused(Refusal.NO_SOURCE, "no source address is configured; name the addresses that may use RDP")
    found: list[Network] = []
    for text in request.sources:
        try:
            network = ip_network(text.strip(), strict=False)
        except ValueError:
            return Refused(Refusal.WIDE, f"source {text[:60]!r} is no address prefix; tags and `*` are never a source")
        if network.prefixlen < _floor(network, request):
            return Refused(
                Refusal.WIDE,
                f"source {text} is wider than /{_floor(network, request)}; name a narrower prefix",
            )
        unusable = network.is_loopback or network.is_multicast or network.is_link_local or network.is_unspecified
        if unusable or network.network_address.is_unspecified:
            return Refused(Refusal.WIDE, f"source {text} holds no address that a client can have")
        found.append(network)
    out: dict[int, tuple[Network, ...]] = {}
    if v4 := [network for network in found if isinstance(network, IPv4Network)]:
        out[4] = tuple(collapse_addresses(v4))
    if v6 := [network for network in found if isinstance(network, IPv6Network)]:
        out[6] = tuple(collapse_addresses(v6))
    return out


def ranges_of(networks: tuple[Network, ...]) -> Ranges:
    """The addresses of the networks."""
    return merge(network_range(network) for network in networks)


def has_public(ranges: Ranges) -> bool:
    """Whether some of the addresses are routed by the Internet."""
    return overlap(ranges, PUBLIC)
