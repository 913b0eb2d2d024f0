"""Which rule decides, and why the rules before it did not match: the question everybody asks about an NSG."""

from dataclasses import dataclass

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.report import PathView
from rdp_remediate.report.wording import plain

DIMENSIONS = ("protocol", "source", "source_port", "destination", "destination_port")
"""The five matches of a trace row; each is yes, no or unknown."""

LAYER_WORDS = {
    "path": "the way in",
    "admin": "security admin rules",
    "platform": "the platform's default",
    "subnet": "NSG of the subnet",
    "nic": "NSG of the NIC",
    "lb": "load balancer health probe",
    "route": "route of the reply",
    "classic": "classic deployment",
    "acl": "classic endpoint ACL",
}

VERDICT_SENTENCES = {
    "ALLOW": "is allowed",
    "DENY": "is dropped",
    "NO_PATH": "leads nowhere",
    "ASYMMETRIC": "gets in, but the reply takes another way",
    "BLACKHOLE": "gets in, but the reply is thrown away",
    "LB_PROBE_BLOCKED": "is not forwarded, because the load balancer's health probe is blocked",
    "INDETERMINATE": "could not be decided for certain",
}


@dataclass(frozen=True, slots=True)
class Passed:
    """A rule that was asked before the deciding one and did not match."""

    rule: str
    priority: int | None
    access: str
    why: str


def headline(view: PathView) -> str:
    """What becomes of the client's packet, one sentence."""
    said = VERDICT_SENTENCES.get(view.verdict, f"gets {view.verdict}")
    return f"{plain(view.client)} to {plain(view.dialled)} ({plain(view.entry)} entry) {said}"


def deciders(view: PathView) -> list[str]:
    """Each rule that decides, with layer, priority and resource id."""
    out = []
    for one in view.deciders:
        priority = f" (priority {one.priority})" if one.priority is not None else ""
        where = f" {plain(one.resource_id)}" if one.resource_id else ""
        out.append(f"{LAYER_WORDS.get(one.layer, plain(one.layer))}: {plain(one.rule)}{priority}{where}")
    return out


def passed_by(view: PathView) -> list[Passed]:
    """The rules of the deciding layers that were asked first and did not match, in the order they were asked."""
    out = []
    for row in view.trace:
        if not _asked_first(row, view):
            continue
        missed = [name for name in DIMENSIONS if row.get(name) == "no"]
        if missed:
            why = " and ".join(_dimension(name) for name in missed)
            out.append(Passed(plain(row.get("rule", "")), row.get("priority"), plain(row.get("access", "")), why))
    return out


def _asked_first(row: JsonObject, view: PathView) -> bool:
    priority = row.get("priority")
    if row.get("decides") or not row.get("reached", True) or not isinstance(priority, int):
        return False
    return any(
        one.layer == row.get("layer") and one.priority is not None and priority < one.priority for one in view.deciders
    )


def _dimension(name: str) -> str:
    return f"another {name.replace('_', ' ')}"


def trace_table(view: PathView) -> list[str]:
    """Every rule that was asked, as a table; `→` marks what decides its layer, `·` what no packet reaches."""
    head = ("", "layer", "priority", "rule", "access", "proto", "source", "src port", "dest", "dest port")
    rows = [head, *(_cells(row) for row in view.trace)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _cells(row: JsonObject) -> tuple[str, ...]:
    mark = "→" if row.get("decides") else " " if row.get("reached", True) else "·"
    priority = row.get("priority")
    return (
        mark,
        plain(row.get("layer", ""), 10),
        "-" if priority is None else plain(priority, 8),
        plain(row.get("rule", ""), 40),
        plain(row.get("access", ""), 12),
        *(plain(row.get(name, "?"), 8) for name in DIMENSIONS),
    )
