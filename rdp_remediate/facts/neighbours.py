"""VMs beside the target: where they are found in a virtual network, and whether one may be asked to probe. Pure.

A VM is asked only when its own tag `rdp-remediate-neighbour` is `allow`; tags of its group or subscription never opt it in,
but may forbid: `rdp-remediate: off` and `rdp-remediate-guest-reads: never` do, on any of the three. ARM lists the IP
configurations of a subnet in its virtual network, learn.microsoft.com/rest/api/virtualnetwork/virtual-networks/get.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rdp_remediate.facts import references
from rdp_remediate.facts.policy import resolve_mode
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Mode
from rdp_remediate.models.fact import Fact

NEIGHBOUR_TAG = "rdp-remediate-neighbour"
_NIC = "/networkinterfaces/"


def nics_beside(vnets: Sequence[JsonObject], own_nics: Sequence[JsonObject], subscription: str) -> list[str]:
    """The NICs of other VMs in these VNets: those of the target's subnets first, then by id.

    Args:
        vnets: The VNets of the target.
        own_nics: The target's NICs.
        subscription: Id of the target's subscription; NICs of another one are left out.
    """
    mine = {str(nic.get("id", "")).lower() for nic in own_nics}
    near = {subnet for nic in own_nics for subnet in references.subnets_of(nic)}
    found: dict[str, tuple[bool, str]] = {}
    for vnet in vnets:
        for subnet in _objects(_object(vnet.get("properties")).get("subnets")):
            far = str(subnet.get("id", "")).lower() not in near
            for one in _objects(_object(subnet.get("properties")).get("ipConfigurations")):
                nic = references.parent(str(one.get("id") or ""))
                key = nic.lower()
                if _NIC in key and key.startswith(f"{subscription.lower()}/") and key not in mine:
                    found[nic] = min(found.get(nic, (True, key)), (far, key))
    return sorted(found, key=lambda nic: found[nic])


def opted_in(vm: JsonObject) -> bool:
    """Whether a VM's own tag lets it be asked."""
    tags = {key.lower(): value.strip().lower() for key, value in references.tags_of(vm).items()}
    return tags.get(NEIGHBOUR_TAG) == "allow"


def forbidden_by_tag(scopes: Sequence[tuple[str, Fact[Mapping[str, str]]]], guest_reads: str) -> str | None:
    """Why a VM that opted in is not asked all the same, or None; tags that could not be read forbid.

    Args:
        scopes: Name and tags of the VM, its resource group and its subscription.
        guest_reads: The setting.
    """
    resolved = resolve_mode(
        ceiling=Mode.OBSERVE, untagged=Mode.OBSERVE, requested=None, scopes=scopes, guest_reads=guest_reads
    )
    if resolved.mode is Mode.OFF or not resolved.readable:
        return resolved.because
    return "guest_reads is never for it" if resolved.guest_reads == "never" else None


def _object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[JsonObject]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
