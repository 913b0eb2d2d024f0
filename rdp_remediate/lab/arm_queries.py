"""Resource Graph and Log Analytics: the lab runs no KQL, it knows queries by the name in their first line."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, overload

from rdp_remediate.lab import arm_inventory, log_tables
from rdp_remediate.lab.arm_http import ArmError, Call, Reply, Route
from rdp_remediate.lab.arm_monitor import full_event
from rdp_remediate.lab.healthy import stable_guid
from rdp_remediate.lab.world import World

Row = dict[str, Any]
_NAMED = re.compile(r"^\s*//\s*rdp-remediate:([\w-]+)/(\d+)\s*$")
_PROJECT = re.compile(r"\|\s*project\s+([^|]+?)\s*(?=\||$)", re.IGNORECASE | re.DOTALL)
_ID = re.compile(r"'(/subscriptions/[^']+)'", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Table:
    """What a named query reads: its columns with their Kusto types, and its rows."""

    columns: dict[str, str]
    rows: Callable[[World], Sequence[Row]]


def _annotations(world: World) -> list[Row]:
    rows = []
    for index, annotation in enumerate(world.annotations):
        key = stable_guid(f"{world.vm_id}{index}{annotation.get('annotationName')}")
        rows.append(
            {
                "id": f"{world.vm_id}/providers/microsoft.resourcehealth/resourceannotations/{key}",
                "name": key,
                "type": "microsoft.resourcehealth/resourceannotations",
                "subscriptionId": world.names.subscription,
                "resourceGroup": world.names.resource_group.lower(),
                "location": world.names.location,
                "properties": {"targetResourceId": world.vm_id.lower(), **annotation},
            }
        )
    return rows


def _address_owners(world: World) -> list[Row]:
    rows = []
    for resource in world.resources.values():
        kind = str(resource.get("type", "")).lower()
        properties = resource.get("properties", {})
        public = kind == "microsoft.network/publicipaddresses"
        if not public and kind != "microsoft.network/networkinterfaces":
            continue
        configurations = properties.get("ipConfigurations", [])
        addresses = [c["properties"].get("privateIPAddress") for c in configurations]
        group = str(resource["id"]).split("/")[4].lower()
        rows += [
            {
                "id": resource["id"],
                "type": kind,
                "resourceGroup": group,
                "address": address,
                "unattached": public and "ipConfiguration" not in properties and "natGateway" not in properties,
            }
            for address in ([properties.get("ipAddress", "")] if public else addresses)
        ]
    return rows


def _private_dns_links(world: World) -> list[Row]:
    kind = "microsoft.network/privatednszones/virtualnetworklinks"
    return [
        {"id": one["id"], "name": one["name"], "type": kind, "properties": one.get("properties", {})}
        for one in world.resources.values()
        if str(one.get("type", "")).lower() == kind
    ]


def _changes(world: World) -> list[Row]:
    """Changes as Resource Graph derives them: one per write that succeeded."""
    rows = []
    for event in world.activity:
        operation = str(event.get("operationName", {}).get("value", ""))
        verb = operation.rsplit("/", 1)[-1].lower()
        if event.get("status", {}).get("value") != "Succeeded" or verb not in ("write", "delete"):
            continue
        target = str(event["resourceId"])
        top = "/".join(target.split("/")[:9])
        changed = "Delete" if verb == "delete" and top == target else "Update"
        key = stable_guid(f"{target}{event['eventTimestamp']}")
        rows.append(
            {
                "id": f"{top}/providers/Microsoft.Resources/changes/{key}",
                "name": key,
                "type": "microsoft.resources/changes",
                "properties": {
                    "targetResourceId": top,
                    "targetResourceType": "/".join(operation.split("/")[:2]).lower(),
                    "changeType": changed,
                    "changeAttributes": {
                        "changesCount": 1,
                        "correlationId": event.get("correlationId"),
                        "timestamp": event["eventTimestamp"],
                        "changedBy": event.get("caller"),
                        "operation": operation,
                    },
                    "changes": {},
                },
            }
        )
    return rows


def _activity(world: World) -> list[Row]:
    rows = []
    for event in world.activity:
        full = full_event(event, world.names.subscription, world.names.tenant)
        rows.append(
            {
                "TimeGenerated": full["eventTimestamp"],
                "OperationNameValue": str(full["operationName"]["value"]).upper(),
                "ActivityStatusValue": {"Succeeded": "Success", "Failed": "Failure", "Started": "Start"}.get(
                    full["status"]["value"], full["status"]["value"]
                ),
                "ActivitySubstatusValue": full["subStatus"]["value"],
                "Caller": full["caller"],
                "CallerIpAddress": "",
                "CategoryValue": full["category"]["value"],
                "Claims": json.dumps(full["claims"]),
                "CorrelationId": full["correlationId"],
                "EventDataId": full["eventDataId"],
                "Level": full["level"],
                "Properties": json.dumps({"entity": full["resourceId"], **full["properties"]}),
                "ResourceGroup": full["resourceGroupName"].upper(),
                "SubscriptionId": full["subscriptionId"],
                "_ResourceId": str(full["resourceId"]).lower(),
            }
        )
    return rows


def _sign_ins(world: World) -> list[Row]:
    """Failed sign-ins of the target's guest as the SecurityEvent table holds them."""
    guest = world.guests.get(world.vm_id.lower(), {})
    rows = []
    for event in guest.get("events", []):
        if event.get("id") != 4625 or not isinstance(event.get("data"), dict):
            continue
        data = event["data"]
        domain, user = str(data.get("TargetDomainName", "")), str(data.get("TargetUserName", ""))
        kind = str(data.get("LogonType", "3"))
        rows.append(
            {
                "TimeGenerated": event["time"],
                "Computer": guest["os"]["computer_name"],
                "EventID": 4625,
                "LogonType": int(kind) if kind.isdigit() else 3,
                "Account": f"{domain}\\{user}",
                "TargetUserName": user,
                "TargetDomainName": domain,
                "IpAddress": str(data.get("IpAddress", "-")),
                "IpPort": str(data.get("IpPort", "0")),
                "WorkstationName": str(data.get("WorkstationName", "-")),
                "LogonProcessName": str(data.get("LogonProcessName", "NtLmSsp ")),
                "Status": str(data.get("Status", "")).lower(),
                "SubStatus": str(data.get("SubStatus", "")).lower(),
                "_ResourceId": world.vm_id.lower(),
            }
        )
    return rows


def _strings(names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), "string")


GRAPH_TABLES = {
    "resource_annotations": Table(
        {**_strings("id name type subscriptionId resourceGroup location"), "properties": "object"}, _annotations
    ),
    "address_owners": Table({**_strings("id type resourceGroup address"), "unattached": "bool"}, _address_owners),
    "private_dns_links": Table({**_strings("id name type"), "properties": "object"}, _private_dns_links),
    "changes": Table({**_strings("id name type"), "properties": "object"}, _changes),
}
LOG_TABLES = {
    "activity": Table(
        {
            "TimeGenerated": "datetime",
            **_strings(
                "OperationNameValue ActivityStatusValue ActivitySubstatusValue Caller CallerIpAddress CategoryValue "
                "Claims CorrelationId EventDataId Level Properties ResourceGroup SubscriptionId _ResourceId"
            ),
        },
        _activity,
    ),
    "sign_ins": Table(
        {
            "TimeGenerated": "datetime",
            "Computer": "string",
            "EventID": "int",
            "LogonType": "int",
            **_strings(
                "Account TargetUserName TargetDomainName IpAddress IpPort WorkstationName LogonProcessName Status "
                "SubStatus _ResourceId"
            ),
        },
        _sign_ins,
    ),
}


def _name(query: str) -> str | None:
    match = _NAMED.match(query.split("\n", 1)[0])
    return match.group(1) if match else None


def _projection(query: str, table: Table) -> dict[str, str] | None:
    """Returns the columns of the last `| project` by name; None when one of them is not known."""
    found = _PROJECT.findall(query)
    if not found:
        return {name: name for name in table.columns}
    chosen: dict[str, str] = {}
    for part in found[-1].split(","):
        alias, _, source = part.strip().partition("=")
        source = source.strip() or alias.strip()
        column, dot, _ = source.partition(".")
        if column not in table.columns or (dot and table.columns[column] != "object"):
            return None
        chosen[alias.strip()] = source
    return chosen


async def resource_graph(call: Call) -> Reply:
    """POST of a Resource Graph query: a list of objects, or columns and rows; resultTruncated is a string."""
    body = call.json()
    query = str(body.get("query", ""))
    name = _name(query) or ""
    table = _inventory_table(name, body) or GRAPH_TABLES.get(name)
    columns = _projection(query, table) if table else None
    if table is None or columns is None:
        raise ArmError(
            400,
            "BadRequest",
            "Please provide below info when asking for support: timestamp, correlationId.",
            details=[{"code": "InvalidQuery", "message": "Query is invalid. Please refer to the documentation."}],
        )
    asked = {m.lower() for m in _ID.findall(query)}
    found = table.rows(call.world) if not asked or any(_concerns(a, call.world) for a in asked) else []
    options = body.get("options") or {}
    first, last, token = arm_inventory.page(options, name, len(found))
    rows = [{alias: arm_inventory.value(row, source) for alias, source in columns.items()} for row in found[first:last]]
    data: Any = rows
    if str(options.get("resultFormat", "objectArray")).lower() == "table":
        data = {
            "columns": [{"name": a, "type": table.columns.get(s, "object")} for a, s in columns.items()],
            "rows": [[row[a] for a in columns] for row in rows],
        }
    headers = {"x-ms-user-quota-remaining": "14", "x-ms-user-quota-resets-after": "00:00:05"}
    truncated = "true" if token else "false"
    answer: Row = {
        "totalRecords": len(found), "count": len(rows), "data": data, "facets": [], "resultTruncated": truncated
    }  # fmt: skip
    return Reply(200, {**answer, "$skipToken": token} if token else answer, headers)


def _inventory_table(name: str, body: Row) -> Table | None:
    """The table of a bulk read, such as `inventory-virtualMachines`; None when the name is none of them."""
    kind = arm_inventory.TYPES.get(name.removeprefix("inventory-"))
    if kind is None or not name.startswith("inventory-"):
        return None
    subscriptions = [str(one) for one in body.get("subscriptions") or ()]
    return Table(arm_inventory.COLUMNS, lambda world: _Rows(arm_inventory.resources(world, kind, subscriptions)))


class _Rows(Sequence[Row]):
    """Resources as rows, made when they are looked at."""

    def __init__(self, resources: Sequence[Row]) -> None:
        self._resources = resources

    def __len__(self) -> int:
        return len(self._resources)

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [arm_inventory.row_of(one) for one in self._resources[index]]
        return arm_inventory.row_of(self._resources[index])


def _concerns(resource_id: str, world: World) -> bool:
    return resource_id in {i.lower() for i in world.names.role_ids.values()} or resource_id in world.resources


def _log_table(name: str) -> Table | None:
    found = log_tables.TABLES.get(name)
    return Table(*found) if found else None


async def log_analytics(call: Call) -> Reply:
    """POST /v1/workspaces/{id}/query: one table PrimaryResult; an unknown query gets the service's 400."""
    if call.params["workspace"].lower() != call.world.names.workspace.lower():
        raise ArmError(404, "WorkspaceNotFoundError", "The workspace could not be found.")
    query = str(call.json().get("query", ""))
    name = _name(query)
    table = LOG_TABLES.get(name or "") or _log_table(name or "")
    columns = _projection(query, table) if table else None
    if table is None or columns is None:
        error = ArmError(400, "BadArgumentError", "The request had some invalid properties")
        error.body["error"]["innererror"] = {
            "code": "SemanticError",
            "message": "A semantic error occurred.",
            "innererror": {"code": "SEM0100", "message": f"The lab knows no query {name!r} with these columns."},
        }
        raise error
    rows = [[row.get(source) for source in columns.values()] for row in table.rows(call.world)]
    shown = [{"name": alias, "type": table.columns[source]} for alias, source in columns.items()]
    return Reply(200, {"tables": [{"name": "PrimaryResult", "columns": shown, "rows": rows}]})


def routes() -> list[Route]:
    """The routes of this area."""
    graph = "/providers/Microsoft.ResourceGraph/resources"
    logs = "/v1/workspaces/{workspace}/query"
    return [
        Route("POST", graph, "Microsoft.ResourceGraph/resources/read", resource_graph, kind="query"),
        Route("POST", logs, "Microsoft.OperationalInsights/workspaces/query/read", log_analytics, kind="query"),
    ]
