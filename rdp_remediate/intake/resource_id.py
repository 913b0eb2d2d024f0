"""Reads ARM ids from outside: which VM they name, or which resource on the way to one.

ARM compares ids without case, and answers in any case. The form: /subscriptions/{id}/resourceGroups/{name}/providers/
{namespace}/{type}/{name}, with further {type}/{name} pairs for children and a second "providers" for extension
resources. https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
"""

import re
from dataclasses import dataclass

from rdp_remediate.intake.ignored import Ignored, IgnoredReason
from rdp_remediate.intake.payload import plain, refuse
from rdp_remediate.models.incident import Clue, ClueKind

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NAME = re.compile(r"[\w.()\-]{1,260}")

_NETWORK_CLUES = {
    "networkinterfaces": ClueKind.NETWORK_INTERFACE,
    "networksecuritygroups": ClueKind.NETWORK_SECURITY_GROUP,
    "publicipaddresses": ClueKind.PUBLIC_IP_ADDRESS,
    "virtualnetworks": ClueKind.VIRTUAL_NETWORK,
    "routetables": ClueKind.ROUTE_TABLE,
    "loadbalancers": ClueKind.LOAD_BALANCER,
    "applicationsecuritygroups": ClueKind.APPLICATION_SECURITY_GROUP,
}


@dataclass(frozen=True, slots=True)
class NamedVm:
    """A virtual machine that a payload names.

    Attributes:
        id: Its ARM id as it was written, without child or extension resources.
    """

    id: str


Named = NamedVm | Clue | Ignored
"""What an ARM id leads to."""


def read_resource_id(text: str) -> Named:
    """What an ARM id leads to: a VM, a clue to one or more VMs, or nothing of ours.

    Child resources lead to their parent: a security rule to its security group, an extension to its VM.

    Raises:
        PayloadError: It has the form of an id of ours but holds characters that no such id has.
    """
    segments = text.strip().strip("/").split("/")
    lower = [segment.lower() for segment in segments]
    unrelated = Ignored(IgnoredReason.UNRELATED_RESOURCE, f"{plain(text)} is on no VM's RDP path.")
    if len(segments) < 8 or lower[0] != "subscriptions" or lower[2] != "resourcegroups" or lower[4] != "providers":
        return unrelated
    namespace, kind = lower[5], lower[6]
    if namespace == "microsoft.hybridcompute":
        return Ignored(IgnoredReason.ARC_MACHINE, f"{plain(text)} is an Arc machine, not an Azure VM.")
    if (namespace, kind) == ("microsoft.compute", "virtualmachinescalesets"):
        return Ignored(
            IgnoredReason.SCALE_SET_INSTANCE,
            f"{plain(text)} belongs to a scale set in Uniform mode; its instances are replaced, not repaired.",
        )
    if (namespace, kind) == ("microsoft.security", "locations") and lower[8:9] == ["jitnetworkaccesspolicies"]:
        return Ignored(IgnoredReason.JUST_IN_TIME, f"{plain(text)} is a just-in-time policy; its door is by design.")
    if _extends(lower, 8):
        return unrelated
    if (namespace, kind) == ("microsoft.compute", "virtualmachines"):
        return NamedVm(_checked(segments, 8, text))
    if namespace == "microsoft.network" and kind in _NETWORK_CLUES:
        clue = _NETWORK_CLUES[kind]
        length = 8
        if clue is ClueKind.VIRTUAL_NETWORK and len(segments) >= 10 and lower[8] == "subnets":
            clue, length = ClueKind.SUBNET, 10
        value = _checked(segments, length, text)
        return Clue(kind=clue, value=value, subscription_id=segments[1], resource_group=segments[3])
    return unrelated


def subscription_of(text: str | None) -> str | None:
    """The subscription id that an ARM id begins with, if it is one."""
    segments = (text or "").strip().strip("/").split("/")
    if len(segments) >= 2 and segments[0].lower() == "subscriptions" and _GUID.fullmatch(segments[1]):
        return segments[1]
    return None


def is_subscription_id(text: str) -> bool:
    """Whether the text has the form of a subscription id."""
    return _GUID.fullmatch(text) is not None


def is_object_id(text: str) -> bool:
    """Whether the text has the form of an object id of Microsoft Entra ID, a GUID with dashes."""
    return _GUID.fullmatch(text) is not None


def is_resource_name(text: str) -> bool:
    """Whether the text could be the name of a resource group or resource of ours."""
    return _NAME.fullmatch(text) is not None and text.strip(".") != ""


def last_name(text: str) -> str:
    """The last segment of an ARM id: the name that people know."""
    return text.strip().strip("/").rsplit("/", 1)[-1]


def _extends(lower: list[str], start: int) -> bool:
    """Whether an extension resource other than a health status stands on top (a lock, a tag, a role assignment)."""
    return "providers" in lower[start:] and lower[lower.index("providers", start) + 1 :][:1] != [
        "microsoft.resourcehealth"
    ]


def _checked(segments: list[str], length: int, text: str) -> str:
    used = segments[:length]
    if not is_subscription_id(used[1]):
        refuse(f"The resource id {plain(text)} holds no subscription id")
    if not all(is_resource_name(segment) for segment in used):
        refuse(f"The resource id {plain(text)} holds characters that no such id has")
    return "/" + "/".join(used)
