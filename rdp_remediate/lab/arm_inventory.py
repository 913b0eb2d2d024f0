"""Resource Graph's tables of resources: what the bulk reads of the product are answered from, page by page."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from rdp_remediate.lab.arm_http import ArmError
from rdp_remediate.lab.healthy import Resource
from rdp_remediate.lab.rbac import grants
from rdp_remediate.lab.world import World

MOST_ROWS = 1_000
COLUMNS = {
    **dict.fromkeys(("id", "name", "type", "location", "resourceGroup", "subscriptionId"), "string"),
    **dict.fromkeys(("sku", "tags", "properties"), "object"),
}
"""The columns of tables `resources` and `resourcecontainers` that the lab has."""

SUBSCRIPTIONS = "microsoft.resources/subscriptions"
TYPES = {
    "subscriptions": SUBSCRIPTIONS,
    "virtualMachines": "microsoft.compute/virtualmachines",
    "networkInterfaces": "microsoft.network/networkinterfaces",
    "networkSecurityGroups": "microsoft.network/networksecuritygroups",
    "virtualNetworks": "microsoft.network/virtualnetworks",
    "publicIPAddresses": "microsoft.network/publicipaddresses",
    "loadBalancers": "microsoft.network/loadbalancers",
    "routeTables": "microsoft.network/routetables",
}
"""Resource types by the last word of the query's name."""


def resources(world: World, kind: str, subscriptions: Sequence[str]) -> Sequence[Resource]:
    """The resources of a type in order of their ids; what the caller may not read is left out without a word."""
    asked = frozenset(one.lower() for one in subscriptions)
    if grants(f"{kind}/read", world.denied_actions):
        return ()
    if world.estate is not None:
        return world.estate.of_type(kind, asked)
    if asked and world.names.subscription.lower() not in asked:
        return ()
    return sorted(world.of_type(kind), key=lambda one: str(one["id"]).lower())


def row_of(resource: Resource) -> Resource:
    """A resource as a row: Resource Graph writes types and groups in lower case, ids as ARM spells them."""
    parts = str(resource["id"]).split("/")
    return {
        **resource,
        "type": str(resource["type"]).lower(),
        "subscriptionId": parts[2],
        "resourceGroup": parts[4].lower() if len(parts) > 4 else "",
        "location": resource.get("location", ""),
    }


def value(row: Resource, column: str) -> Any:
    """A column, or a dotted path into a dynamic one; what is not there is null."""
    found: Any = row
    for part in column.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def page(options: dict[str, Any], name: str, total: int) -> tuple[int, int, str | None]:
    """First and last row of the page that is asked for, and the token of the next one.

    Raises:
        ArmError: the token is none of ours, or the page is too large.
    """
    top = options.get("$top", 100)
    if not isinstance(top, int) or not 1 <= top <= MOST_ROWS:
        raise _invalid(f"$top is a number from 1 to {MOST_ROWS}.")
    first = _offset(options["$skipToken"], name) if options.get("$skipToken") else int(options.get("$skip") or 0)
    last = min(first + top, total)
    if last >= total:
        return first, last, None
    token = json.dumps({"name": name, "offset": last}).encode()
    return first, last, base64.urlsafe_b64encode(token).decode()


def _offset(token: Any, name: str) -> int:
    try:
        state = json.loads(base64.urlsafe_b64decode(str(token)))
        offset, of = int(state["offset"]), str(state["name"])
    except (ValueError, TypeError, KeyError, binascii.Error) as error:
        raise _invalid("The skip token is not valid.") from error
    if of != name:
        raise _invalid("The skip token belongs to another query.")
    return offset


def _invalid(message: str) -> ArmError:
    return ArmError(
        400,
        "BadRequest",
        "Please provide below info when asking for support: timestamp, correlationId.",
        details=[{"code": "InvalidQuery", "message": message}],
    )
