"""The section sign_ins of the guest's answer: how many failed, and how the asked user fared."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from rdp_remediate.lab.guest_runtime import GuestState
from rdp_remediate.lab.guests.moments import moment, utc_text

Answer = dict[str, Any]
_WINDOW_S = 900
_GUESSED = {"0", "C0000064", "C000006A", "C000006D", "C0000234"}
_MOST_KINDS = 6
_RCM = "Microsoft-Windows-TerminalServices-RemoteConnectionManager/Operational"
_AAD = "Microsoft-Windows-AAD/Operational"


def sign_ins(state: GuestState, user: str | None) -> Answer:
    """Returns the section for a request that names this user or nobody."""
    failed = list(_events(state, "Security", {4625}, timedelta(seconds=_WINDOW_S)))
    sources = {data.get("IpAddress") for _, data in failed}
    answer: Answer = {"window_s": _WINDOW_S, "failed": len(failed), "sources": len(sources - {None, "", "-"})}
    other = sum(_reason(data) not in _GUESSED for _, data in failed)
    if other:
        answer["not_guessed"] = other
    if user:
        answer["asked"] = _asked(state, user)
    return answer


def _events(state: GuestState, log: str, ids: set[int], span: timedelta) -> Iterator[tuple[Answer, Answer]]:
    """The events of a log with their named data, the newest first."""
    since = moment(state["now"]) - span
    found = [one for one in state["events"] if one["log"] == log and one["id"] in ids and moment(one["time"]) >= since]
    for one in sorted(found, key=lambda one: moment(one["time"]), reverse=True):
        yield one, one["data"] if isinstance(one.get("data"), dict) else {}


def _status(text: Any) -> str:
    digits = str(text or "0").lower().removeprefix("0x").upper().rjust(8, "0")[-8:]
    return digits if re.fullmatch("[0-9A-F]{8}", digits) and digits != "00000000" else "0"


def _reason(data: Answer) -> str:
    sub_status = _status(data.get("SubStatus"))
    return sub_status if sub_status != "0" else _status(data.get("Status"))


def _asked(state: GuestState, user: str) -> Answer:
    place, slash, name = user.partition("\\")
    if not slash:
        place, name = "", user
    if place == ".":
        place = state["os"]["computer_name"]
    names = {name.lower(), name.partition("@")[0].lower()}

    def is_asked(who: Any, where: Any) -> bool:
        if str(who or "").lower() not in names:
            return False
        known, own = str(where or "").lower(), place.lower()
        if not own or not known or known == own or known.startswith(f"{own}.") or own.startswith(f"{known}."):
            return True
        return "azuread" not in (own, known) and not state["os"].get("part_of_domain")

    day = timedelta(days=1)
    answer: Answer = {"failures": []}
    kinds: dict[tuple[Any, ...], Answer] = {}
    for event, data in _events(state, "Security", {4625, 4740, 4825}, day):
        at = utc_text(moment(event["time"]))
        if event["id"] == 4740 and is_asked(data.get("TargetUserName"), ""):
            answer.setdefault("locked_out", at)
        elif event["id"] == 4825 and is_asked(data.get("AccountName"), data.get("AccountDomain")):
            answer.setdefault("denied", at)
        elif event["id"] == 4625 and is_asked(data.get("TargetUserName"), data.get("TargetDomainName")):
            row = {
                "status": _status(data.get("Status")),
                "sub_status": _status(data.get("SubStatus")),
                "type": int(data["LogonType"]),
                "address": str(data.get("IpAddress", "")),
            }
            kinds.setdefault(tuple(row.values()), {**row, "count": 0, "last": at})["count"] += 1
    # The newest of each kind before further addresses of the same kind.
    firsts = {key[:3]: row for key, row in reversed(kinds.items())}
    rows = [row for key, row in kinds.items() if firsts[key[:3]] is row]
    rows += [row for key, row in kinds.items() if firsts[key[:3]] is not row]
    answer["failures"] = rows[:_MOST_KINDS]
    for event, data in _events(state, "Security", {4624}, day):
        if not is_asked(data.get("TargetUserName"), data.get("TargetDomainName")):
            continue
        if str(data.get("LogonType")) in ("7", "10"):
            answer.setdefault("signed_in", utc_text(moment(event["time"])))
        elif str(data.get("LogonType")) == "3":
            answer.setdefault("authenticated", utc_text(moment(event["time"])))
    for event, data in _events(state, _RCM, {1149}, day):
        if is_asked(data.get("Param1"), data.get("Param2")):
            answer["authenticated"] = max(answer.get("authenticated") or "", utc_text(moment(event["time"])))
            break
    if place.lower() == "azuread":
        answer["entra"] = _entra(state)
    return answer


def _entra(state: GuestState) -> list[Answer]:
    told: dict[str, str] = {}
    for event, data in _events(state, _AAD, {1081, 1098}, timedelta(days=1)):
        found = re.search(r"AADSTS(\d{4,9})", " ".join(str(value) for value in data.values()))
        if found:
            told.setdefault(found[1], utc_text(moment(event["time"])))
    return [{"code": code, "last": last} for code, last in list(told.items())[:4]]
