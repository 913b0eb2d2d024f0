"""Brakes, modes, hints and locks: what keeps a run from writing, over the same fakes."""

from typing import Any

import pytest

from rdp_remediate.diagnosis import diagnose_bundle
from rdp_remediate.models.bundle import Mode
from rdp_remediate.models.fact import Reason
from rdp_remediate.models.incident import Kind
from rdp_remediate.models.plan import JournalEntry, Outcome
from rdp_remediate.models.report import Verdict
from rdp_remediate.models.run import Phase, Run
from rdp_remediate.worker import approve
from tests import factories as f
from tests.stage import Stage, play, played, stage, steps_of

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


@pytest.mark.parametrize("thrown", ["setting", "store"])
async def test_the_kill_switch_stops_every_change(thrown: str) -> None:
    on = stage(*GUEST, *NETWORK, kill_switch=thrown == "setting")
    if thrown == "store":
        await on.records.put_blob("kill-switch", b"on")
    run = await played(on)
    assert on.world.acting == []
    journal = await _journal(on, run)
    assert {entry.outcome for entry in journal} == {Outcome.NOT_STARTED}
    assert all("kill switch" in (entry.detail or "") for entry in journal)
    assert run.phase is Phase.DONE


async def test_the_kill_switch_is_read_before_each_step() -> None:
    on = stage(*NETWORK)

    def throw() -> None:
        on.records._blobs["kill-switch"] = b"on"

    on.world.hooks["put_rule"] = throw
    run = await played(on)
    assert len(on.world.called("put_rule")) == 1
    outcomes = [outcome for _, outcome in await _outcomes(on, run)]
    assert outcomes == [Outcome.APPLIED, Outcome.NOT_STARTED]
    assert on.world.called("delete_rule") == []


async def test_a_fix_rests_on_a_vm_after_it_was_applied() -> None:
    on = stage(f.service("Stopped", "Manual"))
    await played(on)
    on.world.change(f.service("Stopped", "Manual"))
    run = await played(on, event_id="request-2")
    journal = await _journal(on, run)
    assert [entry.outcome for entry in journal] == [Outcome.NOT_STARTED]
    assert "rests on this VM" in (journal[0].detail or "")
    on.clock.pass_by(3700)
    later = await played(on, event_id="request-3")
    assert [entry.outcome for entry in await _journal(on, later)] == [Outcome.APPLIED]


async def test_writes_per_hour_stop_a_whole_fix_and_say_so() -> None:
    on = stage(f.service("Stopped", "Disabled"), writes_per_hour=1)
    run = await played(on)
    assert on.world.acting == []
    journal = await _journal(on, run)
    assert {entry.outcome for entry in journal} == {Outcome.NOT_STARTED}
    assert any("writes for this hour" in (entry.detail or "") for entry in journal)


@pytest.mark.parametrize(
    ("settings", "tags", "requested"),
    [
        ({"max_mode": "observe"}, {}, None),
        ({"untagged": "observe"}, {}, None),
        ({}, {"rdp-remediate": "observe"}, None),
        ({}, {"rdp-remediate": "whatever"}, None),
        ({}, {}, "observe"),
    ],
)
async def test_in_observe_nothing_is_changed_and_nothing_waits(
    settings: dict[str, Any], tags: dict[str, str], requested: str | None
) -> None:
    on = stage(*GUEST, *NETWORK, **settings)
    on.world.change(*(f.tag(name, value) for name, value in tags.items()))
    run = await played(on, requested_mode=requested)
    assert run.mode is Mode.OBSERVE
    assert run.done is not None
    assert on.world.acting == []
    assert run.plan is not None
    assert len(run.plan.steps) == 5


async def test_unreadable_tags_mean_observe() -> None:
    on = stage(*GUEST)
    on.world.refused["tags"] = Reason.FORBIDDEN
    run = await played(on)
    assert run.mode is Mode.OBSERVE
    assert "could not be read" in (run.mode_because or "")
    assert on.world.acting == []


async def test_off_leaves_the_vm_alone() -> None:
    on = stage(*GUEST)
    on.world.tags[f.GROUP.lower()] = {"rdp-remediate": "off"}
    run = await played(on)
    assert run.done is not None
    assert run.done.kind == "not_applicable"
    assert on.world.calls == []


async def test_in_mode_approve_every_write_waits() -> None:
    on = stage(*GUEST, *NETWORK, max_mode="approve")
    run = await played(on)
    assert run.wait is not None
    assert len(run.wait.step_ids) == 5
    assert on.world.acting == []


async def test_an_approval_of_one_step_of_a_fix_is_not_enough() -> None:
    on = stage(f.service("Stopped", "Disabled"), max_mode="approve")
    run = await played(on)
    assert run.wait is not None
    ledger = on.services().ledger
    await approve(ledger, run.run_id, run.wait.step_ids[0], "ada@example.com")
    half = await play(on, run.run_id)
    assert half.wait is not None
    assert on.world.acting == []
    await approve(ledger, run.run_id, run.wait.step_ids[1], "ada@example.com")
    done = await play(on, run.run_id)
    assert [outcome for _, outcome in await _outcomes(on, done)] == [Outcome.APPLIED] * 2


async def test_a_hint_runs_no_run_command_and_writes_nothing() -> None:
    on = stage(*GUEST, *NETWORK)
    run = await played(on, kind=Kind.HINT)
    assert run.mode is Mode.OBSERVE
    assert on.world.calls == []
    assert run.done is not None
    assert (await _verdicts(on, run))[-1].causes == ["nsg-second-layer-deny", "nsg-no-allow-rule"]
    assert len(on.sink.bodies) == 1


async def test_a_hint_that_shows_nothing_new_is_no_news() -> None:
    on = stage()
    await played(on, kind=Kind.HINT)
    await played(on, kind=Kind.HINT, event_id="request-2")
    assert on.sink.bodies == []
    on.world.change(*NETWORK)
    await played(on, kind=Kind.HINT, event_id="request-3")
    assert len(on.sink.bodies) == 1


async def test_guest_reads_can_be_forbidden() -> None:
    on = stage(*GUEST, guest_reads="never")
    await played(on)
    assert on.world.calls == []
    tagged = stage(*GUEST, f.tag("rdp-remediate-guest-reads", "never"))
    await played(tagged)
    assert tagged.world.calls == []


async def test_the_vm_lock_is_held_by_one_run_and_released() -> None:
    on = stage(*GUEST)
    ledger = on.services().ledger
    other = await on.create(kind=Kind.HINT, event_id="other")
    assert await ledger.lock_vm(f.VM, other.run_id)
    run = await on.create()
    claimed = await ledger.claim(run.run_id, on.clock.now().replace(year=2027))
    assert claimed is not None
    from datetime import timedelta

    from rdp_remediate.pipeline import advance

    parked = await advance(claimed, on.services(), on.clock.now() + timedelta(seconds=5))
    assert parked.phase is Phase.WAIT
    assert on.world.calls == []
    await ledger.unlock_vm(f.VM, other.run_id)
    await ledger.save(parked)
    done = await play(on, run.run_id)
    assert done.phase is Phase.DONE
    assert await ledger.lock_vm(f.VM, "third-run")


async def test_a_linux_vm_and_a_missing_vm_are_not_applicable() -> None:
    linux = stage(f.resource(f.VM, "properties", "storageProfile", "osDisk", "osType", value="Linux"))
    run = await played(linux)
    assert run.done is not None
    assert (run.done.kind, "Linux" in (run.done.reason or "")) == ("not_applicable", True)
    nobody = stage(f.drop("resources", f.VM.lower()))
    gone = await played(nobody)
    assert gone.done is not None
    assert gone.done.kind == "not_applicable"


async def test_everything_refused_still_ends_in_a_verdict() -> None:
    on = stage(*GUEST)
    for key in (*on.world.data["resources"], *on.world.data["operations"], "tags", "activity"):
        on.world.refused[key] = Reason.FORBIDDEN
    run = await played(on)
    assert run.phase is Phase.DONE
    assert (await _verdicts(on, run))[-1].status == "not_proven"
    assert on.world.acting == []


async def test_guest_steps_of_a_pass_are_one_run_command() -> None:
    on = stage(*GUEST, f.firewall_rule(TCP_RULE, enabled=False))
    await played(on)
    repairs = [request for request in on.guest.requests if request.script == "repair"]
    assert len(repairs) == 1
    assert steps_of(repairs) == ["service_start", "service_state", "registry", "firewall_rule"]
