"""The ports to Azure Resource Manager and Log Analytics."""

from collections.abc import AsyncIterator, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Fact
from rdp_remediate.models.inventory import InventoryKind, InventoryPage
from rdp_remediate.ports.outcomes import WriteOutcome


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


class LogQueries(Protocol):
    """Log Analytics, by the name of a .kql file."""

    async def run(self, name: str, parameters: Mapping[str, str]) -> Fact[list[JsonObject]]:
        """The rows of one query."""
        ...
