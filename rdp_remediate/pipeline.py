"""The order of things: collect, judge, act, and again until nothing is left to do. The only module that knows it.

`advance` moves a claimed run as far as it gets before a time and returns it; whoever claimed it saves it. Everything that
must survive a crash (bundles, journal, parked operations) is written by the ledger on the way, so that a run that is
picked up again neither loses nor repeats anything.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from rdp_remediate import collection, execution, neighbour, platform_steps
from rdp_remediate.diagnosis import diagnose_bundle, wants_second_slice
from rdp_remediate.errors import InternalError, NotApplicableError
from rdp_remediate.facts import references
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.journal import finish
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.fact import Fact, Reason, Unavailable
from rdp_remediate.models.plan import JournalEntry, Outcome, Plan, Step
from rdp_remediate.models.report import Delivery, Diagnosis, Report
from rdp_remediate.models.run import Done, Phase, Run, Wait
from rdp_remediate.network.question import probe_targets
from rdp_remediate.parked import poll_guest, poll_write
from rdp_remediate.parking import MAX_PASSES, later, next_pass, park, unpark
from rdp_remediate.planning import History, plan
from rdp_remediate.ports import (
    GuestRequest,
    OutcomeUnknown,
    Progress,
    Rejected,
    Services,
    Started,
    WriteOutcome,
)
from rdp_remediate.report import render
from rdp_remediate.report.build import build
from rdp_remediate.report.hop_lines import hop_lines

MAX_REPLANS = 5
BUSY_TRIES = 6
BUSY_PAUSE_S = 30
APPROVAL_DAYS = 3


async def advance(run: Run, services: Services, until: datetime) -> Run:
    """Moves a run until it is done, has to wait beyond `until`, or waits for a person.

    Args:
        run: A run that this process has claimed.
        services: The ports.
        until: When to hand the run back, at the latest after the step that is under way.

    Returns:
        The run in its new state; the caller saves it.
    """
    while run.phase is not Phase.DONE and services.clock.now() < until:
        match run.phase:
            case Phase.COLLECT:
                run = await _collect(run, services)
            case Phase.JUDGE:
                run = await _judge(run, services)
            case Phase.ACT:
                run = await _act(run, services)
            case Phase.WAIT:
                moved = await _wait(run, services, until)
                if moved.phase is Phase.WAIT:
                    return moved
                run = moved
    return run


async def report_of(run: Run, services: Services) -> Report:
    """The report of a run as it stands: a projection of run, bundles and journal."""
    bundles = [await services.ledger.get_bundle(reference) for reference in run.bundles]
    diagnoses = [diagnose_bundle(bundle) for bundle in bundles]
    return build(run, bundles, diagnoses, await services.ledger.journal(run.run_id), services.clock.now())


async def _collect(run: Run, services: Services) -> Run:
    if not await services.ledger.lock_vm(run.target.vm_id, run.run_id):
        return park(run, Wait(kind="until", until=later(services, 60)), Phase.COLLECT)
    services.progress(Progress("pass", f"pass {run.pass_number}: collecting evidence"))
    answer = await services.ledger.get_answer(run.guest_answer) if run.guest_answer else None
    try:
        collected = await collection.collect(run, services, answer)
    except NotApplicableError as refused:
        return await _end(run, services, Done(kind="not_applicable", reason=str(refused)))
    bundle, started = collected.bundle, collected.guest
    run = run.model_copy(
        update={"policy": bundle.policy, "mode": collected.mode.mode, "mode_because": collected.mode.because}
    )
    if isinstance(started, Rejected) and started.reason is Reason.BUSY and run.busy_tries < BUSY_TRIES:
        services.progress(Progress("guest", "another Run Command is in progress; waiting for it"))
        waiting = run.model_copy(update={"busy_tries": run.busy_tries + 1})
        return park(waiting, Wait(kind="until", until=later(services, BUSY_PAUSE_S), purpose="busy"), Phase.COLLECT)
    if isinstance(started, Rejected) and started.reason is Reason.BUSY:
        # It was waited for long enough.
        run = run.model_copy(update={"waits": execution.WAIT_TRIES})
    if isinstance(started, Started):
        operation_id = f"{run.run_id}-collect-{run.pass_number}"
        await services.ledger.put_operation(operation_id, started.operation)
        run = await _keep(run, services, bundle)
        return park(run, Wait(kind="operation", operation_id=operation_id, purpose="collect"), Phase.JUDGE)
    failure = collection.guest_failure(started) if started is not None else None
    if failure is not None:
        bundle = collection.with_guest(bundle, failure)
    run = await _keep(run, services, await collection.probe(bundle, services))
    return run.model_copy(update={"phase": Phase.JUDGE, "guest_answer": None})


async def _keep(run: Run, services: Services, bundle: Bundle) -> Run:
    """Stores the bundle of this pass in its place; a repeated pass replaces its own."""
    reference = await services.ledger.put_bundle(run.run_id, run.pass_number, bundle)
    earlier = [one for one in run.bundles if one != reference]
    return run.model_copy(update={"bundles": [*earlier, reference]})


async def _judge(run: Run, services: Services) -> Run:
    bundle = await services.ledger.get_bundle(run.bundles[-1])
    services.progress(Progress("judge", "walking the hops"))
    facts = read_facts(bundle)
    diagnosis = diagnose_bundle(bundle)
    if run.tier > 1 and wants_second_slice(bundle, diagnosis.findings):
        asked = await _ask_second_slice(run, services, bundle)
        if asked is not None:
            return asked
    if run.tier > 1 and services.neighbours is not None and neighbour.wanted(bundle, diagnosis):
        return await _ask_neighbour(run, services, bundle)
    for hop, line in hop_lines(diagnosis.findings):
        services.progress(Progress(hop, line, done=True))
    journal = await services.ledger.journal(run.run_id)
    applied = {e.step.fix for e in journal if _counts_as_done(e) and e.pass_number < run.pass_number}
    history = History(done_fixes=frozenset(applied), restarted=execution.restarted(journal))
    made = plan(facts, diagnosis.findings, history)
    if counted := await _reopenings(services, made):
        made = plan(facts, diagnosis.findings, replace(history, reopenings=counted))
    run = run.model_copy(update={"plan": made})
    able = execution.ready(run, journal)
    if able.any and run.pass_number < MAX_PASSES and run.replans <= MAX_REPLANS:
        return run.model_copy(update={"phase": Phase.ACT})
    # A step that was approved, or that only waits for others, is no question to a person: it would wake the run at once.
    asked_for = [s.step_id for s in able.waiting if s.approval is not None and s.step_id not in run.approved]
    if asked_for:
        until = services.clock.now() + timedelta(days=APPROVAL_DAYS)
        wait = Wait(kind="approval", until=until, step_ids=asked_for)
        asking = run.model_copy(update={"looked": len(run.joined)})
        run = await _deliver(park(asking, wait, Phase.COLLECT), services)
        await services.ledger.unlock_vm(run.target.vm_id, run.run_id)
        return run
    if run.tier == 1 and not await _news(run, services, diagnosis):
        # A hint that shows nothing new is no news; its report stays in the store.
        run = run.model_copy(update={"reported": True})
    return await _end(run, services, Done(kind="judged"))


def _counts_as_done(entry: JournalEntry) -> bool:
    """A reset or a reapply is never sent a second time in a run: what could be seen does not say that it is not under way."""
    unknown = entry.outcome is Outcome.OUTCOME_UNKNOWN and entry.step.kind in ("vm_access", "reapply_vm")
    return entry.outcome is Outcome.APPLIED or unknown


async def _ask_second_slice(run: Run, services: Services, bundle: Bundle) -> Run | None:
    """Starts the collector for what did not fit into its first answer; None if it cannot be started."""
    services.progress(Progress("guest", "asking Windows for what did not fit into its first answer"))
    request = GuestRequest(
        run_id=run.run_id,
        script="collect",
        attempt=run.attempt("slice2"),
        location=_location(bundle),
        managed_because=run.managed_because,
        slice=2,
        user=run.target.user,
        self_address=_self_address(bundle),
        deadline_s=collection.GUEST_SECONDS,
    )
    started = await services.guest.start(run.target.vm_id, request)
    if not isinstance(started, Started):
        return None
    operation_id = f"{run.run_id}-slice2-{run.pass_number}"
    await services.ledger.put_operation(operation_id, started.operation)
    return park(run, Wait(kind="operation", operation_id=operation_id, purpose="slice"), Phase.JUDGE)


async def _ask_neighbour(run: Run, services: Services, bundle: Bundle) -> Run:
    """Parks the run on a neighbour's probe; where none can be asked, judgement begins again with that reason."""
    started = await neighbour.start(run, services, bundle)
    if isinstance(started, Unavailable):
        return await _keep(run, services, neighbour.without(bundle, started))
    operation_id = f"{run.run_id}-neighbour-{run.pass_number}"
    await services.ledger.put_operation(operation_id, started.operation)
    return park(run, Wait(kind="operation", operation_id=operation_id, purpose="neighbour"), Phase.JUDGE)


async def _news(run: Run, services: Services, diagnosis: Diagnosis) -> bool:
    """Compares the path decisions with the last known ones and keeps the new ones; a broken verdict is always news."""
    now = {f"{view.client} {view.dialled}": view.verdict for view in diagnosis.paths}
    known = await services.ledger.decisions(run.target.vm_id)
    await services.ledger.remember_decisions(run.target.vm_id, now)
    worse = known is not None and any(
        known.get(flow) == "ALLOW" and verdict != "ALLOW" for flow, verdict in now.items()
    )
    return worse or (known is None and diagnosis.verdict.status == "broken")


async def _reopenings(services: Services, made: Plan) -> tuple[tuple[str, int], ...]:
    """How often each rule that a plan would open was opened in the last seven days."""
    names = sorted({str(step.target.get("name")) for step in made.steps if step.kind == "security_rule"})
    return tuple([(name, await services.ledger.openings(name)) for name in names])


async def _act(run: Run, services: Services) -> Run:
    journal = await services.ledger.journal(run.run_id)
    lost = [entry for entry in journal if entry.outcome is Outcome.INTENDED]
    if lost:
        # A process died between the journal row and the answer: never repeat, look again.
        for entry in lost:
            await finish(services, entry, Outcome.OUTCOME_UNKNOWN, detail="the process ended before the answer came")
        return next_pass(run)
    able = execution.ready(run, journal)
    if able.looks_again:
        pause = services.settings.settle_s
        # Without a pause nothing would be new at the second look but once.
        tries = run.waits + 1 if pause else execution.WAIT_TRIES
        services.progress(Progress("platform", "waiting for what ends by itself; nothing is changed meanwhile"))
        waiting = run.model_copy(update={"waits": tries, "guest_answer": None})
        return park(waiting, Wait(kind="until", until=later(services, pause), purpose="settle"), Phase.COLLECT)
    if able.platform:
        return await platform_steps.act(run, services, able.platform) or await _end(run, services, Done(kind="judged"))
    if able.guest:
        entries = await execution.intend(run, services, able.guest)
        if entries:
            bundle = await services.ledger.get_bundle(run.bundles[-1])
            started = await execution.start_repair(run, services, entries, _self_address(bundle), _location(bundle))
            if isinstance(started, Started):
                operation_id = f"{run.run_id}-repair-{run.pass_number}"
                await services.ledger.put_operation(operation_id, started.operation)
                return park(run, Wait(kind="operation", operation_id=operation_id, purpose="repair"), Phase.ACT)
            return await _repair_not_started(run, services, entries, started)
        journal = await services.ledger.journal(run.run_id)
        able = execution.ready(run, journal)
    return await _act_network(run, services, able.network)


async def _repair_not_started(run: Run, services: Services, entries: list[JournalEntry], started: WriteOutcome) -> Run:
    if isinstance(started, Rejected):
        waits = started.reason in (Reason.BUSY, Reason.THROTTLED)
        outcome = Outcome.STALE if waits else Outcome.FAILED
        for entry in entries:
            await finish(services, entry, outcome, detail=f"{started.code}: {started.detail}")
        if not waits:
            return next_pass(run)
        again = run.model_copy(update={"replans": run.replans + 1, "guest_answer": None})
        pause = started.retry_after_s or BUSY_PAUSE_S
        return park(again, Wait(kind="until", until=later(services, pause), purpose="busy"), Phase.COLLECT)
    detail = started.detail if isinstance(started, OutcomeUnknown) else "Run Command ended before it was started"
    await execution.finish_repair(services, entries, Unavailable(Reason.UNREACHABLE, detail, "guest"))
    return next_pass(run)


async def _act_network(run: Run, services: Services, steps: Sequence[Step]) -> Run:
    if steps:
        entries = await execution.intend(run, services, steps)
        await execution.run_network(services, entries)
        journal = await services.ledger.journal(run.run_id)
        mine = [e for e in journal if e.pass_number == run.pass_number and e.step.layer == "network"]
        for entry in mine:
            if entry.outcome is Outcome.APPLIED and entry.step.kind == "security_rule":
                await services.ledger.opened(entry)
        if any(entry.outcome is Outcome.APPLIED and entry.step.kind not in execution.EARLY for entry in mine):
            bundle = await services.ledger.get_bundle(run.bundles[-1])
            targets = [(one.address, one.port) for one in probe_targets(read_facts(bundle))]
            await execution.settle(services, targets)
    return next_pass(run)


async def _wait(run: Run, services: Services, until: datetime) -> Run:
    wait = run.wait
    if wait is None:
        raise InternalError(f"run {run.run_id} waits for nothing")
    if wait.kind == "approval":
        return await _wait_for_person(run, services, wait)
    if wait.kind == "until":
        while wait.until is not None and services.clock.now() < wait.until:
            if wait.until > until:
                return run.model_copy(update={"due_at": wait.until})
            await services.clock.sleep((wait.until - services.clock.now()).total_seconds())
        return unpark(run)
    return await _wait_for_operation(run, services, wait, until)


async def _wait_for_person(run: Run, services: Services, wait: Wait) -> Run:
    due = run.due_at is not None and run.due_at <= services.clock.now()
    asked_again = due and len(run.joined) > run.looked
    if asked_again or any(step_id in run.approved for step_id in wait.step_ids):
        # Nothing was done in this pass yet: it is collected again and replaced. A new alert is a new question: what waits
        # for a person may be a small thing, and meanwhile RDP may have broken.
        return unpark(run.model_copy(update={"reported": False}))
    if wait.until is not None and services.clock.now() >= wait.until:
        reason = f"nobody decided within {APPROVAL_DAYS} days"
        return await _end(run.model_copy(update={"reported": True}), services, Done(kind="judged", reason=reason))
    return run.model_copy(update={"due_at": wait.until})


async def _wait_for_operation(run: Run, services: Services, wait: Wait, until: datetime) -> Run:
    operation_id = str(wait.operation_id)
    if wait.purpose in platform_steps.KINDS:
        ended = await poll_write(services, operation_id, until)
        if isinstance(ended, Started):
            return run.model_copy(update={"due_at": later(services, ended.retry_after_s)})
        entries = [e for e in await services.ledger.journal(run.run_id) if e.outcome is Outcome.INTENDED]
        moved = await platform_steps.ended(unpark(run), services, entries, ended, wait.purpose)
        await services.ledger.delete_operation(operation_id)
        return moved
    bundle = await services.ledger.get_bundle(run.bundles[-1])
    if wait.purpose == "neighbour":
        completed = await neighbour.finish(services, operation_id, bundle, until)
        if isinstance(completed, Started):
            return run.model_copy(update={"due_at": later(services, completed.retry_after_s)})
        moved = unpark(await _keep(run, services, completed))
        await services.ledger.delete_operation(operation_id)
        return moved
    if wait.purpose != "repair" and await services.ledger.get_operation(operation_id) is None:
        seen = "guest_slice2" if wait.purpose == "slice" else "guest"
        if getattr(bundle, seen) is not None or any(item.fact == seen for item in bundle.unavailable):
            # The process ended between keeping the answer and saving the run.
            return unpark(run)
    answer = await poll_guest(services, operation_id, until)
    if isinstance(answer, Started):
        return run.model_copy(update={"due_at": later(services, answer.retry_after_s)})
    state = await services.ledger.get_operation(operation_id) or {}
    if because := state.get("managed_because"):
        run = run.model_copy(update={"managed_because": because})
    if wait.purpose == "slice":
        run = await _keep(run, services, collection.with_second_slice(bundle, answer))
        moved = unpark(run)
    elif wait.purpose == "collect":
        run = await _keep(run, services, await collection.probe(collection.with_guest(bundle, answer), services))
        moved = unpark(run)
    else:
        moved = await _repaired(run, services, answer)
    await services.ledger.delete_operation(operation_id)
    return moved


async def _repaired(run: Run, services: Services, answer: Fact[JsonObject]) -> Run:
    """The repair's answer ends the guest steps and is the next pass's guest evidence."""
    journal = await services.ledger.journal(run.run_id)
    mine = [e for e in journal if e.outcome is Outcome.INTENDED and e.step.layer == "guest"]
    await execution.finish_repair(services, mine, answer)
    run = unpark(run)
    if not isinstance(answer, Unavailable):
        reference = await services.ledger.put_answer(run.run_id, run.pass_number, answer.value)
        run = run.model_copy(update={"guest_answer": reference})
    able = execution.ready(run, await services.ledger.journal(run.run_id))
    return await _act_network(run, services, able.network)


async def _end(run: Run, services: Services, done: Done) -> Run:
    ended = run.model_copy(update={"phase": Phase.DONE, "wait": None, "resume": None, "due_at": None, "done": done})
    ended = await _deliver(ended, services)
    await services.ledger.unlock_vm(run.target.vm_id, run.run_id)
    return ended


async def _deliver(run: Run, services: Services) -> Run:
    """Hands the summary to every sink that has not got it for this state of the run."""
    if run.reported:
        return run
    key = f"{run.run_id}-delivered-{run.pass_number}-{run.phase.value}"
    sent = await services.ledger.get_operation(key) or {}
    deliveries = list(run.deliveries)
    if services.sinks:
        services.progress(Progress("notify", "posting the summary"))
        report = await report_of(run, services)
        for sink in services.sinks:
            if sink.name in sent:
                deliveries.append(Delivery.model_validate(sent[sink.name]))
                continue
            delivery = await sink.deliver(render.body(report, sink.renderer))
            sent = {**sent, sink.name: delivery.model_dump(mode="json")}
            await services.ledger.put_operation(key, sent)
            deliveries.append(delivery)
    return run.model_copy(update={"reported": True, "deliveries": deliveries})


def _self_address(bundle: Bundle) -> str | None:
    for resource in bundle.resources.values():
        addresses = references.private_addresses(resource)
        if addresses:
            return addresses[0]
    return None


def _location(bundle: Bundle) -> str | None:
    return references.location(bundle.resources.get(bundle.target.vm_id.lower(), {}))
