"""What changed since RDP last worked, joined from every log that was read.

A part of the report, so pure: a saved bundle tells the same story again, and nothing is decided from it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from rdp_remediate.facts.facts import Facts, read_facts
from rdp_remediate.facts.resource_changes import ResourceChange
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.fact import Fact, Unavailable
from rdp_remediate.models.report import Diagnosis, Finding, FindingStatus, Hop, Timeline, TimelineEntry
from rdp_remediate.report.timeline_words import change_words, guest_words, nobody, unread
from rdp_remediate.report.wording import clock, plain

T = TypeVar("T")

PORTAL = "https://portal.azure.com/#@/resource"
MOST_ENTRIES = 60
SAME = timedelta(minutes=5)
"""Resource Graph and the activity log time one operation differently; their correlation id is compared first."""

_GUEST_HOPS = {
    Hop.GUEST_FIREWALL: ("firewall_rule", "firewall_setting"),
    Hop.GUEST_RDP_SERVICE: ("service_start_type", "service_state"),
    Hop.GUEST_OS: ("shutdown",),
}
"""Which changes inside Windows a finding of a hop can come from."""

_POWER = ("/deallocate/action", "/poweroff/action", "/delete")


def timeline(bundle: Bundle, diagnosis: Diagnosis, reported: datetime) -> Timeline:
    """Joins what the logs of a bundle tell.

    Args:
        bundle: What was seen last.
        diagnosis: What the first pass concluded: its causes are what is to be explained.
        reported: When somebody said that RDP fails; the failure began before that.

    Returns:
        Entries oldest first, the newest sixty. A change is marked where it concerns what the cause names, and lies between
        the last good sign-in and the first failure that were seen.
    """
    facts = read_facts(bundle)
    entries = [*_sign_ins(facts), *_failures(facts), *_activity(facts), *_resources(facts), *_inside(facts)]
    good = max((one.at for one in entries if one.kind == "sign_in"), default=None)
    broken = diagnosis.verdict.status in ("broken", "by_design")
    since = _failing_since(entries, good, reported) if broken else None
    causes = [f for f in diagnosis.findings if _is_cause(f, diagnosis)]
    marked = [
        one.model_copy(update={"explains": _why(one, causes, diagnosis, facts, (good, since))}) if since else one
        for one in sorted(entries, key=lambda one: one.at)
    ]
    kept = [*[one for one in marked[:-MOST_ENTRIES] if one.explains or one.at == good], *marked[-MOST_ENTRIES:]]
    missing = list(_missing(facts))
    return Timeline(
        headline=_headline(kept, good, since, missing),
        last_good=good,
        failing_since=since,
        entries=kept,
        unread=missing,
    )


def _is_cause(finding: Finding, diagnosis: Diagnosis) -> bool:
    failed = finding.status in (FindingStatus.FAIL, FindingStatus.BY_DESIGN)
    return failed and (finding.fault in diagnosis.verdict.causes or finding.status is FindingStatus.BY_DESIGN)


def _seen(fact: Fact[list[T]]) -> Sequence[T]:
    return () if isinstance(fact, Unavailable) else fact.value


def _sign_ins(facts: Facts) -> Iterator[TimelineEntry]:
    vm = facts.target.vm_id
    sign_ins = facts.guest.sign_ins
    asked = None if isinstance(sign_ins, Unavailable) else sign_ins.value.asked
    if asked and asked.signed_in:
        yield _entry(asked.signed_in, "sign_in", "a desktop was opened", facts.target.user, vm, "Windows Security 4624")
    if asked and asked.authenticated:
        what = "NLA accepted the password"
        yield _entry(asked.authenticated, "sign_in", what, facts.target.user, vm, "Windows Security 4624 or RCM 1149")
    for one in _seen(facts.logs.signed_in):
        come = f" from {one.address}" if one.address else ""
        yield _entry(one.at, "sign_in", f"a desktop was opened{come}", one.user, vm, "workspace SecurityEvent 4624")


def _failures(facts: Facts) -> Iterator[TimelineEntry]:
    vm = facts.target.vm_id
    sign_ins = facts.guest.sign_ins
    asked = None if isinstance(sign_ins, Unavailable) else sign_ins.value.asked
    for row in asked.failures if asked else ():
        times = f" ({row.count} times, this is the last)" if row.count > 1 else ""
        what = f"a sign-in failed with {row.sub_status if row.sub_status != '0' else row.status}{times}"
        yield _entry(row.last, "failure", what, facts.target.user, vm, "Windows Security 4625")
    client = facts.target.client_address
    for flow in _seen(facts.logs.denied_flows):
        if client is None or client in flow.sources:
            what = (
                f"rule {flow.rule or 'unknown'} of {flow.nsg or 'an unknown NSG'} denied RDP from {client or 'outside'}"
            )
            yield _entry(flow.first, "denied", what, None, vm, "workspace NTANetAnalytics")


def _activity(facts: Facts) -> Iterator[TimelineEntry]:
    told = {c.correlation_id: c for c in _seen(facts.resource_changes) if c.correlation_id}
    for change in _seen(facts.changes):
        if change.operation.lower().endswith("/runcommand/action"):
            continue  # reading or repairing, by us or by others, closes nothing
        seen = told.get(change.correlation_id or "")
        what = change_words(change.operation, change.resource_id, seen)
        yield _entry(change.at, "change", what, change.caller or None, change.resource_id, "activity log")


def _resources(facts: Facts) -> Iterator[TimelineEntry]:
    """Resource Graph's changes that the activity log does not have."""
    known = {change.correlation_id for change in _seen(facts.changes) if change.correlation_id}
    told = _seen(facts.changes)
    for one in _seen(facts.resource_changes):
        same = any(_of_one(c.resource_id, one) and abs(c.at - one.at) <= SAME for c in told)
        if (one.correlation_id and one.correlation_id in known) or same:
            continue
        what = change_words(one.operation or one.kind, one.resource_id, one)
        yield _entry(one.at, "change", what, one.by, one.resource_id, "Resource Graph changes")


def _of_one(resource_id: str, change: ResourceChange) -> bool:
    return f"{resource_id.lower()}/".startswith(f"{change.resource_id.lower()}/")


def _inside(facts: Facts) -> Iterator[TimelineEntry]:
    for change in _seen(facts.guest.changes):
        source = f"Windows {change.log} {change.event_id}"
        yield _entry(change.at, "guest_event", guest_words(change), change.user_sid, facts.target.vm_id, source)


def _entry(at: datetime, kind: str, what: str, by: str | None, *told: str) -> TimelineEntry:
    resource_id, source = told
    return TimelineEntry.model_validate(
        {
            "at": at,
            "kind": kind,
            "what": what,
            "by": by,
            "resource_id": resource_id or None,
            "link": f"{PORTAL}{resource_id}" if resource_id.startswith("/") else None,
            "source": source,
        }
    )


def _failing_since(entries: Sequence[TimelineEntry], good: datetime | None, reported: datetime) -> datetime:
    """The first failure after the last good sign-in; the report of it is one, whatever the logs hold."""
    failures = [one.at for one in entries if one.kind in ("failure", "denied") and (good is None or one.at > good)]
    return min([*failures, reported])


def _why(
    entry: TimelineEntry,
    causes: Sequence[Finding],
    diagnosis: Diagnosis,
    facts: Facts,
    between: tuple[datetime | None, datetime],
) -> str | None:
    good, since = between
    if entry.kind not in ("change", "guest_event") or entry.at > since or (good and entry.at <= good):
        return None
    for cause in causes:
        named = _guest_part(entry, cause, facts) if entry.kind == "guest_event" else _part(entry, cause, diagnosis)
        if named:
            after = "it came after the last good sign-in" if good else "no good sign-in was seen"
            return f"{plain(cause.fault or cause.check)}: it changed {named}, which decides; {after} and before the first failure seen"
    return None


def _part(entry: TimelineEntry, cause: Finding, diagnosis: Diagnosis) -> str | None:
    """What a change and a cause have in common."""
    changed = (entry.resource_id or "").lower()
    if not changed:
        return None
    ids = {one.lower() for one in _ids(cause.evidence)}
    if cause.hop in (Hop.NETWORK, Hop.ENDPOINT):
        ids |= {
            (d.resource_id or "").lower() for view in diagnosis.paths for d in view.deciders if view.verdict != "ALLOW"
        }
    for one in sorted(filter(None, ids)):
        if "/virtualmachines/" in one:
            continue
        # a rule of the deciding NSG, or the whole that the deciding rule is a part of
        if f"{changed}/".startswith(f"{_holder(one)}/") or f"{one}/".startswith(f"{changed}/"):
            return _holder(one).rsplit("/", 1)[-1]
    if "/virtualmachines/" not in changed or not entry.what.startswith(("stopped", "deallocated")):
        return None
    name = changed.rsplit("/", 1)[-1]
    if cause.hop is Hop.PLATFORM and (cause.fault or "").startswith("vm-"):
        return f"the power state of {name}"
    if cause.fault == "public-ip-changed" and entry.what.startswith("deallocated"):
        return f"the power state of {name}, and a dynamic address is given back when a VM is deallocated"
    return None


def _holder(resource_id: str) -> str:
    """The NSG of a rule, the table of a route: a removed neighbour may be why this one decides."""
    for child in ("/securityrules/", "/defaultsecurityrules/", "/routes/", "/inboundnatrules/"):
        resource_id = resource_id.split(child, 1)[0]
    return resource_id


def _ids(value: object) -> Iterator[str]:
    if isinstance(value, str) and value.lower().startswith("/subscriptions/"):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _ids(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _ids(one)


def _guest_part(entry: TimelineEntry, cause: Finding, facts: Facts) -> str | None:
    for change in _seen(facts.guest.changes):
        if (
            change.at != entry.at
            or guest_words(change) != entry.what
            or change.what not in _GUEST_HOPS.get(cause.hop, ())
        ):
            continue
        if change.what in ("firewall_setting", "shutdown"):
            return change.object
        said = f"{cause.reason or ''} {cause.title} {list(cause.evidence.values())}".lower()
        if change.object.lower() in said or change.object.lower() in (cause.fault or ""):
            return change.object
    return None


def _missing(facts: Facts) -> Iterator[str]:
    sources: tuple[tuple[str, object], ...] = (
        ("the activity log", facts.changes),
        ("resource changes", facts.resource_changes),
        ("changes inside Windows", facts.guest.changes),
        ("sign-ins inside Windows", facts.guest.sign_ins),
        ("sign-ins in the workspace", facts.logs.signed_in),
        ("denied flows", facts.logs.denied_flows),
    )
    for name, fact in sources:
        if isinstance(fact, Unavailable):
            yield unread(name, fact)


def _headline(
    entries: Sequence[TimelineEntry], good: datetime | None, since: datetime | None, missing: Sequence[str]
) -> str:
    marked = [one for one in entries if one.explains]
    parts = [f"last good sign-in {clock(good)}" if good else "no good sign-in was seen"]
    parts += [f"at {clock(one.at)} {plain(one.what)} by {plain(one.by or nobody(one))}" for one in marked[-2:]]
    if since:
        parts.append(f"failing since {clock(since)} at the latest")
        if not marked:
            parts.append("no change that was seen explains it" + (" (not every log could be read)" if missing else ""))
    said = "; ".join(parts)
    return said[0].upper() + said[1:]
