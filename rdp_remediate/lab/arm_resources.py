"""Microsoft.Resources and Microsoft.Authorization: groups, tags, locks, permissions, role assignments, lists."""

import re
from typing import Any

from rdp_remediate.lab.arm_http import GROUP, SUB, ArmError, Call, Reply, Route, group_not_found, not_found
from rdp_remediate.lab.healthy import Resource
from rdp_remediate.lab.rbac import lock_scope

_EQUALS = re.compile(r"(\w+)\s+eq\s+'([^']*)'", re.IGNORECASE)
_NO_RESOURCE = ("microsoft.resources/resourcegroups", "microsoft.resources/subscriptions")


async def get_group(call: Call) -> Reply:
    """GET of a resource group."""
    group = call.world.resources.get(call.path.lower())
    if group is None:
        raise group_not_found(call.params["rg"])
    return Reply(200, {**group, "type": "Microsoft.Resources/resourceGroups"})


async def list_groups(call: Call) -> Reply:
    """Lists the resource groups."""
    return Reply(200, {"value": list(call.world.of_type("Microsoft.Resources/resourceGroups"))})


async def list_generic(call: Call) -> Reply:
    """GET /resources: ids, types and tags only, filtered by resourceType, name or a tag."""
    scope = call.parent()
    clauses = {k.lower(): v.lower() for k, v in _EQUALS.findall(call.query.get("$filter", ""))}
    found = []
    for rid, resource in call.world.resources.items():
        kind = str(resource.get("type", "")).lower()
        if not rid.startswith(f"{scope.lower()}/") or kind in _NO_RESOURCE:
            continue
        tags = {k.lower(): str(v).lower() for k, v in (resource.get("tags") or {}).items()}
        wanted = (
            clauses.get("resourcetype", kind) == kind
            and clauses.get("name", str(resource["name"]).lower()) == str(resource["name"]).lower()
            and ("tagname" not in clauses or clauses["tagname"] in tags)
            and ("tagvalue" not in clauses or tags.get(clauses.get("tagname", "")) == clauses["tagvalue"])
        )
        if wanted:
            found.append({k: resource[k] for k in ("id", "name", "type", "location", "tags", "sku") if k in resource})
    return Reply(200, {"value": found})


def _tagged(call: Call) -> Resource:
    scope = call.parent(4)
    resource = call.world.resources.get(scope.lower())
    if resource is None:
        raise group_not_found(scope.rsplit("/", 1)[1]) if "/providers/" not in scope.lower() else not_found(scope)
    return resource


def _tag_answer(call: Call, resource: Resource) -> Reply:
    return Reply(
        200,
        {
            "id": call.path,
            "name": "default",
            "type": "Microsoft.Resources/tags",
            "properties": {"tags": dict(resource.get("tags") or {})},
        },
    )


async def get_tags(call: Call) -> Reply:
    """GET of the tags of a resource, group or subscription."""
    return _tag_answer(call, _tagged(call))


async def change_tags(call: Call) -> Reply:
    """PUT replaces the tags; PATCH merges, replaces or deletes them."""
    resource, body = _tagged(call), call.json()
    tags: dict[str, Any] = dict((body.get("properties") or {}).get("tags") or {})
    operation = str(body.get("operation", "Replace" if call.method == "PUT" else "")).lower()
    if operation == "replace":
        resource["tags"] = tags
    elif operation == "merge":
        resource["tags"] = {**(resource.get("tags") or {}), **tags}
    elif operation == "delete":
        resource["tags"] = {k: v for k, v in (resource.get("tags") or {}).items() if k not in tags}
    else:
        raise ArmError(400, "InvalidTagOperation", "The operation must be Merge, Replace or Delete.")
    await call.world.changed()
    return _tag_answer(call, resource)


def _scope(call: Call) -> str:
    return f"/{call.params['scope']}"


async def list_locks(call: Call) -> Reply:
    """Lists the locks at a scope and below it; inherited ones are listed where they are."""
    scope = _scope(call).lower()
    found = [lock for lock in call.world.locks if f"{lock_scope(lock).lower()}/".startswith(f"{scope}/")]
    return Reply(200, {"value": found})


async def list_permissions(call: Call) -> Reply:
    """Lists what the caller may do at a scope, one entry per role."""
    scope = f"{_scope(call).lower()}/"
    mine = [a for a in call.world.assignments if a.object_id == call.principal.object_id]
    value = [
        {
            "actions": list(a.actions),
            "notActions": [*a.not_actions, *call.world.denied_actions],
            "dataActions": [],
            "notDataActions": [],
        }
        for a in mine
        if scope.startswith(f"{a.scope.lower().rstrip('/')}/")
    ]
    return Reply(200, {"value": value})


async def list_role_assignments(call: Call) -> Reply:
    """Lists role assignments at a scope, filtered by `principalId eq` or `assignedTo()`."""
    wanted = re.search(r"(?:principalId\s+eq\s+|assignedTo\()'([^']+)'", call.query.get("$filter", ""), re.IGNORECASE)
    value = [
        {"id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{entry.get('name')}", **entry}
        for scope, entries in call.world.user_roles.items()
        for entry in entries
        if f"{_scope(call).lower()}/".startswith(f"{scope.lower()}/")
        and (wanted is None or str(entry["properties"]["principalId"]).lower() == wanted.group(1).lower())
    ]
    return Reply(200, {"value": value})


_ROLES: dict[str, tuple[str, dict[str, list[str]]]] = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": ("Owner", {"actions": ["*"]}),
    "b24988ac-6180-42a0-ab88-20f7382dd24c": (
        "Contributor",
        {
            "actions": ["*"],
            "notActions": [
                "Microsoft.Authorization/*/Delete",
                "Microsoft.Authorization/*/Write",
                "Microsoft.Authorization/elevateAccess/Action",
            ],
        },
    ),
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": ("Reader", {"actions": ["*/read"]}),
    "9980e02c-c2be-4d73-94e8-173b1dc7cf3c": (
        "Virtual Machine Contributor",
        {"actions": ["Microsoft.Compute/virtualMachines/*", "Microsoft.Network/networkInterfaces/*"]},
    ),
    "1c0163c0-47e6-4577-8991-ea5c82e286e4": (
        "Virtual Machine Administrator Login",
        {
            "actions": ["Microsoft.Compute/virtualMachines/*/read", "Microsoft.Network/networkInterfaces/read"],
            "dataActions": [
                "Microsoft.Compute/virtualMachines/login/action",
                "Microsoft.Compute/virtualMachines/loginAsAdmin/action",
            ],
        },
    ),
    "fb879df8-f326-4884-b1cf-06f3ad86be52": (
        "Virtual Machine User Login",
        {
            "actions": ["Microsoft.Compute/virtualMachines/*/read", "Microsoft.Network/networkInterfaces/read"],
            "dataActions": ["Microsoft.Compute/virtualMachines/login/action"],
        },
    ),
}
"""Built-in roles by their ids: name, and the part of their permissions that matters to signing in."""


async def get_role_definition(call: Call) -> Reply:
    """GET of a built-in role's definition; a role of another id does not exist here."""
    name = call.params["name"].lower()
    if name not in _ROLES:
        raise ArmError(
            404, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{name}' does not exist."
        )
    title, own = _ROLES[name]
    permission = {key: own.get(key, []) for key in ("actions", "notActions", "dataActions", "notDataActions")}
    return Reply(
        200,
        {
            "properties": {
                "roleName": title,
                "type": "BuiltInRole",
                "description": "",
                "assignableScopes": ["/"],
                "permissions": [permission],
            },
            "id": call.path,
            "type": "Microsoft.Authorization/roleDefinitions",
            "name": name,
        },
    )


def routes() -> list[Route]:
    """The routes of this area."""
    authorization = "/{scope*}/providers/Microsoft.Authorization"
    tags = "/{scope*}/providers/Microsoft.Resources/tags/default"
    generic = "Microsoft.Resources/subscriptions/resources/read"
    return [
        Route("GET", GROUP, "Microsoft.Resources/subscriptions/resourceGroups/read", get_group),
        Route("GET", f"{SUB}/resourceGroups", "Microsoft.Resources/subscriptions/resourceGroups/read", list_groups, 1),
        Route("GET", f"{SUB}/resources", generic, list_generic, 1),
        Route("GET", f"{GROUP}/resources", generic, list_generic, 1),
        Route("GET", tags, "Microsoft.Resources/tags/read", get_tags, 4),
        Route("PUT", tags, "Microsoft.Resources/tags/write", change_tags, 4),
        Route("PATCH", tags, "Microsoft.Resources/tags/write", change_tags, 4),
        Route("GET", f"{authorization}/locks", "Microsoft.Authorization/locks/read", list_locks, 3),
        Route("GET", f"{authorization}/permissions", "Microsoft.Authorization/permissions/read", list_permissions, 3),
        Route(
            "GET",
            f"{authorization}/roleAssignments",
            "Microsoft.Authorization/roleAssignments/read",
            list_role_assignments,
            3,
        ),
        Route(
            "GET",
            f"{authorization}/roleDefinitions/{{name}}",
            "Microsoft.Authorization/roleDefinitions/read",
            get_role_definition,
            4,
        ),
    ]
