"""What the quick steps are judged by: the last pass, the plan and the journal."""

from collections.abc import Sequence
from dataclasses import dataclass

from rdp_remediate.facts.platform import UPDATE_SCREENS
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Bundle, UnavailableFact
from rdp_remediate.models.plan import JournalEntry, Plan, Refusal, Step
from rdp_remediate.models.report import Confidence, Diagnosis, Finding, FindingStatus, Hop, QuickStep
from rdp_remediate.models.run import Run
from rdp_remediate.report.wording import REASON_WORDS, plain

UPDATE_FAULTS = (
    "windows-update-in-progress",
    "getting-windows-ready-stuck",
    "working-on-features-stuck",
    "checking-file-system",
)


@dataclass(frozen=True)
class Seen:
    """What the steps are judged by."""

    run: Run
    bundle: Bundle
    last: Diagnosis
    findings: tuple[Finding, ...]
    journal: tuple[JournalEntry, ...]
    plan: Plan
    update: str | None = None
    applied: tuple[JournalEntry, ...] = ()

    def failed(self, *faults: str) -> Finding | None:
        """The finding of one of these faults, as the last pass saw it; a merely possible one does not count."""
        wanted = (FindingStatus.FAIL, FindingStatus.BY_DESIGN)
        return next(
            (
                one
                for one in self.last.findings
                if one.fault in faults and one.status in wanted and one.confidence is not Confidence.POSSIBLE
            ),
            None,
        )

    @property
    def reachable(self) -> bool:
        """RDP was proven to answer."""
        return self.last.verdict.status == "reachable"


def update_under_way(bundle: Bundle, last: Diagnosis) -> str | None:
    """Why nothing may restart the VM now: Windows works on itself."""
    screen = bundle.policy.boot_screen
    if screen in UPDATE_SCREENS:
        return f"The boot picture shows {screen}; a restart now would damage Windows. Wait until it has ended."
    busy = next((f for f in last.findings if f.fault in UPDATE_FAULTS and f.status is FindingStatus.FAIL), None)
    return f"{plain(busy.reason or busy.title)} Wait until it has ended." if busy else None


def by_sight(seen: Seen, good: QuickStep, hops: Sequence[Hop]) -> QuickStep:
    """The good answer if the hops were seen to be healthy; else why nothing is done on suspicion."""
    mine = [one for one in seen.last.findings if one.hop in hops]
    unseen = next((f for f in mine if f.status in (FindingStatus.UNKNOWN, FindingStatus.ERROR)), None)
    passed = any(f.status is FindingStatus.PASS for f in mine)
    if unseen is None and passed:
        return good
    if seen.reachable:
        return good.model_copy(update={"why": "RDP answers."})
    reason = plain(unseen.reason or unseen.title) if unseen else "an earlier fault comes first"
    why = f"Whether it is needed could not be seen ({reason.rstrip('.')}); nothing is reset on suspicion."
    return good.model_copy(update={"status": "refused", "why": why})


def untried(seen: Seen) -> list[Step]:
    """The steps of the plan that the journal does not mention."""
    tried = {entry.step.step_id for entry in seen.journal}
    return [step for step in seen.plan.steps if step.step_id not in tried]


def open_steps(seen: Seen, *faults: str) -> list[Step]:
    """The guest steps of the plan that remedy one of these faults and were not tried."""
    return [step for step in untried(seen) if step.layer == "guest" and set(faults) & set(step.faults)]


def refusal_of(seen: Seen, *faults: str) -> Refusal | None:
    """Why the plan does not repair one of these faults."""
    return next((one for one in seen.plan.refusals if one.fault in faults), None)


def approval(seen: Seen, step: Step) -> str | None:
    """The command of a step that waits; one that nobody is asked about in this mode has none."""
    wait = seen.run.wait
    waits = wait is not None and wait.kind == "approval" and step.step_id in wait.step_ids
    return f"rdp-remediate approve {seen.run.run_id} {step.step_id}" if waits else None


def answer(seen: Seen, operation: str) -> JsonObject | None:
    """The answer of a read about the VM, or None when there is none."""
    found = seen.bundle.operations.get(operation, {}).get(seen.run.target.vm_id.lower())
    return found if isinstance(found, dict) else None


def missed(seen: Seen, fact: str) -> UnavailableFact | None:
    """Why a read gave no value, where it was tried."""
    return next((one for one in seen.bundle.unavailable if one.fact == fact), None)


def unread(one: UnavailableFact) -> str:
    """A read that failed, as one sentence."""
    return f"It could not be read: {REASON_WORDS.get(one.reason, plain(one.reason))}. {plain(one.detail)}".strip()
