"""The reads that are no plain resource, one function for each `Operation`."""

import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.mgmt.network.models import QueryRequestOptions

from rdp_remediate.arm.gateway_connections import read_gateway_connections
from rdp_remediate.arm.ids import ArmId
from rdp_remediate.arm.network_watcher import read_ip_flow, read_next_hop
from rdp_remediate.arm.reading import Reading, UnreadError
from rdp_remediate.arm.redaction import redact_text
from rdp_remediate.arm.resource_types import as_json
from rdp_remediate.arm.role_assignments import read_role_assignments
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Reason
from rdp_remediate.ports import Operation

Source = Callable[[Reading, ArmId, Mapping[str, str]], Awaitable[JsonObject]]

ACTIVITY_DAYS = 7
_BOOT_LOG_TAIL_BYTES = 64 * 1024
_BOOT_LOG_MOST_BYTES = 8 * 1024 * 1024
_MOST_ADMIN_RULE_PAGES = 20
_MOST_CHANGES = 500

#: API versions of the calls that have no package; learn.microsoft.com/rest/api, per resource provider.
_ACTIVITY_API = "2015-04-01"
_JIT_API = "2020-01-01"
_LOCKS_API = "2020-05-01"
_PERMISSIONS_API = "2022-04-01"
_RESOURCE_GRAPH_API = "2021-03-01"
_RESOURCE_HEALTH_API = "2025-05-01"
_SUBSCRIPTION_API = "2022-12-01"
_TAGS_API = "2021-04-01"


def _of_type(arm: ArmId, wanted: str, asked: str) -> tuple[str, str]:
    """Resource group and name of a resource of the wanted type.

    Raises:
        UnreadError: It is of another type.
    """
    if arm.type != wanted or arm.group is None:
        raise UnreadError(Reason.NOT_SUPPORTED, f"{asked}: this needs a {wanted}, not {arm.type or 'a scope'}.")
    return arm.group, arm.name


async def _effective_security_rules(reading: Reading, arm: ArmId, _: Mapping[str, str]) -> JsonObject:
    group, name = _of_type(arm, "microsoft.network/networkinterfaces", reading.asked)
    nics = reading.clients.network(arm.subscription).network_interfaces
    return await reading.polled(
        lambda first: nics.begin_list_effective_network_security_groups(group, name, polling=first)
    )


async def _effective_routes(reading: Reading, arm: ArmId, _: Mapping[str, str]) -> JsonObject:
    group, name = _of_type(arm, "microsoft.network/networkinterfaces", reading.asked)
    nics = reading.clients.network(arm.subscription).network_interfaces
    return await reading.polled(lambda first: nics.begin_get_effective_route_table(group, name, polling=first))


async def _effective_admin_rules(reading: Reading, arm: ArmId, _: Mapping[str, str]) -> JsonObject:
    """Paged by a skipToken in the request's body."""
    group, name = _of_type(arm, "microsoft.network/virtualnetworks", reading.asked)
    client = reading.clients.network(arm.subscription)
    rules: list[JsonObject] = []
    token: str | None = None
    for _page in range(_MOST_ADMIN_RULE_PAGES):
        async with reading.slot():
            page = as_json(
                await client.list_network_manager_effective_security_admin_rules(
                    group, name, QueryRequestOptions(skip_token=token)
                )
            )
        rules += reading.entries({"value": [], **page})
        token = page.get("skipToken")
        if not token:
            return {"value": rules}
    raise UnreadError(Reason.TRUNCATED, f"{reading.asked}: more than {_MOST_ADMIN_RULE_PAGES} pages.")


async def _service_tags(reading: Reading, arm: ArmId, _: Mapping[str, str]) -> JsonObject:
    if arm.type != "microsoft.network/locations":
        raise UnreadError(Reason.NOT_SUPPORTED, f"{reading.asked}: this needs a location of Microsoft.Network.")
    async with reading.slot():
        return as_json(await reading.clients.network(arm.subscription).service_tags.list(arm.name))


async def _application_security_group_members(reading: Reading, arm: ArmId, _: Mapping[str, str]) -> JsonObject:
    group, _name = _of_type(arm, "microsoft.network/applicationsecuritygroups", reading.asked)
    pager = reading.clients.network(arm.subscription).network_interfaces.list(group)
    nics = await _all(reading, pager)
    return {"value": [nic for nic in nics if arm.key in _security_groups_of(nic)]}


def _security_groups_of(nic: JsonObject) -> set[str]:
    configurations = nic.get("properties", {}).get("ipConfigurations") or []
    groups = [
        group
        for configuration in configurations
        for group in configuration.get("properties", {}).get("applicationSecurityGroups") or []
    ]
    return {str(group.get("id", "")).lower() for group in groups}


async def _bastion_hosts(reading: Reading, arm: ArmId, _: Mapping[str, str]) -> JsonObject:
    return {"value": await _all(reading, reading.clients.network(arm.subscription).bastion_hosts.list())}


async def _find_vm(reading: Reading, arm: ArmId, arguments: Mapping[str, str]) -> JsonObject:
    """VMs whose resource name or computer name is `name`; a full domain name counts by its first label."""
    wanted = arguments.get("name", "").strip().lower()
    if not wanted:
        raise UnreadError(Reason.MALFORMED, f"{reading.asked}: no name was given.")
    names = {wanted, wanted.split(".", 1)[0]}
    vms = await _all(reading, reading.clients.compute(arm.subscription).virtual_machines.list_all())
    return {"value": [vm for vm in vms if names & _names_of(vm)]}


def _names_of(vm: JsonObject) -> set[str]:
    computer = (vm.get("properties", {}).get("osProfile") or {}).get("computerName")
    return {str(name).lower() for name in (vm.get("name"), computer) if name}


async def _resource_health(reading: Reading, arm: ArmId, _: Mapping[str, str]) -> JsonObject:
    url = f"{arm.text}/providers/Microsoft.ResourceHealth/availabilityStatuses/current"
    return reading.object(await reading.send("GET", url, {"api-version": _RESOURCE_HEALTH_API}))


async def _resource_annotations(reading: Reading, arm: ArmId, _: Mapping[str, str]) -> JsonObject:
    """Why the platform or a user took the VM down; the id is checked, so it needs no escaping in KQL."""
    query = (
        "// rdp-remediate:resource_annotations/1\n"
        "healthresources\n"
        "| where type =~ 'microsoft.resourcehealth/resourceannotations'\n"
        f"| where tostring(properties.targetResourceId) =~ '{arm.text}'\n"
        "| project id, name, type, properties"
    )
    return {"value": await _graph(reading, arm, query)}


async def _resource_changes(reading: Reading, arm: ArmId, _: Mapping[str, str]) -> JsonObject:
    """What changed in a resource group; the id is checked, so it needs no escaping in KQL. Up to 5 minutes late, kept 14 days."""
    query = (
        "// rdp-remediate:changes/1\n"
        "resourcechanges\n"
        f"| where todatetime(properties.changeAttributes.timestamp) > ago({ACTIVITY_DAYS}d)\n"
        f"| where tostring(properties.targetResourceId) startswith '{arm.text}/'\n"
        f"| top {_MOST_CHANGES} by todatetime(properties.changeAttributes.timestamp) desc\n"
        "| project id, properties"
    )
    return {"value": await _graph(reading, arm, query)}


async def _graph(reading: Reading, arm: ArmId, query: str) -> list[JsonObject]:
    """Every row of a Resource Graph query."""
    rows: list[JsonObject] = []
    options: dict[str, Any] = {"resultFormat": "objectArray"}
    for _page in range(_MOST_ADMIN_RULE_PAGES):
        body = reading.object(
            await reading.send(
                "POST",
                "/providers/Microsoft.ResourceGraph/resources",
                {"api-version": _RESOURCE_GRAPH_API},
                {"subscriptions": [arm.subscription], "query": query, "options": options},
            )
        )
        rows += reading.entries(body, "data")
        token = body.get("$skipToken")
        if not token:
            if str(body.get("resultTruncated", "false")).lower() == "true":
                break
            return rows
        options = {"resultFormat": "objectArray", "$skipToken": token}
    raise UnreadError(Reason.TRUNCATED, f"{reading.asked}: Resource Graph gave only a part.")


async def _private_dns_links(reading: Reading, arm: ArmId, _: Mapping[str, str]) -> JsonObject:
    """Links of private DNS zones of this subscription to the VNet; the id is checked, so it needs no escaping in KQL."""
    if arm.type != "microsoft.network/virtualnetworks":
        raise UnreadError(Reason.NOT_SUPPORTED, f"{reading.asked}: this needs a virtual network.")
    query = (
        "// rdp-remediate:private_dns_links/1\n"
        "resources\n"
        "| where type =~ 'microsoft.network/privatednszones/virtualnetworklinks'\n"
        f"| where tostring(properties.virtualNetwork.id) =~ '{arm.text}'\n"
        "| project id, name, type, properties"
    )
    return {"value": await _graph(reading, arm, query)}


async def _address_owners(reading: Reading, arm: ArmId, arguments: Mapping[str, str]) -> JsonObject:
    """NICs and public addresses that hold one of `addresses`, and the unattached public addresses of `group`.

    Resource Graph may lag by minutes: what it names is read again before anything is concluded from it.
    """
    group = arguments.get("group", "")
    try:
        wanted = [str(ipaddress.ip_address(one)) for one in arguments.get("addresses", "").split(",") if one]
    except ValueError as refused:
        raise UnreadError(Reason.MALFORMED, f"{reading.asked}: {refused}.") from refused
    if not re.fullmatch(r"[\w().-]*", group):
        raise UnreadError(Reason.MALFORMED, f"{reading.asked}: {group!r} is no name of a resource group.")
    listed = ", ".join(f"'{one}'" for one in wanted) or "''"
    query = (
        "// rdp-remediate:address_owners/1\n"
        "resources\n"
        "| where type in~ ('microsoft.network/networkinterfaces', 'microsoft.network/publicipaddresses')\n"
        "| mv-expand configuration = properties.ipConfigurations\n"
        "| extend address = coalesce(tostring(properties.ipAddress), tostring(configuration.properties.privateIPAddress))\n"
        "| extend unattached = type =~ 'microsoft.network/publicipaddresses' and isnull(properties.ipConfiguration)"
        " and isnull(properties.natGateway)\n"
        f"| where address in ({listed}) or (unattached and resourceGroup =~ '{group}')\n"
        "| project id, type, resourceGroup, address, unattached"
    )
    rows = await _graph(reading, arm, query)
    return {
        "value": [
            row
            for row in rows
            if row.get("address") in wanted
            or (row.get("unattached") and str(row.get("resourceGroup", "")).lower() == group.lower())
        ]
    }


async def _jit_policies(reading: Reading, arm: ArmId, _: Mapping[str, str]) -> JsonObject:
    url = f"/subscriptions/{arm.subscription}/providers/Microsoft.Security/jitNetworkAccessPolicies"
    return {"value": await reading.pages(url, {"api-version": _JIT_API})}


async def _locks(reading: Reading, arm: ArmId, _: Mapping[str, str]) -> JsonObject:
    """Locks that apply: on the resource, its parents, its group and its subscription.

    A list at a scope holds the scope's own locks and those below it, not the inherited ones, so each level is asked.
    https://learn.microsoft.com/rest/api/resources/management-locks
    """
    found: dict[str, JsonObject] = {}
    for scope in _scopes(arm):
        url = f"{scope}/providers/Microsoft.Authorization/locks"
        for lock in await reading.pages(url, {"api-version": _LOCKS_API}):
            lock_id = str(lock.get("id", "")).lower()
            locked, separator, _rest = lock_id.partition("/providers/microsoft.authorization/locks/")
            if separator and f"{arm.key}/".startswith(f"{locked}/"):
                found[lock_id] = lock
    return {"value": list(found.values())}


def _scopes(arm: ArmId) -> list[str]:
    scopes = [f"/subscriptions/{arm.subscription}"]
    if arm.group is not None:
        scopes.append(f"{scopes[0]}/resourceGroups/{arm.group}")
    if arm.names:
        scopes.append(arm.text)
    return scopes


async def _tags(reading: Reading, arm: ArmId, _: Mapping[str, str]) -> JsonObject:
    url = f"{arm.text}/providers/Microsoft.Resources/tags/default"
    body = reading.object(await reading.send("GET", url, {"api-version": _TAGS_API}))
    properties = body.get("properties")
    tags = properties.get("tags", {}) if isinstance(properties, dict) else None
    if not isinstance(tags, dict):
        raise UnreadError(Reason.MALFORMED, f"{reading.asked}: the answer holds no tags.")
    return {str(name): str(value) for name, value in tags.items()}


async def _boot_log(reading: Reading, arm: ArmId, _: Mapping[str, str]) -> JsonObject:
    """The tail of the serial log; the signed URL is used once and not kept."""
    group, name = _of_type(arm, "microsoft.compute/virtualmachines", reading.asked)
    vms = reading.clients.compute(arm.subscription).virtual_machines
    async with reading.slot():
        urls = as_json(await vms.retrieve_boot_diagnostics_data(group, name, sas_uri_expiration_time_in_minutes=5))
    url = urls.get("serialConsoleLogBlobUri")
    if not isinstance(url, str) or not url.lower().startswith("https://"):
        raise UnreadError(Reason.NOT_CONFIGURED, f"{reading.asked}: boot diagnostics of this VM keep no serial log.")
    async with reading.slot():
        status, tail = await reading.clients.download(
            url, most_bytes=_BOOT_LOG_MOST_BYTES, tail_bytes=_BOOT_LOG_TAIL_BYTES
        )
    if status == 404:
        raise UnreadError(Reason.NOT_FOUND, f"{reading.asked}: the VM has written no serial log yet.")
    if not 200 <= status <= 299:
        reason = Reason.FORBIDDEN if status in (401, 403) else Reason.SERVER_ERROR
        raise UnreadError(reason, f"{reading.asked}: the storage of the serial log answered {status}.")
    return {"text": redact_text(tail.decode("utf-8", errors="replace").replace("\0", ""))}


async def _activity(reading: Reading, arm: ArmId, _: Mapping[str, str]) -> JsonObject:
    """Events of the resource and of what is below it (a rule of an NSG), newest first.

    The filter resourceUri would leave out children, so the group's events are read and chosen here.
    https://learn.microsoft.com/rest/api/monitor/activity-logs/list
    """
    now = datetime.now(UTC)
    # the filter counts in whole seconds, and clocks differ: what happened just now belongs to it
    start, end = now - timedelta(days=ACTIVITY_DAYS), now + timedelta(minutes=5)
    window = f"eventTimestamp ge '{start:%Y-%m-%dT%H:%M:%SZ}' and eventTimestamp le '{end:%Y-%m-%dT%H:%M:%SZ}'"
    scope = f" and resourceGroupName eq '{arm.group}'" if arm.group else ""
    url = f"/subscriptions/{arm.subscription}/providers/Microsoft.Insights/eventtypes/management/values"
    events = await reading.pages(url, {"api-version": _ACTIVITY_API, "$filter": window + scope})
    prefix = f"{arm.key}/"
    return {"value": [event for event in events if _event_id(event).startswith(prefix)]}


def _event_id(event: JsonObject) -> str:
    """The resource id of an event, closed with a slash; old events call it resourceUri."""
    named = event.get("resourceId") or event.get("resourceUri") or ""
    return f"{str(named).lower().rstrip('/')}/"


async def _subscription(reading: Reading, arm: ArmId, _: Mapping[str, str]) -> JsonObject:
    url = f"/subscriptions/{arm.subscription}"
    return reading.object(await reading.send("GET", url, {"api-version": _SUBSCRIPTION_API}))


async def _permissions(reading: Reading, arm: ArmId, _: Mapping[str, str]) -> JsonObject:
    url = f"{arm.text}/providers/Microsoft.Authorization/permissions"
    return {"value": await reading.pages(url, {"api-version": _PERMISSIONS_API})}


async def _all(reading: Reading, pager: Any) -> list[JsonObject]:
    """Every entry of a pager of the SDK."""
    async with reading.slot():
        return [as_json(entry) async for entry in pager]


OPERATIONS: Mapping[Operation, Source] = {
    Operation.EFFECTIVE_SECURITY_RULES: _effective_security_rules,
    Operation.EFFECTIVE_ROUTES: _effective_routes,
    Operation.EFFECTIVE_ADMIN_RULES: _effective_admin_rules,
    Operation.SERVICE_TAGS: _service_tags,
    Operation.APPLICATION_SECURITY_GROUP_MEMBERS: _application_security_group_members,
    Operation.RESOURCE_HEALTH: _resource_health,
    Operation.RESOURCE_ANNOTATIONS: _resource_annotations,
    Operation.ADDRESS_OWNERS: _address_owners,
    Operation.JIT_POLICIES: _jit_policies,
    Operation.LOCKS: _locks,
    Operation.TAGS: _tags,
    Operation.BASTION_HOSTS: _bastion_hosts,
    Operation.BOOT_LOG: _boot_log,
    Operation.ACTIVITY: _activity,
    Operation.RESOURCE_CHANGES: _resource_changes,
    Operation.FIND_VM: _find_vm,
    Operation.SUBSCRIPTION: _subscription,
    Operation.PERMISSIONS: _permissions,
    Operation.PRIVATE_DNS_LINKS: _private_dns_links,
    Operation.GATEWAY_CONNECTIONS: read_gateway_connections,
    Operation.ROLE_ASSIGNMENTS: read_role_assignments,
    Operation.IP_FLOW: read_ip_flow,
    Operation.NEXT_HOP: read_next_hop,
}
