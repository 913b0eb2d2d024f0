"""The instances of the VMAccess extension on a VM, as its instance view and its own list show them."""

from dataclasses import dataclass
from typing import Any

from rdp_remediate.models.base import JsonObject

_HANDLER = "vmaccessagent"


@dataclass(frozen=True)
class VmAccess:
    """One instance; `domain_controller` when it said that it does not work on one."""

    name: str
    domain_controller: bool


def read_vm_access(vm: JsonObject) -> tuple[VmAccess, ...]:
    """Reads the instances out of a VM resource with its instance view.

    Raises:
        TypeError: The instance view is missing, so that nothing is known.
    """
    properties = vm.get("properties")
    view = properties.get("instanceView") if isinstance(properties, dict) else None
    if not isinstance(view, dict):
        raise TypeError("the VM has no instance view")
    found: dict[str, VmAccess] = {}
    for one in _objects(view.get("extensions")):
        if _HANDLER in str(one.get("type", "")).lower():
            said = " ".join(str(status.get("message", "")) for status in _objects(one.get("statuses"))).lower()
            name = str(one.get("name", ""))
            found[name.lower()] = VmAccess(name, "domain controller" in said)
    for one in _objects(vm.get("resources")):
        own = one.get("properties")
        if isinstance(own, dict) and str(own.get("type", "")).lower() == _HANDLER:
            name = str(one.get("name") or str(one.get("id", "")).rsplit("/", 1)[-1])
            found.setdefault(name.lower(), VmAccess(name, False))
    return tuple(found.values())


def _objects(value: Any) -> list[JsonObject]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
