"""The state of the simulated subscription; everything that the lab answers is computed from it."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

from rdp_remediate.lab.guest_runtime import GuestState
from rdp_remediate.lab.healthy import Resource
from rdp_remediate.lab.names import Names
from rdp_remediate.lab.rbac import Assignment, Principal
from rdp_remediate.lab.scenario import Scenario

_CHILD_LISTS = {
    "securityrules": "securityRules",
    "defaultsecurityrules": "defaultSecurityRules",
    "subnets": "subnets",
    "ipconfigurations": "ipConfigurations",
    "routes": "routes",
    "inboundnatrules": "inboundNatRules",
    "frontendipconfigurations": "frontendIPConfigurations",
    "backendaddresspools": "backendAddressPools",
    "loadbalancingrules": "loadBalancingRules",
    "probes": "probes",
    "virtualnetworkpeerings": "virtualNetworkPeerings",
}
_RESOURCE_ID = re.compile(
    r"^(/subscriptions/[^/]+(?:/resourcegroups/[^/]+)?/providers/[^/]+/[^/]+/[^/]+)(?:/(.+))?$", re.I
)


def utc_now() -> datetime:
    """The lab's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Opening:
    """A just-in-time rule and when Defender takes it away again."""

    nsg_id: str
    rule: str
    until: datetime


class Estate(Protocol):
    """A large set of resources that only Resource Graph shows; benchmarks make one without holding it in memory."""

    def of_type(self, kind: str, subscriptions: frozenset[str]) -> Sequence[Resource]:
        """The resources of a lower-case type in these lower-case subscriptions (none named: in all), by id."""
        ...


@dataclass(slots=True)
class World:
    """One small subscription. Mutable: requests and tests change it, `changed` listeners follow."""

    names: Names
    scenario: Scenario
    resources: dict[str, Resource]
    """Top-level resources by lower-case ARM id; rules and subnets live inside their parents, as ARM nests them."""
    instance_views: dict[str, Resource]
    guests: dict[str, GuestState]
    """The simulated Windows of a VM by lower-case VM id."""
    health: dict[str, Any] | None = None
    """Properties of availabilityStatuses/current of the target; {"missing": true} = no entry."""
    annotations: list[dict[str, Any]] = field(default_factory=list)
    activity: list[dict[str, Any]] = field(default_factory=list)
    """Activity log events, newest last."""
    admin_rules: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    jit_policies: list[dict[str, Any]] = field(default_factory=list)
    openings: list[Opening] = field(default_factory=list)
    locks: list[dict[str, Any]] = field(default_factory=list)
    user_roles: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Role assignments that the read answers, by lower-case scope."""
    service_tags: dict[str, list[str]] = field(default_factory=dict)
    overrides: dict[str, Any] = field(default_factory=dict)
    """Whole answers that a scenario dictates: effective_security_rules, effective_routes, by lower-case NIC id."""
    run_commands: dict[str, Resource] = field(default_factory=dict)
    extensions: dict[str, Resource] = field(default_factory=dict)
    """Managed run commands by lower-case id, instance view inside."""
    boot_log: str | None = None
    screenshot: bytes | None = None
    guest_readable: bool = True
    principals: dict[str, Principal] = field(default_factory=dict)
    """Who may call, by object id; an unknown caller has no rights."""
    assignments: list[Assignment] = field(default_factory=list)
    denied_actions: list[str] = field(default_factory=list)
    """Actions (with * as wildcard) that nobody may perform, whatever the roles say."""
    admin_rules_page_size: int = 100
    estate: Estate | None = None
    """Answers Resource Graph's tables of resources in place of `resources`."""
    listeners: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    @property
    def vm_id(self) -> str:
        """The target VM."""
        return self.names.role_ids["vm"]

    def find(self, resource_id: str) -> Resource | None:
        """Returns a resource or a nested child by its ARM id, in any case."""
        match = _RESOURCE_ID.match(resource_id)
        if match is None:
            return None
        node = self.resources.get(match.group(1).lower())
        rest = match.group(2).split("/") if match.group(2) else []
        while node is not None and rest:
            if len(rest) < 2:
                return None
            kind, name, rest = rest[0].lower(), rest[1].lower(), rest[2:]
            entries = node.get("properties", {}).get(_CHILD_LISTS.get(kind, kind), [])
            node = next((e for e in entries if str(e.get("name", "")).lower() == name), None)
        return node

    def of_type(self, kind: str, scope: str = "") -> Iterator[Resource]:
        """Yields resources of a type below a scope, in the order in which they were made."""
        for rid, resource in self.resources.items():
            if str(resource.get("type", "")).lower() == kind.lower() and rid.startswith(scope.lower()):
                yield resource

    def add(self, resource: Resource) -> None:
        """Adds or replaces a top-level resource."""
        self.resources[str(resource["id"]).lower()] = resource

    def power_state(self, vm_id: str) -> str:
        """Returns the last part of the VM's PowerState code, `unknown` when there is none."""
        for status in self.instance_views.get(vm_id.lower(), {}).get("statuses", []):
            code = str(status.get("code", ""))
            if code.lower().startswith("powerstate/"):
                return code.split("/", 1)[1].lower()
        return "unknown"

    def agent_ready(self, vm_id: str) -> bool:
        """True when the VM agent reports Ready."""
        agent = self.instance_views.get(vm_id.lower(), {}).get("vmAgent") or {}
        return any(str(s.get("code", "")).lower() == "provisioningstate/succeeded" for s in agent.get("statuses", []))

    def vm_view(self, vm_id: str, *, expand: bool) -> Resource | None:
        """Returns the VM as GET answers it; the instance view only when asked for."""
        vm = self.resources.get(vm_id.lower())
        if vm is None:
            return None
        if not expand:
            return vm
        view = deepcopy(vm)
        view["properties"]["instanceView"] = deepcopy(self.instance_views.get(vm_id.lower(), {}))
        return view

    def nics_of(self, vm_id: str) -> list[Resource]:
        """Returns the NICs of a VM, primary first."""
        vm = self.resources.get(vm_id.lower(), {})
        refs = vm.get("properties", {}).get("networkProfile", {}).get("networkInterfaces", [])
        refs = sorted(refs, key=lambda r: not r.get("properties", {}).get("primary", True))
        return [nic for ref in refs if (nic := self.find(ref["id"])) is not None]

    def subnet_and_vnet(self, subnet_id: str) -> tuple[Resource | None, Resource | None]:
        """Returns the subnet and its VNet."""
        return self.find(subnet_id), self.find(subnet_id.rsplit("/subnets/", 1)[0])

    def renew_etag(self, resource: Resource) -> None:
        """Gives a resource and its rules or routes one new etag: the provider writes the same on all of them."""
        tag = f'W/"{uuid4()}"'
        resource["etag"] = tag
        for key in ("securityRules", "defaultSecurityRules", "routes"):
            for rule in resource.get("properties", {}).get(key, []):
                rule["etag"] = tag

    def record(self, operation: str, resource_id: str, principal: Principal, status: str, correlation: str) -> None:
        """Appends an activity log event of a control plane call."""
        now = utc_now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self.activity.append(
            {
                "eventTimestamp": now,
                "submissionTimestamp": now,
                "operationName": {"value": operation, "localizedValue": operation},
                "status": {"value": status, "localizedValue": status},
                "subStatus": {"value": "", "localizedValue": ""},
                "caller": principal.caller,
                "claims": principal.claims,
                "resourceId": resource_id,
                "correlationId": correlation,
                "level": "Informational",
                "category": {"value": "Administrative", "localizedValue": "Administrative"},
            }
        )

    async def expire(self) -> None:
        """Takes away just-in-time rules whose time is over."""
        over = [o for o in self.openings if o.until <= utc_now()]
        for opening in over:
            self.openings.remove(opening)
            group = self.resources.get(opening.nsg_id.lower())
            if group is not None:
                rules = group["properties"]["securityRules"]
                group["properties"]["securityRules"] = [r for r in rules if r["name"] != opening.rule]
                self.renew_etag(group)
        if over:
            await self.changed()

    async def changed(self) -> None:
        """Tells the listeners (RDP fronts among them) that state has changed, and waits until they have followed."""
        for listener in self.listeners:
            await listener()
