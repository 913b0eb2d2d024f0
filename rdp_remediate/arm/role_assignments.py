"""Which roles a person has at a scope, and what these roles allow."""

import re
from collections.abc import Mapping

from rdp_remediate.arm.ids import ArmId
from rdp_remediate.arm.reading import Reading, UnreadError
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Reason

_API = "2022-04-01"
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DEFINITION = re.compile(
    r"/(?:[\w().-]+/)*providers/Microsoft\.Authorization/roleDefinitions/[0-9a-f-]{36}", re.IGNORECASE
)
_MOST_DEFINITIONS = 40


async def read_role_assignments(reading: Reading, arm: ArmId, arguments: Mapping[str, str]) -> JsonObject:
    """The assignments of `principal` at the scope and above it, groups included, with the definition of each role.

    `assignedTo` follows groups, also nested ones; `atScope` leaves out what is below the scope. Deny assignments are not
    read: a role in the answer proves no access.
    https://learn.microsoft.com/azure/role-based-access-control/role-assignments-list-rest

    Raises:
        UnreadError: No object id was given, or a definition could not be read.
    """
    principal = arguments.get("principal", "")
    if not _GUID.fullmatch(principal):
        raise UnreadError(Reason.MALFORMED, f"{reading.asked}: the object id of the person is no GUID.")
    url = f"{arm.text}/providers/Microsoft.Authorization/roleAssignments"
    wanted = {"api-version": _API, "$filter": f"atScope() and assignedTo('{principal}')"}
    assignments = await reading.pages(url, wanted)
    definitions: dict[str, JsonObject] = {}
    for assignment in assignments:
        named = str((assignment.get("properties") or {}).get("roleDefinitionId") or "")
        if not _DEFINITION.fullmatch(named):
            raise UnreadError(Reason.MALFORMED, f"{reading.asked}: an assignment names no role definition.")
        if named.lower() in definitions:
            continue
        if len(definitions) == _MOST_DEFINITIONS:
            raise UnreadError(Reason.TRUNCATED, f"{reading.asked}: more than {_MOST_DEFINITIONS} roles.")
        definitions[named.lower()] = reading.object(await reading.send("GET", named, {"api-version": _API}))
    return {"principal": principal, "value": assignments, "definitions": definitions}
