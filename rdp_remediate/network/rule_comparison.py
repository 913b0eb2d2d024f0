"""Whether an NSG rule or a route that ARM shows is the one that we wrote, whatever it adds of its own."""

from typing import Any

from rdp_remediate.models.base import JsonObject

_COMPARED = (
    "protocol",
    "access",
    "direction",
    "priority",
    "description",
    "sourcePortRange",
    "sourcePortRanges",
    "destinationPortRange",
    "destinationPortRanges",
    "sourceAddressPrefix",
    "sourceAddressPrefixes",
    "destinationAddressPrefix",
    "destinationAddressPrefixes",
    "sourceApplicationSecurityGroups",
    "destinationApplicationSecurityGroups",
)
_ROUTE = ("addressPrefix", "nextHopType", "nextHopIpAddress")


def same_rule(shown: JsonObject, written: JsonObject) -> bool:
    """True if the two bodies mean the same rule: ARM adds [] for empty plurals, keeps or changes case, and adds its own fields."""
    left, right = _properties(shown), _properties(written)
    return all(_normal(left.get(key)) == _normal(right.get(key)) for key in _COMPARED)


def _properties(body: JsonObject) -> JsonObject:
    inner = body.get("properties")
    return inner if isinstance(inner, dict) else body


def _normal(value: Any) -> Any:
    if value in (None, "", []):
        return None
    if isinstance(value, list):
        return sorted(str(one).lower() for one in value)
    return str(value).lower()


def same_route(shown: JsonObject, written: JsonObject) -> bool:
    """True if the two bodies mean the same route."""
    left, right = _properties(shown), _properties(written)
    return all(_normal(left.get(key)) == _normal(right.get(key)) for key in _ROUTE)
