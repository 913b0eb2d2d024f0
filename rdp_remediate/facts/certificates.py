"""What the access lists of RDP's private keys say."""

import re

_ENTRY = re.compile(r"\((\w+);[^;]*;([^;]*);[^;]*;[^;]*;([^;)]+)[^)]*\)")
_NETWORK_SERVICE = {"NS", "S-1-5-20", "WD", "S-1-1-0", "AU", "S-1-5-11", "SU", "S-1-5-6", "BU", "S-1-5-32-545"}
"""NETWORK SERVICE and the groups that its processes are in."""
_SYSTEM = {"SY", "S-1-5-18", "BA", "S-1-5-32-544", "WD", "S-1-1-0", "AU", "S-1-5-11"}
"""LocalSystem and the groups that it is in."""
_SERVICE_SID = "S-1-5-80-"
_READ = ("FA", "FR", "GA", "GR")
_WRITE = ("FA", "FW", "GA", "GW")
READ, WRITE = 0x1, 0x2


def network_service_may(sddl: str, right: int) -> bool | None:
    """Whether NETWORK SERVICE, as which TermService runs, has READ or WRITE by an access list; None: it cannot be told."""
    return _may(sddl, right, _NETWORK_SERVICE)


def system_may(sddl: str, right: int) -> bool | None:
    """Whether LocalSystem, as which the collector runs, has READ or WRITE by an access list; None: it cannot be told."""
    return _may(sddl, right, _SYSTEM)


def _may(sddl: str, right: int, sids: set[str]) -> bool | None:
    entries = _ENTRY.findall(sddl)
    if not entries and "D:" not in sddl:
        return None
    allowed = False
    for kind, rights, who in entries:
        if who not in sids and not who.startswith(_SERVICE_SID):
            continue
        if not _grants(rights, right):
            continue
        if kind != "A":
            return False if kind == "D" else None
        allowed = True
    return allowed


def _grants(rights: str, right: int) -> bool:
    if rights.lower().startswith("0x"):
        return bool(int(rights, 16) & right)
    words = _READ if right == READ else _WRITE
    return any(rights[start : start + 2] in words for start in range(0, len(rights), 2))
