"""Everything that judgement may ask of one bundle."""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from rdp_remediate.facts import boot, closings, platform
from rdp_remediate.facts.client_check import ClientFacts, read_client
from rdp_remediate.facts.evidence import Evidence, objects, parsed
from rdp_remediate.facts.gateways import Connection, read_connections, read_private_dns
from rdp_remediate.facts.guest import GuestFacts, read_guest
from rdp_remediate.facts.logs import Logs, read_logs
from rdp_remediate.facts.network import NetworkFacts, parse_network
from rdp_remediate.facts.network_watcher import NetworkWatcher, read_network_watcher
from rdp_remediate.facts.platform_health import (
    Annotation,
    Health,
    Refusal,
    read_annotations,
    read_health,
    read_refusals,
)
from rdp_remediate.facts.probes import ProbeFact, read_probes
from rdp_remediate.facts.resource_changes import ResourceChange, read_resource_changes
from rdp_remediate.facts.roles import Role, read_roles
from rdp_remediate.facts.vm_access import VmAccess, read_vm_access
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Bundle, Policy, Target
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable

T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class JitPort:
    """One port that a just-in-time policy guards on this VM."""

    policy_id: str
    port: int
    max_duration: str
    allowed_source: str | None


@dataclass(frozen=True)
class Lock:
    """A management lock that applies to the VM or to what stands above it."""

    lock_id: str
    level: str


@dataclass(frozen=True, eq=False)
class Facts:
    """One bundle, read. Compared by identity, so that derived decisions can be kept per bundle."""

    target: Target
    policy: Policy
    at: datetime
    run_id: str
    requested_by: str | None
    vm: Fact[platform.VirtualMachine]
    network: NetworkFacts
    guest: GuestFacts
    probes: tuple[ProbeFact, ...]
    changes: Fact[list[platform.Change]]
    resource_changes: Fact[list[ResourceChange]]
    logs: Logs
    refusals: Fact[list[Refusal]]
    health: Fact[Health]
    annotations: Fact[list[Annotation]]
    boot_log: Fact[boot.BootLog]
    boot_screen: boot.Screen | None
    jit_ports: Fact[list[JitPort]]
    bastion_hosts: Fact[list[str]]
    locks: Fact[list[Lock]]
    vm_access: Fact[tuple[VmAccess, ...]]
    roles: Mapping[str, Fact[tuple[Role, ...]]]
    """The roles of the person who was asked about, by lower-case scope; see `roles_at`."""
    gateway_connections: Mapping[str, Fact[tuple[Connection, ...]]]
    """By the lower-case id of the gateway; empty where no gateway was seen."""
    private_dns: Mapping[str, Fact[tuple[str, ...]]]
    """The private DNS zones that a VNet is linked to, by its lower-case id; asked of the networks of Bastion only."""
    client: Fact[ClientFacts]
    network_watcher: NetworkWatcher
    resources: Mapping[str, JsonObject]
    """ARM's own JSON by lower-case id, for steps that write back what they read; judgement asks the typed facts."""

    @property
    def sources(self) -> tuple[Network, ...]:
        """The configured sources that are addresses; anything else is left to the rule planner to refuse."""
        found: list[Network] = []
        for text in self.policy.sources:
            try:
                found.append(ipaddress.ip_network(text, strict=False))
            except ValueError:
                continue
        return tuple(found)

    def roles_at(self, scope: str) -> Fact[tuple[Role, ...]]:
        """The roles that the asked person has at a scope and above it."""
        if self.target.principal_id is None:
            why = "the object id of the person is not known; give it with --principal-id"
            return Unavailable(Reason.NOT_CONFIGURED, why, "target.principal_id")
        unread = Unavailable(Reason.NOT_COLLECTED, "the role assignments were not read", f"role_assignments {scope}")
        return self.roles.get(scope.lower(), unread)

    @property
    def read_only_lock(self) -> Lock | None:
        """The lock that refuses every write here; None also where locks could not be read (Azure then refuses itself)."""
        if isinstance(self.locks, Unavailable):
            return None
        return next((lock for lock in self.locks.value if lock.level.lower() == "readonly"), None)

    def closings(self, nsg_ids: Sequence[str]) -> Fact[list[closings.Closing]]:
        """Every change of the last days that may have closed RDP, oldest first; unread logs make it unavailable."""
        if isinstance(self.changes, Unavailable):
            return self.changes
        found = closings.from_activity(
            self.changes.value, self.target.vm_id, nsg_ids, self.policy.own_principal_ids, self.at
        )
        if not isinstance(self.guest.changes, Unavailable):
            found += closings.from_guest(self.guest.changes.value, self.at)
        return Observed(sorted(found, key=lambda closing: closing.at), self.changes.source, self.changes.at)


def read_facts(bundle: Bundle) -> Facts:
    """Reads a bundle; total: whatever cannot be read becomes an unavailable fact. The bundle is left unchanged."""
    evidence = Evidence(bundle)
    vm_id = bundle.target.vm_id
    subscription = "/".join(vm_id.split("/")[:3])
    return Facts(
        target=bundle.target,
        policy=bundle.policy,
        at=bundle.collected_at,
        run_id=bundle.run_id or "",
        requested_by=bundle.requested_by,
        vm=parsed(evidence.resource(vm_id), platform.read_vm),
        network=parse_network(bundle.model_dump(mode="json", by_alias=True)),
        guest=read_guest(bundle.guest, evidence.missing("guest"), bundle.collected_at),
        probes=read_probes(bundle.probes),
        changes=_activity(bundle, evidence, platform.read_changes),
        resource_changes=parsed(
            evidence.operation("resource_changes", "/".join(vm_id.split("/")[:5])), read_resource_changes
        ),
        logs=read_logs(bundle, evidence),
        refusals=_activity(bundle, evidence, read_refusals),
        health=parsed(evidence.operation("resource_health", vm_id), read_health),
        annotations=parsed(evidence.operation("resource_annotations", vm_id), read_annotations),
        boot_log=parsed(evidence.operation("boot_log", vm_id), boot.read_log),
        boot_screen=boot.read_screen(bundle.policy.boot_screen),
        jit_ports=parsed(evidence.operation("jit_policies", subscription), lambda raw: _jit_ports(raw, vm_id)),
        bastion_hosts=parsed(evidence.operation("bastion_hosts", subscription), _ids),
        locks=parsed(evidence.operation("locks", vm_id), _locks),
        vm_access=parsed(evidence.resource(vm_id), read_vm_access),
        roles=_by_scope(bundle, evidence, "role_assignments", read_roles),
        gateway_connections=read_connections(bundle, evidence),
        private_dns=_by_scope(bundle, evidence, "private_dns_links", read_private_dns),
        client=read_client(bundle.client_check, evidence, bundle.collected_at),
        network_watcher=read_network_watcher(bundle, evidence),
        resources=bundle.resources,
    )


def _by_scope(bundle: Bundle, evidence: Evidence, name: str, read: Callable[[Any], T]) -> dict[str, Fact[T]]:
    """The answers of an operation that is asked of several scopes."""
    missed = (one.resource_id or "" for one in bundle.unavailable if one.fact == name)
    scopes = {scope.lower() for scope in (*bundle.operations.get(name, {}), *missed)}
    return {scope: parsed(evidence.operation(name, scope), read) for scope in scopes}


def _activity(bundle: Bundle, evidence: Evidence, read: Callable[[Sequence[JsonObject]], list[T]]) -> Fact[list[T]]:
    missing = [item for item in bundle.unavailable if item.fact == "changes"]
    if missing:
        return evidence.missing("changes", missing[0].resource_id or "")
    return parsed(Observed(bundle.changes, "activity log", bundle.collected_at), read)


def _jit_ports(raw: Any, vm_id: str) -> list[JitPort]:
    found = []
    for policy in objects(raw):
        for machine in policy["properties"].get("virtualMachines") or []:
            if str(machine.get("id", "")).lower() != vm_id.lower():
                continue
            found += [
                JitPort(
                    policy_id=str(policy.get("id") or ""),
                    port=int(port["number"]),
                    max_duration=str(port.get("maxRequestAccessDuration") or "PT3H"),
                    allowed_source=port.get("allowedSourceAddressPrefix"),
                )
                for port in machine.get("ports") or []
            ]
    return found


def _ids(raw: Any) -> list[str]:
    return [str(row.get("id") or "") for row in objects(raw)]


def _locks(raw: Any) -> list[Lock]:
    return [
        Lock(str(row.get("id") or ""), str((row.get("properties") or {}).get("level") or "")) for row in objects(raw)
    ]
