"""The reads around the VM's network: what its packets pass, where it leads, and what the asked person may do there."""

import asyncio
import re
from collections.abc import Iterable

from rdp_remediate.facts import references
from rdp_remediate.gathering import LONG_S, PLAIN_S, Gathering, by_deadline
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Reason, Unavailable
from rdp_remediate.ports import Operation, Progress

MOST_LEVELS = 4
MOST_PEERS = 10
MOST_OWNERS = 20
MOST_SCOPES = 12


async def read_network(got: Gathering, vm: JsonObject, dialled: str | None) -> None:
    """Reads what the VM's packets pass: NICs, NSGs, VNets and peers, load balancers, firewalls, gateways, and who owns addresses."""
    got.services.progress(Progress("network", "reading NICs, NSGs, public addresses and load balancers"))
    nics = await got.read_all(references.next_resources(vm))
    subnets = {one for nic in nics for one in references.subnets_of(nic)}
    around = await got.read_all([one for nic in nics for one in references.next_resources(nic)])
    wanted = [
        one
        for resource in around
        for one in (*references.of_subnets(resource, subnets), *references.next_resources(resource))
    ]
    vnets = {references.parent(subnet) for subnet in subnets}
    wanted += _peers(got, [one for one in around if str(one.get("id", "")).lower() in {v.lower() for v in vnets}])
    # a VNet leads to its firewall, that to its policy, and that to the groups of its DNAT rules
    for _level in range(MOST_LEVELS):
        read = await got.read_all(wanted)
        wanted = [one for resource in read for one in references.next_resources(resource)]
    async with asyncio.TaskGroup() as group:
        group.create_task(_owners(got, vm, nics, dialled))
        for vnet in vnets:
            group.create_task(got.read_operation(Operation.EFFECTIVE_ADMIN_RULES, vnet, LONG_S))
        if references.is_running(vm):
            got.services.progress(Progress("network", "asking for effective rules and routes"))
        for nic in nics:
            nic_id = str(nic["id"])
            for operation in (Operation.EFFECTIVE_SECURITY_RULES, Operation.EFFECTIVE_ROUTES):
                if references.is_running(vm):
                    group.create_task(got.read_operation(operation, nic_id, LONG_S))
                else:
                    why = Unavailable(Reason.NOT_RUNNING, "Azure shows effective rules and routes of running VMs only")
                    got.miss(operation.value, nic_id, why)


def _peers(got: Gathering, vnets: Iterable[JsonObject]) -> list[str]:
    """The VNets that the VM's own VNets are peered with; of a hub with many spokes only the first are read."""
    found = list(dict.fromkeys(one for vnet in vnets for one in references.peered_vnets(vnet)))
    for left in found[MOST_PEERS:]:
        why = f"the VNet has {len(found)} peerings; only the first {MOST_PEERS} remote VNets are read"
        got.miss("resource", left, Unavailable(Reason.NOT_COLLECTED, why, left))
    return found[:MOST_PEERS]


async def _owners(got: Gathering, vm: JsonObject, nics: Iterable[JsonObject], dialled: str | None) -> None:
    """Reads the NICs, VMs and public addresses behind next hops, DNS servers and the dialled address."""
    addresses = references.addresses_to_find(got.resources.values(), dialled)
    parts = str(vm.get("id", "")).split("/")
    if len(parts) < 5 or (not addresses and any(references.has_public_address(nic) for nic in nics)):
        return
    subscription = "/".join(parts[:3])
    found = await by_deadline(
        got.services.reads.operation(
            Operation.ADDRESS_OWNERS, subscription, addresses=",".join(addresses), group=parts[4]
        ),
        PLAIN_S,
        f"owners of {', '.join(addresses) or 'public addresses'}",
    )
    if isinstance(found, Unavailable):
        got.miss(Operation.ADDRESS_OWNERS.value, subscription, found)
        return
    got.operations.setdefault(Operation.ADDRESS_OWNERS.value, {})[subscription.lower()] = found.value
    rows = found.value.get("value")
    ids = [str(row["id"]) for row in rows if isinstance(row, dict) and row.get("id")] if isinstance(rows, list) else []
    holders = await got.read_all(ids[:MOST_OWNERS])
    machines = [owner for one in holders if (owner := references.vm_of(one)) is not None]
    await got.read_all([*machines, *(one for h in holders for one in _behind(h))])


def _behind(holder: JsonObject) -> list[str]:
    """What a public address that was found leads to; a stranger's NIC is not followed."""
    is_nic = str(holder.get("type") or "").lower() == "microsoft.network/networkinterfaces"
    return [] if is_nic else references.next_resources(holder)


async def read_activity(got: Gathering, group_id: str) -> None:
    """Reads who changed what in a resource group; one group that cannot be read leaves it open who closed RDP."""
    asked = f"activity log of {group_id}"
    found = await by_deadline(got.services.reads.operation(Operation.ACTIVITY, group_id), LONG_S, asked)
    if isinstance(found, Unavailable):
        got.miss("changes", None, found)
        return
    rows = found.value.get("value")
    got.changes += [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _other_groups(got: Gathering, vm_id: str) -> list[str]:
    """The resource groups of NSGs that do not lie in the VM's: who changed a rule stands in their log, not in the VM's."""
    own = "/".join(vm_id.lower().split("/")[:5])
    groups = ["/".join(one.split("/")[:5]) for one in got.resources if "/networksecuritygroups/" in one]
    return [one for one in dict.fromkeys(groups) if one != own]


async def read_beyond(got: Gathering, vm_id: str) -> None:
    """Reads what lies outside the VM's own group and network.

    That is the activity of the groups of its NSGs, the connections of gateways, and the private DNS zones of Bastion's network.
    """
    gateways = [one for one in got.resources if re.fullmatch(r".*/virtualnetworkgateways/[^/]+", one)]
    hosting = [
        one for key, one in got.resources.items() if references.has_bastion_subnet(one) and "/virtualnetworks/" in key
    ]
    await asyncio.gather(
        *(read_activity(got, group) for group in _other_groups(got, vm_id)),
        *(got.read_operation(Operation.GATEWAY_CONNECTIONS, one, PLAIN_S) for one in gateways),
        *(got.read_operation(Operation.PRIVATE_DNS_LINKS, str(one["id"]), PLAIN_S) for one in hosting),
    )
    listed = [
        str(row["id"])
        for answer in got.operations.get(Operation.GATEWAY_CONNECTIONS.value, {}).values()
        for row in answer.get("value") or []
        if isinstance(row, dict) and row.get("id")
    ]
    connections = await got.read_all(listed)
    await got.read_all([one for connection in connections for one in references.next_resources(connection)])


async def read_roles(got: Gathering, vm: JsonObject, principal_id: str) -> None:
    """Reads the person's roles where signing in asks for them: at the VM, its NICs and VNets, and the Bastion hosts."""
    name = Operation.ROLE_ASSIGNMENTS
    scopes = [
        str(vm.get("id") or ""),
        *(one for one in references.next_resources(vm) if "/networkinterfaces/" in one.lower()),
    ]
    scopes += [one for one in got.resources if re.fullmatch(r"[^?]*/(virtualnetworks|bastionhosts)/[^/]+", one)]
    for answer in got.operations.get(Operation.BASTION_HOSTS.value, {}).values():
        scopes += [str(host.get("id") or "") for host in answer.get("value") or [] if isinstance(host, dict)]
    wanted = list({scope.lower(): scope for scope in scopes if scope}.values())

    async def read(scope: str) -> None:
        fact = await by_deadline(
            got.services.reads.operation(name, scope, principal=principal_id), PLAIN_S, f"{name.value} at {scope}"
        )
        if isinstance(fact, Unavailable):
            got.miss(name.value, scope, fact)
        else:
            got.operations.setdefault(name.value, {})[scope.lower()] = fact.value

    for left in wanted[MOST_SCOPES:]:
        got.miss(name.value, left, Unavailable(Reason.NOT_COLLECTED, f"only {MOST_SCOPES} scopes are read", left))
    await asyncio.gather(*(read(scope) for scope in wanted[:MOST_SCOPES]))
