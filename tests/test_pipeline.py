"""A whole run over fakes of the outside world and the real ledger: order, waits, brakes and who may write."""

from typing import Any

import pytest

from rdp_remediate.diagnosis import diagnose_bundle
from rdp_remediate.models.plan import JournalEntry, Outcome
from rdp_remediate.models.report import Verdict
from rdp_remediate.models.run import Phase, Run
from rdp_remediate.pipeline import report_of
from rdp_remediate.worker import approve
from tests import factories as f
from tests.fakes import BUSY, FORBIDDEN, LOST_DONE, LOST_UNDONE
from tests.fault_cases import BY_FAULT
from tests.stage import Stage, play, played, stage

TCP_RULE = "RemoteDesktop-UserMode-In-TCP"
GUEST = (f.service("Stopped", "Disabled"), f.registry(f.DENY_LOCAL, 1))
NETWORK = (f.security_rules(f.NIC_NSG), f.security_rules(f.SUBNET_NSG))


async def _journal(on: Stage, run: Run) -> list[JournalEntry]:
    return await on.services().ledger.journal(run.run_id)


async def _outcomes(on: Stage, run: Run) -> list[tuple[str, Outcome]]:
    return [(entry.step.kind, entry.outcome) for entry in await _journal(on, run)]


async def _verdicts(on: Stage, run: Run) -> list[Verdict]:
    ledger = on.services().ledger
    return [diagnose_bundle(await ledger.get_bundle(reference)).verdict for reference in run.bundles]


async def test_a_healthy_vm_is_read_and_left_alone() -> None:
    on = stage()
    run = await played(on)
    assert run.done is not None
    assert run.done.kind == "judged"
    assert on.world.acting == []
    assert on.world.called("collect") == [run.run_id]
    assert [verdict.status for verdict in await _verdicts(on, run)] == ["reachable"]
    assert len(on.sink.bodies) == 1


async def test_guest_and_two_nsgs_are_repaired_in_one_run_with_two_run_commands() -> None:
    on = stage(*GUEST, *NETWORK)
    run = await played(on)
    assert [verdict.status for verdict in await _verdicts(on, run)] == ["broken", "reachable"]
    assert run.pass_number == 2
    assert [request.script for request in on.guest.requests] == ["collect", "repair"]
    assert await _outcomes(on, run) == [
        ("service_start", Outcome.APPLIED),
        ("service_state", Outcome.APPLIED),
        ("registry", Outcome.APPLIED),
        ("security_rule", Outcome.APPLIED),
        ("security_rule", Outcome.APPLIED),
    ]
    kinds = [kind for kind, _ in on.world.calls]
    assert kinds.index("put_rule") > max(i for i, kind in enumerate(kinds) if kind == "set")
    again = await played(on, event_id="request-2")
    assert again.plan is not None
    assert again.plan.steps == []
    assert len(on.world.called("put_rule")) == 2


async def test_every_row_is_written_before_its_call() -> None:
    on = stage(*GUEST, *NETWORK)
    rows: list[list[Outcome]] = []

    def look() -> None:
        keys = sorted(key for table, key in on.records._rows if table == "journal")
        rows.append([Outcome(on.records._rows["journal", key][1]["outcome"]) for key in keys])

    on.world.hooks = {"repair": look, "put_rule": look}
    await played(on)
    assert rows[0] == [Outcome.INTENDED] * 3
    assert rows[1] == [Outcome.APPLIED] * 3 + [Outcome.INTENDED] * 2


async def test_the_report_is_a_projection_of_what_was_stored() -> None:
    on = stage(*GUEST)
    run = await played(on)
    report = await report_of(run, on.services())
    assert report.verdict_before.status == "broken"
    assert report.verdict.status == "reachable"
    assert len(report.actions) == 3
    assert run.deliveries[0].outcome == "delivered"


# The door stays shut


async def test_the_network_waits_while_a_guest_step_waits_for_a_person() -> None:
    on = stage(f.profile("Public", allow_inbound_rules=False), *NETWORK)
    run = await played(on)
    assert run.wait is not None
    assert run.wait.kind == "approval"
    assert run.plan is not None
    assert [step.layer for step in run.plan.steps] == ["guest", "network", "network"]
    assert run.wait.step_ids == [run.plan.steps[0].step_id]
    assert on.world.acting == []


@pytest.mark.parametrize("word", ["failed", "stale", "refused", "nonsense"])
async def test_the_network_stays_shut_while_a_guest_step_did_not_succeed(word: str) -> None:
    on = stage(f.registry(f.DENY_LOCAL, 1), *NETWORK)
    on.guest.fails["registry"] = word
    run = await played(on)
    assert on.world.called("put_rule") == []
    assert run.phase is Phase.DONE
    assert Outcome.APPLIED not in dict(await _outcomes(on, run)).values()


async def test_the_network_stays_shut_while_the_repairs_end_is_unknown() -> None:
    on = stage(f.registry(f.DENY_LOCAL, 1), *NETWORK)
    on.guest.silent = {"repair"}
    run = await played(on)
    rows = [(entry.pass_number, entry.step.kind, entry.outcome) for entry in await _journal(on, run)]
    assert rows[0] == (1, "registry", Outcome.OUTCOME_UNKNOWN)
    assert rows[1:] == [(2, "security_rule", Outcome.APPLIED)] * 2
    assert len(on.world.called("repair")) == 1


# Waits and approvals


async def test_an_approval_collects_anew_and_then_acts() -> None:
    on = stage(*BY_FAULT["fw-block-all-inbound"].changes)
    run = await played(on)
    assert run.wait is not None
    ledger = on.services().ledger
    assert await ledger.lock_vm(f.VM, "another-run"), "the lock is free while a person is awaited"
    await ledger.unlock_vm(f.VM, "another-run")
    await approve(ledger, run.run_id, run.wait.step_ids[0], "ada@example.com")
    done = await play(on, run.run_id)
    assert [request.script for request in on.guest.requests] == ["collect", "collect", "repair"]
    entries = await _journal(on, done)
    assert [(e.outcome, e.approved_by) for e in entries] == [(Outcome.APPLIED, "ada@example.com")]
    assert (await _verdicts(on, done))[-1].status == "reachable"
    assert len(on.sink.bodies) == 2


async def test_what_changed_while_a_person_thought_is_not_done() -> None:
    on = stage(*BY_FAULT["fw-block-all-inbound"].changes)
    run = await played(on)
    assert run.wait is not None
    on.world.change(f.profile("Public", allow_inbound_rules=True))
    await approve(on.services().ledger, run.run_id, run.wait.step_ids[0], "ada@example.com")
    done = await play(on, run.run_id)
    assert await _journal(on, done) == []
    assert on.world.called("repair") == []


async def test_nobody_decides_within_three_days() -> None:
    on = stage(*BY_FAULT["fw-block-all-inbound"].changes)
    run = await played(on)
    on.clock.pass_by(3 * 86400 + 60)
    services = on.services()
    claimed = await services.ledger.claim(run.run_id, on.clock.now())
    assert claimed is not None
    from rdp_remediate.pipeline import advance

    ended = await advance(claimed, services, on.clock.now().replace(year=2027))
    assert ended.done is not None
    assert "nobody decided" in (ended.done.reason or "")
    assert on.world.acting == []


async def test_a_vm_is_started_only_with_approval_and_then_judged_again() -> None:
    on = stage(f.powered("deallocated"))
    run = await played(on)
    assert run.wait is not None
    assert on.world.acting == []
    await approve(on.services().ledger, run.run_id, run.wait.step_ids[0], "ada@example.com")
    done = await play(on, run.run_id)
    assert on.world.called("start_vm") == [f.VM]
    assert (await _verdicts(on, done))[-1].status == "reachable"
    assert [e.outcome for e in await _journal(on, done)] == [Outcome.APPLIED]


async def test_just_in_time_access_is_asked_for_by_a_person_and_opens() -> None:
    on = stage(*BY_FAULT["jit-closed"].changes)
    run = await played(on)
    assert run.wait is not None
    await approve(on.services().ledger, run.run_id, run.wait.step_ids[0], "ada@example.com")
    done = await play(on, run.run_id)
    assert len(on.world.called("initiate_jit")) == 1
    assert on.world.called("put_rule") == []
    assert (await _verdicts(on, done))[-1].status == "reachable"


async def test_another_run_command_is_waited_for() -> None:
    on = stage(*GUEST)
    on.world.script("collect", BUSY, BUSY)
    run = await played(on)
    assert run.busy_tries == 2
    assert len(on.world.called("collect")) == 3
    assert (await _verdicts(on, run))[-1].status == "reachable"


async def test_a_run_command_that_stays_busy_ends_as_busy() -> None:
    on = stage(*GUEST)
    on.world.script("collect", *([BUSY] * 20))
    run = await played(on)
    bundle = await on.services().ledger.get_bundle(run.bundles[-1])
    missing = next(item for item in bundle.unavailable if item.fact == "guest")
    assert missing.reason == "busy"
    assert len(on.world.called("collect")) == 7
    assert on.world.acting == []


async def test_a_repair_that_finds_another_run_command_is_planned_again() -> None:
    on = stage(*GUEST)
    on.world.script("repair", BUSY)
    run = await played(on)
    assert len(on.world.called("repair")) == 2
    assert run.replans == 1
    assert (await _verdicts(on, run))[-1].status == "reachable"


async def test_planning_again_ends_after_five_times() -> None:
    on = stage(*GUEST)
    on.world.script("repair", *([BUSY] * 50))
    run = await played(on)
    assert len(on.world.called("repair")) == 6
    assert run.phase is Phase.DONE
    assert Outcome.APPLIED not in dict(await _outcomes(on, run)).values()


async def test_a_repair_that_is_forbidden_is_not_tried_again() -> None:
    on = stage(*GUEST)
    on.world.script("repair", *([FORBIDDEN] * 50))
    run = await played(on)
    assert len(on.world.called("repair")) == 1
    assert {outcome for _, outcome in await _outcomes(on, run)} == {Outcome.FAILED}


# Lost answers


async def test_a_lost_rule_that_took_effect_is_not_written_again() -> None:
    on = stage(f.security_rules(f.NIC_NSG))
    on.world.script("put_rule", LOST_DONE)
    run = await played(on)
    assert len(on.world.called("put_rule")) == 1
    assert await _outcomes(on, run) == [("security_rule", Outcome.APPLIED)]


async def test_a_lost_rule_that_did_not_take_effect_is_written_after_new_evidence() -> None:
    on = stage(f.security_rules(f.NIC_NSG))
    on.world.script("put_rule", LOST_UNDONE)
    run = await played(on)
    assert [outcome for _, outcome in await _outcomes(on, run)] == [Outcome.OUTCOME_UNKNOWN, Outcome.APPLIED]
    assert [entry.pass_number for entry in await _journal(on, run)] == [1, 2]
    assert (await _verdicts(on, run))[-1].status == "reachable"


@pytest.mark.parametrize("script", [LOST_DONE, LOST_UNDONE])
async def test_a_lost_repair_is_looked_at_and_never_sent_twice_blindly(script: Any) -> None:
    on = stage(*GUEST)
    on.world.script("repair", script)
    run = await played(on)
    kinds = [request.script for request in on.guest.requests]
    if script == LOST_DONE:
        assert kinds == ["collect", "repair", "collect"]
    else:
        assert kinds == ["collect", "collect", "repair"]
    assert (await _verdicts(on, run))[-1].status == "reachable"
    assert len(on.world.called("set")) == 3


async def test_a_lost_start_is_not_sent_again_while_the_vm_runs() -> None:
    on = stage(f.powered("deallocated"))
    on.world.script("start_vm", LOST_DONE)
    run = await played(on)
    assert run.wait is not None
    await approve(on.services().ledger, run.run_id, run.wait.step_ids[0], "ada@example.com")
    done = await play(on, run.run_id)
    assert len(on.world.called("start_vm")) == 1
    assert [e.outcome for e in await _journal(on, done)] == [Outcome.OUTCOME_UNKNOWN]


async def test_a_fault_that_comes_back_is_refused() -> None:
    on = stage(f.service("Stopped", "Manual"))
    on.guest.after_repair = lambda: on.world.change(f.service("Stopped", "Manual"))
    run = await played(on)
    assert len(on.world.called("repair")) == 1
    assert run.plan is not None
    assert [refusal.code for refusal in run.plan.refusals] == ["came_back"]
