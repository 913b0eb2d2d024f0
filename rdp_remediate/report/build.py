"""Run, bundles, diagnoses and journal to one report: a projection, computed whenever somebody asks and never stored."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rdp_remediate.facts.platform import read_changes
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.plan import JournalEntry, Plan
from rdp_remediate.models.report import Diagnosis, ProbeView, Report, Verdict
from rdp_remediate.models.run import Run
from rdp_remediate.report.notes import notes
from rdp_remediate.report.quick_steps import quick_steps
from rdp_remediate.report.rdp_file import fresh_rdp_file
from rdp_remediate.report.ready_to_paste import paste_blocks
from rdp_remediate.report.timeline import timeline


def build(
    run: Run, bundles: Sequence[Bundle], diagnoses: Sequence[Diagnosis], journal: Sequence[JournalEntry], at: datetime
) -> Report:
    """Makes the report of a run as it stands.

    Args:
        run: The run.
        bundles: What each pass saw, in order.
        diagnoses: What each pass concluded, in the same order.
        journal: What was done, in order.
        at: Now; ends the total time of a run that is not over.

    Returns:
        The report. A run that was never judged gets the verdict not_proven with the reason.
    """
    last = diagnoses[-1] if diagnoses else None
    verdict = last.verdict if last else _never_judged(run)
    return Report(
        incident_id=run.incident.event_id,
        run_id=run.run_id,
        created_at=run.created_at,
        target=run.target,
        vm_name=_vm_name(run),
        mode=run.mode,
        mode_because=run.mode_because,
        trigger=run.incident.summary,
        verdict_before=diagnoses[0].verdict if diagnoses else verdict,
        verdict=verdict,
        findings=last.findings if last else [],
        findings_before=diagnoses[0].findings if diagnoses else [],
        path=last.paths if last else [],
        plan=run.plan or Plan(),
        waiting=waiting(run),
        quick_steps=quick_steps(run, bundles, diagnoses, journal),
        actions=list(journal),
        probes=_probes(diagnoses),
        vantages=last.vantages if last else [],
        changes=_changes(bundles),
        timeline=timeline(bundles[-1], diagnoses[0], run.incident.occurred_at) if bundles and diagnoses else None,
        notes=notes(run, bundles, diagnoses, journal),
        paste=paste_blocks(run, bundles, diagnoses, journal),
        rdp_file=fresh_rdp_file(last.findings, run.target.dialled_port) if last else None,
        timings=_timings(run, bundles, journal, at),
        unavailable=bundles[-1].unavailable if bundles else [],
        deliveries=run.deliveries,
        done=_done(run),
    )


def waiting(run: Run) -> list[str]:
    """The ids of the steps that wait for a person."""
    if run.wait is None or run.wait.kind != "approval":
        return []
    return [step_id for step_id in run.wait.step_ids if step_id not in run.approved]


def _never_judged(run: Run) -> Verdict:
    if run.done is None:
        return Verdict(
            status="not_proven", headline="Nothing is known yet: the first pass is still collecting evidence."
        )
    reason = run.done.reason or "no evidence was collected"
    word = "Not applicable" if run.done.kind == "not_applicable" else "Nothing was judged"
    return Verdict(status="not_proven", headline=f"{word}: {reason}")


def _done(run: Run) -> str | None:
    if run.done is None:
        return None
    return f"{run.done.kind}: {run.done.reason}" if run.done.reason else run.done.kind


def _vm_name(run: Run) -> str:
    named = run.target.vm_id or (run.incident.clue.value if run.incident.clue else "")
    return named.rstrip("/").rsplit("/", 1)[-1] or "unknown VM"


def _probes(diagnoses: Sequence[Diagnosis]) -> dict[str, list[ProbeView]]:
    if not diagnoses:
        return {}
    before = {"before": diagnoses[0].probes}
    return before if len(diagnoses) == 1 else {**before, "after": diagnoses[-1].probes}


def _changes(bundles: Sequence[Bundle]) -> list[dict[str, Any]]:
    if not bundles:
        return []
    return [
        {
            "at": change.at.isoformat().replace("+00:00", "Z"),
            "operation": change.operation,
            "caller": change.caller,
            "resource_id": change.resource_id,
        }
        for change in read_changes(bundles[-1].changes)
    ]


def _timings(run: Run, bundles: Sequence[Bundle], journal: Sequence[JournalEntry], at: datetime) -> dict[str, float]:
    """Seconds: the whole run, and each step by its title."""
    # A run that is over is often reported again later; its time then ends with the last thing seen or done.
    seen = [bundle.collected_at for bundle in bundles] + [probe.at for bundle in bundles for probe in bundle.probes]
    end = max([*seen, *(e.ended_at for e in journal if e.ended_at)], default=at) if run.done else at
    timings = {"total": _seconds(run.created_at, end)}
    for entry in journal:
        if entry.ended_at is not None:
            spent = _seconds(entry.started_at, entry.ended_at)
            timings[entry.step.title] = round(timings.get(entry.step.title, 0.0) + spent, 3)
    return timings


def _seconds(start: datetime, end: datetime) -> float:
    return round(max((end - start).total_seconds(), 0.0), 3)
