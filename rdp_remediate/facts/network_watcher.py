"""Network Watcher's answers about the question's flow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from rdp_remediate.facts.evidence import Evidence, parsed
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.fact import Fact, Reason, Unavailable

T = TypeVar("T")


@dataclass(frozen=True)
class IpFlow:
    """IP flow verify's answer: NSGs and admin rules only, one answer for all of them.

    Attributes:
        local: The VM's private address that was asked about.
        port: The VM-side port that was asked about.
        remote: The client's address.
        allows: Whether Azure lets the packet through.
        rule: Name of the rule that decided; empty where Azure names none.
    """

    local: str
    port: int
    remote: str
    allows: bool
    rule: str


@dataclass(frozen=True)
class ReplyHop:
    """Next hop's answer for a packet from the VM to the client."""

    remote: str
    kind: str
    address: str | None


@dataclass(frozen=True)
class NetworkWatcher:
    """What Network Watcher said, by the lower-case id of the NIC that was asked about."""

    ip_flows: Mapping[str, Fact[IpFlow]]
    reply_hops: Mapping[str, Fact[ReplyHop]]

    def ip_flow(self, nic_id: str) -> Fact[IpFlow]:
        """Whether Azure's rules let the client in."""
        return self.ip_flows.get(nic_id.lower(), _not_asked("ip_flow"))

    def reply_hop(self, nic_id: str) -> Fact[ReplyHop]:
        """Where Azure sends the reply to the client."""
        return self.reply_hops.get(nic_id.lower(), _not_asked("next_hop"))


def read_network_watcher(bundle: Bundle, evidence: Evidence) -> NetworkWatcher:
    """Network Watcher's answers in a bundle."""
    return NetworkWatcher(_by_nic(bundle, evidence, "ip_flow", _ip_flow), _by_nic(bundle, evidence, "next_hop", _hop))


def _by_nic(bundle: Bundle, evidence: Evidence, name: str, read: Callable[[Any], T]) -> dict[str, Fact[T]]:
    missed = (one.resource_id or "" for one in bundle.unavailable if one.fact == name)
    nics = {nic.lower() for nic in (*bundle.operations.get(name, {}), *missed)}
    return {nic: parsed(evidence.operation(name, nic), read) for nic in nics}


def _not_asked(name: str) -> Unavailable:
    return Unavailable(Reason.NOT_COLLECTED, f"{name} was not asked", name)


def _ip_flow(raw: Any) -> IpFlow:
    asked, answer = raw["asked"], raw["answer"]
    access = {"allow": True, "deny": False}[str(answer["access"]).lower()]
    rule = str(answer.get("ruleName") or "").rsplit("/", 1)[-1]
    return IpFlow(asked["localIPAddress"], int(asked["localPort"]), asked["remoteIPAddress"], access, rule)


def _hop(raw: Any) -> ReplyHop:
    asked, answer = raw["asked"], raw["answer"]
    return ReplyHop(asked["destinationIPAddress"], str(answer["nextHopType"]), answer.get("nextHopIpAddress") or None)
