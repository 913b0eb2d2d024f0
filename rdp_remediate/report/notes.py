"""The sentences that a report adds to findings and actions: what a reader would otherwise have to guess."""

from collections.abc import Sequence
from datetime import datetime

from rdp_remediate.facts.closings import Closing
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.bundle import Bundle, Mode
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.plan import RESTARTS, JournalEntry, Outcome
from rdp_remediate.models.report import HOPS, Diagnosis, FindingStatus, Hop
from rdp_remediate.models.run import Run
from rdp_remediate.network.entries import entries
from rdp_remediate.network.exposure import admits_outside
from rdp_remediate.network.marker import read_marker
from rdp_remediate.network.question import ask
from rdp_remediate.report.permanent_rule import az_line, bicep_lines
from rdp_remediate.report.wording import clock, last_name, plain

_KINDS = {"guest": ("service", "firewall"), "network": ("network",), "platform": ("power",)}
"""Which kinds of closing the steps of a layer reverse."""

_OPENS_NOTHING = ("service_restart", "narrow_nsg_rule", "outbound_rule", *RESTARTS, "reapply_vm")
_LASTING = ("narrow_nsg_rule", "outbound_rule", "host_route")
_NSG = "/networksecuritygroups/"
_SLASHES_OF_AN_NSG = 8
_MOST_RANGES = 12
_MOST_RULES = 3


def notes(
    run: Run, bundles: Sequence[Bundle], diagnoses: Sequence[Diagnosis], journal: Sequence[JournalEntry]
) -> list[str]:
    """Every note of a run, most important first."""
    return [
        *_mode(run, journal),
        *_contradictions(diagnoses),
        *_channel(run),
        *_temporary(journal),
        *_lasting(journal),
        *_authors(bundles, journal),
        *_disagreements(diagnoses),
        *_waits(run),
        *_sources(run, bundles),
        *_inside(bundles, journal),
        *_never_judged(diagnoses),
        *_joined(run),
        *_end(run),
    ]


def expiry(entry: JournalEntry) -> datetime | None:
    """When an NSG rule that was added ends, by the journal or by the marker in its own description."""
    if entry.step.kind != "security_rule":
        return None
    if entry.expires_at is not None:
        return entry.expires_at
    properties = entry.step.desired.get("properties") if isinstance(entry.step.desired, dict) else None
    marker = read_marker(str(properties.get("description") or "")) if isinstance(properties, dict) else None
    return marker.expires_at if marker else None


def _mode(run: Run, journal: Sequence[JournalEntry]) -> list[str]:
    if any(entry.outcome not in (Outcome.NOT_STARTED, Outcome.REFUSED) for entry in journal):
        return []
    because = f": {plain(run.mode_because)}" if run.mode_because else ""
    if run.mode in (Mode.OFF, Mode.OBSERVE):
        return [f"Nothing was changed, because the mode is {run.mode.value}{because}."]
    return [f"Nothing was changed. The mode is {run.mode.value}{because}."]


def _contradictions(diagnoses: Sequence[Diagnosis]) -> list[str]:
    """What was seen and cannot all be true; a reader must not take one side for the whole."""
    found = diagnoses[-1].contradictions if diagnoses else []
    return [f"Contradiction: {plain(one)}." for one in found]


def _channel(run: Run) -> list[str]:
    """Which way into Windows was taken when it is not the usual one, and why."""
    if not run.managed_because:
        return []
    return [
        f"Windows was asked through managed Run Commands, because {plain(run.managed_because)}. Each is deleted from the VM "
        "when its answer is there."
    ]


def _lasting(journal: Sequence[JournalEntry]) -> list[str]:
    """What stays until somebody removes it, and what the next deployment would make of it."""
    return [
        f"{plain(entry.step.title)}: this stays. Declare it in the template as well, or the next deployment takes it back."
        for entry in journal
        if entry.outcome is Outcome.APPLIED and entry.step.kind in _LASTING
    ]


def _temporary(journal: Sequence[JournalEntry]) -> list[str]:
    said = []
    for entry in journal:
        until = expiry(entry)
        if entry.outcome is Outcome.APPLIED and until is not None:
            said.append(
                "\n".join(
                    [
                        f"Temporary access until {clock(until)}: the rule {plain(entry.step.target.get('name'))} in "
                        f"{plain(last_name(str(entry.step.target.get('nsg_id'))))} is removed then.",
                        "To make it permanent with Bicep, in the resource group of the NSG:",
                        *bicep_lines(entry.step),
                        "or with az:",
                        az_line(entry.step),
                    ]
                )
            )
    return said


def _authors(bundles: Sequence[Bundle], journal: Sequence[JournalEntry]) -> list[str]:
    applied = [e for e in journal if e.outcome is Outcome.APPLIED and e.step.kind not in _OPENS_NOTHING]
    if not applied or not bundles:
        return []
    first = bundles[0]
    nsg_ids = [one for one in first.resources if _NSG in one and one.count("/") == _SLASHES_OF_AN_NSG]
    closings = read_facts(first).closings(nsg_ids)
    if isinstance(closings, Unavailable):
        return [f"Author unknown: who closed what was opened here could not be read ({plain(closings.detail)})."]
    said, unknown = [], []
    for entry in applied:
        found = _authored(closings.value, entry)
        if found:
            said.append(f"'{plain(entry.step.title)}' reversed a change with a known author: {plain(found[-1].text)}.")
        else:
            unknown.append(f"'{plain(entry.step.title)}'")
    if unknown:
        said.append(
            f"Author unknown: no evidence of the last 7 days names who closed what this opened: {'; '.join(unknown)}."
        )
    return said


def _authored(closings: Sequence[Closing], entry: JournalEntry) -> list[Closing]:
    return [one for one in closings if one.author and one.kind in _KINDS[entry.step.layer]]


def _disagreements(diagnoses: Sequence[Diagnosis]) -> list[str]:
    """Where something else than our path engine says otherwise about the last pass: then no network rule is written."""
    if not diagnoses:
        return []
    said = [one.reason for one in diagnoses[-1].findings if one.because == "engine_disagrees" and one.reason]
    said += [
        f"{view.detail[0].upper()}{view.detail[1:]}. No network rule is written."
        for view in diagnoses[-1].probes
        if view.proves == "engine_disagrees" and view.detail
    ]
    return [plain(one) for one in said]


def _waits(run: Run) -> list[str]:
    if run.wait is None:
        return []
    if run.wait.kind == "approval":
        until = f" until {clock(run.wait.until)}" if run.wait.until else ""
        count = len([one for one in run.wait.step_ids if one not in run.approved])
        return [
            f"{count} step{' waits' if count == 1 else 's wait'} for a person{until}; after that the run ends as it is."
        ]
    what = run.wait.purpose or run.wait.kind
    until = f" until {clock(run.wait.until)}" if run.wait.until else ""
    return [f"The run is not over: it waits{until} ({what})."]


def _sources(run: Run, bundles: Sequence[Bundle]) -> list[str]:
    policy = bundles[-1].policy if bundles else run.policy
    if not bundles:
        return []
    if not policy.sources:
        return ["No sources are configured for this VM, so no network rule is ever added for it."]
    return [f"Addresses that may be let in (configured sources): {', '.join(plain(one) for one in policy.sources)}."]


def _never_judged(diagnoses: Sequence[Diagnosis]) -> list[str]:
    """Hops without a judgement; a hop that no check looks at is told apart from one that could not be seen."""
    if not diagnoses:
        return []
    findings = diagnoses[-1].findings
    judged = {
        one.hop for one in findings if one.status in (FindingStatus.PASS, FindingStatus.FAIL, FindingStatus.BY_DESIGN)
    }
    looked = {one.hop for one in findings}
    blind = [hop.value for hop in HOPS if hop not in judged and hop in looked]
    unwatched = [hop.value for hop in HOPS if hop not in looked]
    said = []
    if blind:
        said.append(f"Not judged, for want of evidence or because of an earlier fault: {', '.join(blind)}.")
    if unwatched:
        said.append(f"Not judged, because no check looks there: {', '.join(unwatched)}.")
    if said and not judged >= {Hop.CLIENT, Hop.EDGE}:
        said.append("The user's own computer and office network are not visible from Azure.")
    return [" ".join(said)] if said else []


def _inside(bundles: Sequence[Bundle], journal: Sequence[JournalEntry]) -> list[str]:
    """Who gets in from the virtual network side now that Windows accepts RDP; those ranges make no step exposing."""
    opened = [e for e in journal if e.outcome is Outcome.APPLIED and e.step.kind not in _OPENS_NOTHING]
    if not opened or not bundles:
        return []
    facts = read_facts(bundles[-1])
    port = ask(facts).port
    doors = entries(facts.network, facts.target.vm_id, port)
    admitted = admits_outside(facts.network, doors, port, facts.policy.sources).virtual_network
    ranges = list(dict.fromkeys(source for one in admitted for source in one.sources))
    if not ranges:
        return []
    more = f" and {len(ranges) - _MOST_RANGES} more" if len(ranges) > _MOST_RANGES else ""
    rules = list(dict.fromkeys(rule.rule for one in admitted for rule in one.deciders))
    by = f" (by {', '.join(plain(rule) for rule in rules[:_MOST_RULES])})" if rules else ""
    return [f"From inside the virtual network RDP is open to {', '.join(ranges[:_MOST_RANGES])}{more}{by}."]


def _joined(run: Run) -> list[str]:
    count = len(run.joined)
    return [f"{count} further alert{'' if count == 1 else 's'} about this VM joined this run."] if count else []


def _end(run: Run) -> list[str]:
    if run.done is None or not run.done.reason:
        return []
    return [f"The run ended as {run.done.kind.replace('_', ' ')}: {plain(run.done.reason)}"]
