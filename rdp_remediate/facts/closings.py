"""Who closed what, and when: the evidence for the rule that a deliberate closing is not reopened unattended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from rdp_remediate.facts.platform import Change
from rdp_remediate.models.guest import GuestChange

ClosingKind = Literal["power", "network", "service", "firewall"]

SYSTEM_SIDS = ("S-1-5-18", "S-1-5-19", "S-1-5-20")
LOOK_BACK = timedelta(days=7)
TOGETHER = timedelta(minutes=30)

_OPENING_START_TYPES = ("auto start", "demand start")
"""Event 7040 gives the new start type as translated text: whatever is not one of these may be a closing."""

_RDP_SERVICES = ("termservice", "mpssvc", "bfe", "umrdpservice", "sessionenv")


@dataclass(frozen=True)
class Closing:
    """One change that may have closed RDP.

    Attributes:
        kind: What was closed.
        at: When.
        author: Who, when evidence names somebody other than SYSTEM; None: not known.
        text: One sentence.
    """

    kind: ClosingKind
    at: datetime
    author: str | None
    text: str


def from_activity(
    changes: Sequence[Change], vm_id: str, nsg_ids: Sequence[str], own: Sequence[str], now: datetime
) -> list[Closing]:
    """Closings that the activity log shows on this VM and on the NSGs in its path, without our own."""
    ours = {one.replace("-", "").lower() for one in own}
    nsgs = {one.lower() for one in nsg_ids}
    found = []
    for change in changes:
        if now - change.at > LOOK_BACK or ours & set(change.principal_ids):
            continue
        operation, resource = change.operation.lower(), change.resource_id.lower()
        kind: ClosingKind
        if operation.endswith(("/deallocate/action", "/poweroff/action")) and resource == vm_id.lower():
            kind = "power"
        elif "/networksecuritygroups/" in operation and resource.split("/securityrules/", 1)[0] in nsgs:
            kind = "network"
        else:
            continue
        text = f"{change.operation} on {change.resource_id.rsplit('/', 1)[-1]} at {change.at:%Y-%m-%d %H:%M}Z"
        found.append(
            Closing(kind, change.at, change.caller or None, f"{text} by {change.caller or 'an unknown caller'}")
        )
    return found


def from_guest(changes: Sequence[GuestChange], now: datetime) -> list[Closing]:
    """Closings that Windows' own logs show."""
    found = []
    for change in changes:
        if now - change.at > LOOK_BACK:
            continue
        kind: ClosingKind
        if (change.what == "service_start_type" and (change.value or "").lower() not in _OPENING_START_TYPES) or (
            change.what == "service_state" and (change.value or "").lower() == "stopped"
        ):
            kind = "service"
        elif change.what in ("firewall_rule", "firewall_setting"):
            kind = "firewall"
        else:
            continue
        if kind == "service" and change.object.lower() not in _RDP_SERVICES:
            continue
        sid = change.user_sid
        author = sid if sid and sid not in SYSTEM_SIDS else None
        text = f"{change.what.replace('_', ' ')} of {change.object} at {change.at:%Y-%m-%d %H:%M}Z"
        found.append(Closing(kind, change.at, author, f"{text} by {author or sid or 'an unknown author'}"))
    return found


def together(closings: Sequence[Closing]) -> tuple[Closing, Closing] | None:
    """Two closings of different kinds within 30 minutes of each other, whoever made them, or None."""
    ordered = sorted(closings, key=lambda closing: closing.at)
    for index, first in enumerate(ordered):
        for second in ordered[index + 1 :]:
            if second.at - first.at > TOGETHER:
                break
            if second.kind != first.kind:
                return first, second
    return None
