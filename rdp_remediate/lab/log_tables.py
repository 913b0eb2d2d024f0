"""What the lab's workspace answers to each named query, computed from the guest's events and the VM's power state."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from rdp_remediate.lab.time_shift import format_moment, parse_moment
from rdp_remediate.lab.world import World, utc_now

Row = dict[str, Any]
GUESSES = ("0xc0000064", "0xc000006a", "0xc000006d", "0xc0000234")


def _events(world: World, wanted: int) -> list[Row]:
    """Security events of the target's guest with their named data."""
    guest = world.guests.get(world.vm_id.lower(), {})
    return [e for e in guest.get("events", []) if e.get("id") == wanted and isinstance(e.get("data"), dict)]


def _type(event: Row) -> int:
    kind = str(event["data"].get("LogonType", "3"))
    return int(kind) if kind.isdigit() else 3


def _reason(event: Row) -> str:
    sub = str(event["data"].get("SubStatus", "")).lower()
    return str(event["data"].get("Status", "")).lower() if sub in ("", "-", "0x0") else sub


def _signed_in(world: World) -> list[Row]:
    guest = world.guests.get(world.vm_id.lower(), {})
    return [
        {
            "TimeGenerated": event["time"],
            "Computer": guest["os"]["computer_name"],
            "LogonType": _type(event),
            "TargetUserName": str(event["data"].get("TargetUserName", "")),
            "TargetDomainName": str(event["data"].get("TargetDomainName", "")),
            "IpAddress": str(event["data"].get("IpAddress", "-")),
        }
        for event in _events(world, 4624)
        if _type(event) in (7, 10)
    ]


def _reasons(world: World) -> list[Row]:
    groups: dict[tuple[str, int], list[Row]] = {}
    for event in _events(world, 4625):
        groups.setdefault((_reason(event), _type(event)), []).append(event)
    return [
        {
            "Reason": reason,
            "LogonType": kind,
            "Failures": len(events),
            "Sources": len({e["data"].get("IpAddress") for e in events}),
            "Accounts": len({e["data"].get("TargetUserName") for e in events}),
            "FirstAt": min(e["time"] for e in events),
            "LastAt": max(e["time"] for e in events),
        }
        for (reason, kind), events in groups.items()
    ]


def _age(event: Row) -> timedelta:
    at: datetime = parse_moment(str(event["time"]))
    return utc_now() - at


def _brute_force(world: World) -> list[Row]:
    security = [*_events(world, 4624), *_events(world, 4625)]
    guesses = [e for e in _events(world, 4625) if _age(e) < timedelta(minutes=30) and _reason(e) in GUESSES]
    return [
        {
            "Seen": len([e for e in security if _age(e) < timedelta(days=1)]),
            "Guesses": len(guesses),
            "Sources": len({e["data"].get("IpAddress") for e in guesses}),
            "LastAt": max((e["time"] for e in guesses), default=None),
        }
    ]


def _heartbeat(world: World) -> list[Row]:
    if world.power_state(world.vm_id) != "running":
        return []
    now = utc_now()
    return [
        {
            "Category": "Azure Monitor Agent",
            "Version": "1.30.0.0",
            "OSType": "Windows",
            "ComputerIP": "",
            "Beats": 60,
            "FirstAt": format_moment(now - timedelta(hours=1)),
            "LastAt": format_moment(now),
        }
    ]


def _no_rows(_: World) -> list[Row]:
    return []


def _columns(strings: str = "", integers: str = "", times: str = "") -> dict[str, str]:
    return {
        **dict.fromkeys(times.split(), "datetime"),
        **dict.fromkeys(strings.split(), "string"),
        **dict.fromkeys(integers.split(), "long"),
    }


TABLES: dict[str, tuple[dict[str, str], Callable[[World], Sequence[Row]]]] = {
    "signed_in": (_columns("Computer TargetUserName TargetDomainName IpAddress", "LogonType", "TimeGenerated"), _signed_in),
    "sign_in_reasons": (_columns("Reason", "LogonType Failures Sources Accounts", "FirstAt LastAt"), _reasons),
    "brute_force": (_columns("", "Seen Guesses Sources", "LastAt"), _brute_force),
    "heartbeat": (_columns("Category Version OSType ComputerIP", "Beats", "FirstAt LastAt"), _heartbeat),
    "denied_flows": (
        _columns("SrcIp SrcPublicIps DestIp AclGroup AclRule FlowType", "Flows", "FirstAt LastAt"), _no_rows
    ),
    "guest_events": (
        _columns("EventLog Source EventLevelName UserName RenderedDescription", "EventID", "TimeGenerated"), _no_rows
    ),
    "agent": (_columns("OperationCategory OperationStatus Detail", "", "TimeGenerated"), _no_rows),
}  # fmt: skip
