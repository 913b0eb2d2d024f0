"""How our NSG rules are named and marked, so that only what is still exactly ours is ever removed.

The description holds the run, the time of expiry and a hash of what the rule admits. NSG rules have no lifetime of
their own. The priority is no part of the hash: just-in-time access may re-number foreign rules, and a re-numbered rule
of ours must still end. Source: network-semantics §7.7 (name at most 80, description at most 140 characters).
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rdp_remediate.facts.network_addresses import prefix_range, texts

_MARK = re.compile(
    r"rdp_remediate id=(?P<run>[A-Za-z0-9._-]*) exp=(?P<exp>never|\d{4}-\d\d-\d\dT\d\d:\d\dZ) h=(?P<hash>[0-9a-f]{8})\Z"
)
_NAME_PREFIX = "rdpr-"


@dataclass(frozen=True, slots=True)
class Marker:
    """What a marked description says; `expires_at` None means that the rule does not expire."""

    run_id: str
    expires_at: datetime | None
    content: str


def rule_name_for(vm: str, ip_configuration: str, nsg: str, *, port: int, sources: tuple[str, ...], family: int) -> str:
    """The name that this access always gets, so that a second run finds the first one's rule."""
    text = "|".join((vm.lower(), ip_configuration.lower(), nsg.lower(), str(port), ",".join(sources), str(family)))
    return f"{_NAME_PREFIX}{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _prefixes(properties: Mapping[str, Any], side: str) -> list[str]:
    found = texts(properties.get(f"{side}AddressPrefix"), properties.get(f"{side}AddressPrefixes"))
    return sorted(str(prefix_range(text) or text) if isinstance(text, str) else str(text) for text in found)


def content_hash(properties: Mapping[str, Any]) -> str:
    """Eight hex digits over what a rule admits: equal for every spelling of the same rule."""
    groups = [
        sorted(str(item).lower() for item in properties.get(f"{side}ApplicationSecurityGroups") or ())
        for side in ("source", "destination")
    ]
    content = [
        *(str(properties.get(name)).casefold() for name in ("direction", "access", "protocol")),
        sorted(map(str, texts(properties.get("sourcePortRange"), properties.get("sourcePortRanges")))),
        sorted(map(str, texts(properties.get("destinationPortRange"), properties.get("destinationPortRanges")))),
        _prefixes(properties, "source"),
        _prefixes(properties, "destination"),
        *groups,
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:8]


def description(run_id: str, expires_at: datetime | None, properties: Mapping[str, Any]) -> str:
    """The marked description of a rule, at most 140 characters."""
    run = re.sub(r"[^A-Za-z0-9._-]", "", run_id)[:64]
    expiry = "never" if expires_at is None else expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
    return f"rdp_remediate id={run} exp={expiry} h={content_hash(properties)}"


def read_marker(text: str) -> Marker | None:
    """What a description says, or None when it is not ours."""
    found = _MARK.match(text.strip())
    if found is None:
        return None
    expires_at = None
    if found["exp"] != "never":
        try:
            expires_at = datetime.strptime(found["exp"], "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC)
        except ValueError:
            return None
    return Marker(found["run"], expires_at, found["hash"])


def is_still_ours(name: str, properties: Mapping[str, Any]) -> bool:
    """Whether a rule has our name and our marker and still admits exactly what we wrote."""
    marker = read_marker(str(properties.get("description") or ""))
    return name.startswith(_NAME_PREFIX) and marker is not None and marker.content == content_hash(properties)
