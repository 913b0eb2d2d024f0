"""Role assignments of the asked person, as the operation role_assignments answers them."""

from rdp_remediate.models.base import JsonObject
from tests import factories as f
from tests.factories import Change

PERSON = "5c2a0000-0000-4000-8000-0000000000aa"
BASTION = f"{f.GROUP}/providers/Microsoft.Network/bastionHosts/bas-app"
SCOPES = (f.VM, f.NIC, f.VNET, BASTION)


def role(name: str, *, condition: str | None = None, **permissions: list[str]) -> JsonObject:
    """A role as its definition and its assignment together."""
    return {"name": name, "condition": condition, "permissions": permissions}


OWNER = role("Owner", actions=["*"])
READER = role("Reader", actions=["*/read"])
USER_LOGIN = role(
    "Virtual Machine User Login",
    actions=["Microsoft.Compute/virtualMachines/*/read"],
    dataActions=["Microsoft.Compute/virtualMachines/login/action"],
)


def answer(*roles: JsonObject) -> JsonObject:
    """The answer for one scope."""
    base = f"{f.SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/00000000-0000-4000-8000-00000000000"
    return {
        "value": [
            {"properties": {"roleDefinitionId": f"{base}{n}", "principalId": PERSON, "condition": one["condition"]}}
            for n, one in enumerate(roles)
        ],
        "definitions": {
            f"{base}{n}".lower(): {"properties": {"roleName": one["name"], "permissions": [one["permissions"]]}}
            for n, one in enumerate(roles)
        },
    }


def has(*roles: JsonObject, at: tuple[str, ...] = SCOPES) -> Change:
    """The asked person has these roles at these scopes, and none at the others."""

    def change(data: JsonObject) -> None:
        f.target(principal_id=PERSON)(data)
        for scope in SCOPES:
            f.operation("role_assignments", scope, answer(*(roles if scope in at else ())))(data)

    return change
