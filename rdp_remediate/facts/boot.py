"""Where Windows stands in its start: read from the serial log, or told by a person who looked at the boot picture.

Microsoft, "How to use boot diagnostics to troubleshoot virtual machines in Azure" (what the pictures mean) and "SAC
commands" (what EMS writes to the serial port: its greeting at each start, a record in XML for a blue screen). What is
taken from the log is numbers and EMS' own words, which are never translated, where there are any.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Screen(StrEnum):
    """What the boot picture shows; the words of --boot-screen."""

    LOGIN = "login"
    SAFE_MODE = "safe-mode"
    BLUE_SCREEN = "blue-screen"
    BITLOCKER = "bitlocker-recovery"
    UPDATE = "windows-update"
    UPDATE_UNDO = "windows-update-undo"
    GETTING_READY = "getting-ready"
    FEATURES = "working-on-features"
    CHECKING_DISK = "checking-disk"
    SHUTTING_DOWN = "shutting-down"
    RESTARTING = "restarting"
    BOOT_ERROR = "boot-error"
    GROUP_POLICY = "group-policy-wait"
    SESSION_MANAGER = "session-manager-wait"
    OOBE = "oobe"
    BLACK = "black"
    FROZEN_CLOCK = "frozen-clock"


SERVICING = (Screen.UPDATE, Screen.UPDATE_UNDO, Screen.GETTING_READY, Screen.FEATURES, Screen.CHECKING_DISK)
"""Windows is changing itself: a restart would be the damage."""


@dataclass(frozen=True)
class BootLog:
    """What the end of the serial log says.

    Attributes:
        screen: What Windows was doing last, or None when the log does not tell.
        stop_code: Of a blue screen that nothing followed, as a number.
        status: Of a boot manager error that nothing followed, as a number.
        starts: How often Windows began to start without ever having reported that it came up.
    """

    screen: Screen | None = None
    stop_code: int | None = None
    status: int | None = None
    starts: int = 0


_START = re.compile(r"SAC started and initialized", re.IGNORECASE)
_CAME_UP = re.compile(r"Azure VM Health Report", re.IGNORECASE)
_CONSOLE = re.compile(r"EVENT:\s+The CMD command is now available", re.IGNORECASE)
_BLUE_SCREEN = re.compile(r'CLASSNAME="BLUESCREEN"', re.IGNORECASE)
_STOP_CODE = re.compile(r'NAME="STOPCODE"[^>]*>\s*<VALUE>\s*"?(?:0x)?([0-9A-F]{1,16})"?\s*</VALUE>', re.IGNORECASE)
_BOOT_ERROR = re.compile(r"^[^\r\n:]{2,30}:\s*(0xc000[0-9a-f]{4})\s*$", re.IGNORECASE | re.MULTILINE)
_NO_SYSTEM = re.compile(r"operating system wasn't found|INACCESSIBLE_BOOT_DEVICE", re.IGNORECASE)
_CHECKING_DISK = re.compile(
    r"(?:Scanning and repairing drive|Checking file system on)[^\r\n]*|\([A-Z]:\): +\d{1,3}%", re.IGNORECASE
)
_SAFE_MODE = re.compile(r'"safeBoot(?:Mode)?"\s*:\s*(?:true|"(?!none|false|no)\w+")', re.IGNORECASE)

_BOOT_STATUS = frozenset(
    (0xC000000E, 0xC000000F, 0xC0000011, 0xC0000034, 0xC0000098, 0xC00000BA, 0xC000014C, 0xC0000221, 0xC0000225,
     0xC0000359, 0xC0000605)
)  # fmt: skip


_PICTURES = ((b"BM", "image/bmp"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


def picture_type(picture: bytes) -> str | None:
    """The media type of a boot picture by its first bytes, or None when it is no picture."""
    return next((name for magic, name in _PICTURES if picture.startswith(magic)), None)


def read_screen(word: str | None) -> Screen | None:
    """The class that a person named; a word that is no class says nothing."""
    found = (word or "").strip().lower()
    return Screen(found) if found in Screen.__members__.values() else None


def read_log(raw: Any) -> BootLog:
    """Reads the serial log's tail; only what nothing later contradicts counts.

    Raises:
        TypeError: The answer holds no text.
    """
    text = raw.get("text") if isinstance(raw, dict) else None
    if not isinstance(text, str):
        raise TypeError("expected the text of the serial log")
    reports = [found.end() for found in _CAME_UP.finditer(text)]
    starts = [found.start() for found in _START.finditer(text)]
    # Windows was up after the last of these: what stands before it is history.
    alive = max([0, *reports, *(found.end() for found in _CONSOLE.finditer(text)), *starts[-1:]])
    failed_starts = sum(start > max([-1, *reports]) for start in starts)
    crash = _last(_BLUE_SCREEN, text, alive)
    if crash is not None:
        code = _STOP_CODE.search(text, crash)
        return BootLog(Screen.BLUE_SCREEN, stop_code=int(code[1], 16) if code else None, starts=failed_starts)
    statuses = [int(found[1], 16) for found in _BOOT_ERROR.finditer(text, alive)]
    known = [status for status in statuses if status in _BOOT_STATUS]
    if known or _last(_NO_SYSTEM, text, alive) is not None:
        return BootLog(Screen.BOOT_ERROR, status=known[-1] if known else None, starts=failed_starts)
    if _last(_CHECKING_DISK, text, alive) is not None:
        return BootLog(Screen.CHECKING_DISK, starts=failed_starts)
    if reports and _SAFE_MODE.search(text, reports[-1]):
        return BootLog(Screen.SAFE_MODE, starts=failed_starts)
    return BootLog(starts=failed_starts)


def _last(pattern: re.Pattern[str], text: str, begin: int) -> int | None:
    found = None
    for match in pattern.finditer(text, begin):
        found = match.start()
    return found
