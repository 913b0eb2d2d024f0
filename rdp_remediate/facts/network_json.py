"""Reads fields of ARM JSON that may hold anything: what has the wrong shape is left out and noted, never raised."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]
NOTHING: Json = {}


def mapping(value: object) -> Json:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else NOTHING


def properties(resource: object) -> Json:
    """The `properties` of a resource; a resource without that wrapper (effective rules) is its own properties."""
    whole = mapping(resource)
    inner = whole.get("properties")
    return inner if isinstance(inner, Mapping) else whole


def objects(value: object) -> Iterator[Json]:
    """The objects of a list; anything else in it is skipped."""
    if isinstance(value, list | tuple):
        for item in value:
            if isinstance(item, Mapping):
                yield item


def text(value: object) -> str:
    """The value if it is text, stripped, else the empty string."""
    return value.strip() if isinstance(value, str) else ""


def arm_id(value: object) -> str:
    """The `id` of a reference such as `{"id": "/subscriptions/…"}`, or of plain text, as ARM spells it."""
    return text(value.get("id")) if isinstance(value, Mapping) else text(value)


def key(value: object) -> str:
    """The id by which resources are compared: lower case, without a trailing slash."""
    return arm_id(value).rstrip("/").lower()


def arm_id_of(resource: Json, resource_key: str) -> str:
    """A resource's id as ARM spells it; one that names another resource is not believed, the key counts."""
    spelled = text(resource.get("id")).rstrip("/")
    return spelled if spelled.lower() == resource_key else resource_key


def keys(value: object) -> tuple[str, ...]:
    """The ids of a list of references, in order, each once."""
    if not isinstance(value, list | tuple):
        return ()
    return tuple(dict.fromkeys(found for item in value if (found := key(item))))


def whole_number(value: object) -> int | None:
    """An integer given as number or as text, else None. `true` is no number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]{1,10}\s*", value):
        return int(value)
    return None


def last_segment(arm: str) -> str:
    """The name at the end of an ARM id."""
    return arm.rstrip("/").rsplit("/", 1)[-1]


def parent(arm: str) -> str:
    """The id of the resource that holds this child (two segments less)."""
    return arm.rstrip("/").rsplit("/", 2)[0]


def resource_type(resource_key: str) -> str:
    """The type of a lower-case ARM id, for example `microsoft.network/virtualnetworks/subnets`; else empty."""
    _, found, rest = resource_key.rpartition("/providers/")
    parts = rest.split("/") if found else []
    if len(parts) < 3:
        return ""
    return "/".join([parts[0], *parts[1::2]])
