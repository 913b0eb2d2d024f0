"""The names inside an ARM id, as the az command line asks for them."""

from typing import Any


def name_of(resource_id: str) -> str:
    """The last name of an ARM id."""
    return resource_id.rstrip("/").rsplit("/", 1)[-1]


def group_of(resource_id: str) -> str:
    """The resource group of an ARM id, or an empty string."""
    parts = resource_id.split("/")
    lower = [part.lower() for part in parts]
    place = lower.index("resourcegroups") + 1 if "resourcegroups" in lower else 0
    return parts[place] if 0 < place < len(parts) else ""


def named(**resource_ids: str) -> dict[str, Any]:
    """Name and group of each resource, for the placeholders of By hand: `nsg` gives `<nsg>` and `<nsg_group>`."""
    found: dict[str, Any] = {}
    for word, resource_id in resource_ids.items():
        if resource_id:
            found[word] = name_of(resource_id)
            found[f"{word}_group"] = group_of(resource_id)
    return found
