"""Words and safe text that all renderings share."""

import unicodedata
from datetime import UTC, datetime

from rdp_remediate.models.plan import JournalEntry, Outcome
from rdp_remediate.models.report import Report

LONGEST = 2_000
"""Characters of one text; no reason, name or id is longer unless somebody means harm."""

VERDICT_WORDS = {
    "reachable": "REACHABLE",
    "broken": "BROKEN",
    "by_design": "CLOSED ON PURPOSE",
    "not_proven": "NOT PROVEN",
}

OUTCOME_WORDS = {
    Outcome.INTENDED: "under way",
    Outcome.APPLIED: "done",
    Outcome.ALREADY_TRUE: "was already so",
    Outcome.STALE: "not done, it had changed meanwhile",
    Outcome.FAILED: "FAILED",
    Outcome.OUTCOME_UNKNOWN: "OUTCOME UNKNOWN",
    Outcome.UNDONE: "undone again",
    Outcome.NOT_STARTED: "not started",
    Outcome.REFUSED: "refused",
}

QUICK_WORDS = {"done": "done", "offered": "offered", "refused": "not done", "not_needed": "not needed"}

PROOF_WORDS = {
    "end_to_end": "end to end",
    "composed": "composed (path, guest port and guest firewall each seen to be open; nobody connected from outside)",
    "none": "none",
}

REASON_WORDS = {
    "forbidden": "access was refused",
    "not_found": "not found",
    "timeout": "no answer in time",
    "busy": "busy",
    "throttled": "throttled",
    "not_running": "the VM is not running",
    "locked": "locked",
    "unreachable": "unreachable",
    "server_error": "server error",
    "not_supported": "not supported",
    "not_configured": "not configured",
    "not_collected": "not collected",
    "malformed": "the answer made no sense",
    "truncated": "the answer was cut off",
}


def plain(text: object, limit: int = LONGEST) -> str:
    """One line of text without control, direction-changing or invisible characters, cut to `limit` characters.

    Text in reports comes from alerts, rule names and Windows; it must not drive a terminal or reverse the reading order.
    """
    shown = str(text)
    cut = len(shown) > 4 * limit
    shown = " ".join(shown[: 4 * limit].split())
    if not shown.isprintable():
        kept = (c for c in shown if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co"))
        shown = " ".join("".join(kept).split())
    if cut or len(shown) > limit:
        return shown[: max(limit - 1, 0)].rstrip() + "…"
    return shown


def clock(at: datetime) -> str:
    """A time as people read it, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}Z"


def last_name(resource_id: str) -> str:
    """The last segment of an ARM id."""
    return resource_id.rstrip("/").rsplit("/", 1)[-1]


def changed(report: Report) -> list[JournalEntry]:
    """What was really changed and still is."""
    return [entry for entry in report.actions if entry.outcome is Outcome.APPLIED]


def approve_command(report: Report, step_id: str) -> str:
    """The command that lets one waiting step run."""
    return f"rdp-remediate approve {report.run_id} {step_id}"
