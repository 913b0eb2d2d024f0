"""ARM resource ids, taken apart and checked before they become part of a URL.

Ids reach us from alerts and event bodies, so they are claims: a segment that could change the request's path or query
is refused here. Source: learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules.
"""

import re
from dataclasses import dataclass

_SEGMENT = re.compile(r"[A-Za-z0-9_(][A-Za-z0-9_.()\-]*", re.ASCII)
_SUBSCRIPTION = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ArmId:
    """One ARM id, its words as they were written.

    Attributes:
        text: The id without a trailing slash.
        subscription: Subscription id.
        group: Resource group; None for an id at subscription scope.
        type: Full resource type in lower case, such as microsoft.network/networksecuritygroups/securityrules; empty
            for a subscription or a resource group.
        names: The name of the resource and, before it, of its parents.
    """

    text: str
    subscription: str
    group: str | None
    type: str
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """The resource's own name; for a scope, the resource group or the subscription."""
        return self.names[-1] if self.names else self.group or self.subscription

    @property
    def key(self) -> str:
        """The id in lower case: Azure's ids are not case-stable."""
        return self.text.lower()


def parse(resource_id: str) -> ArmId | None:
    """The parts of an ARM id, or None when it is none (or one that no Azure resource can have)."""
    text = resource_id.strip().rstrip("/")
    if not text.startswith("/") or len(text) > 2048:
        return None
    segments = text[1:].split("/")
    if not all(_SEGMENT.fullmatch(segment) and segment.strip(".") for segment in segments):
        return None
    if len(segments) < 2 or segments[0].lower() != "subscriptions" or not _SUBSCRIPTION.fullmatch(segments[1]):
        return None
    subscription, rest, group = segments[1], segments[2:], None
    if rest and rest[0].lower() == "resourcegroups":
        if len(rest) < 2:
            return None
        group, rest = rest[1], rest[2:]
    if not rest:
        return ArmId(text, subscription, group, "", ())
    # provider, namespace, then pairs of type and name
    if rest[0].lower() != "providers" or len(rest) < 4 or len(rest) % 2:
        return None
    kinds, names = rest[2::2], rest[3::2]
    return ArmId(text, subscription, group, "/".join([rest[1], *kinds]).lower(), tuple(names))
