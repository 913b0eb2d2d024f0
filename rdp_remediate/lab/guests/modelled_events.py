"""The section events of the guest's answer: what Windows logged about its own faults."""

from datetime import timedelta
from typing import Any

from rdp_remediate.lab.guest_runtime import GuestState
from rdp_remediate.lab.guests.moments import moment, utc_text

Answer = dict[str, Any]
_DAYS = 7
_MOST = 24
_RCM = "Microsoft-Windows-TerminalServices-RemoteConnectionManager"

EVENTS: dict[tuple[str, str], tuple[int, ...]] = {
    ("System", _RCM): (1006, 1035, 1036, 1050, 1051, 1052, 1053, 1054, 1055, 1057, 1058, 1059, 1064, 1065, 1068, 1069, 1128),
    (f"{_RCM}/Admin", _RCM): (1068, 1069, 1128, 20499),
    ("System", "Schannel"): (36870, 36871, 36872, 36874, 36886, 36888),
    ("System", "TermDD"): (50, 56),
    ("System", "Service Control Manager"): (7000, 7001, 7003, 7009, 7011, 7022, 7023, 7024, 7031, 7034, 7038),
    ("System", "NETLOGON"): (3210, 5719, 5722),
    ("System", "Microsoft-Windows-Security-Kerberos"): (6,),
    ("System", "Microsoft-Windows-Directory-Services-SAM"): (16965,),
    ("System", "Tcpip"): (4199, 4227, 4231),
    ("System", "Microsoft-Windows-WER-SystemErrorReporting"): (1001,),
    ("System", "Microsoft-Windows-Kernel-Power"): (41,),
    ("System", "EventLog"): (6008,),
    ("System", "Microsoft-Windows-Resource-Exhaustion-Detector"): (2004,),
    ("System", "disk"): (153, 157),
}  # fmt: skip
"""Log and provider to the ids that are read."""


def logged_events(state: GuestState) -> list[Answer]:
    """Returns the kinds of events of the last days, the newest 24, in the order of the answer."""
    since = moment(state["now"]) - timedelta(days=_DAYS)
    quarter = moment(state["now"]) - timedelta(minutes=15)
    told: dict[tuple[Any, ...], Answer] = {}
    for event in state.get("events", []):
        if event["id"] not in EVENTS.get((event["log"], event["provider"]), ()) or moment(event["time"]) < since:
            continue
        values = event["data"].values() if isinstance(event.get("data"), dict) else event.get("data") or []
        data = [str(value)[:80] for value in values][: 1 if event["provider"] == "disk" else 4]
        at = utc_text(moment(event["time"]))
        key = (event["log"], event["provider"], event["id"], *data)
        row = told.setdefault(
            key,
            {
                "at": at, "log": event["log"], "provider": event["provider"], "id": event["id"], "count": 0, "recent": 0,
                "data": data,
            },
        )  # fmt: skip
        row["at"] = max(row["at"], at)
        row["count"] += 1
        row["recent"] += moment(event["time"]) >= quarter
    for row in told.values():
        if row["recent"] < 2:
            del row["recent"]
    return sorted(told.values(), key=lambda row: (row["at"], row["provider"], row["id"], row["data"]))[-_MOST:]
