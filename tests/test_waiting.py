"""What ends by itself is waited for: nothing is changed meanwhile, the run looks again, and it does so for a limited time."""

from datetime import timedelta

import pytest

from rdp_remediate.execution import WAIT_TRIES
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Reason
from rdp_remediate.models.plan import WAIT
from rdp_remediate.models.run import Run, RunMessage
from rdp_remediate.pipeline import report_of
from rdp_remediate.ports import Services
from rdp_remediate.worker import advance_one
from tests import factories as f
from tests.factories import Change, drop
from tests.planned import NO_RULE, STOPPED, planned
from tests.stage import Stage, played, stage

UPDATE = (
    f.silent,
    f.agent_not_ready,
    f.operation("boot_log", f.VM, {"text": ""}),
    f.policy(boot_screen="windows-update"),
)


async def _causes(on: Stage, run: Run) -> list[str]:
    return (await report_of(run, on.services())).verdict.causes


async def _one_message(on: Stage, run_id: str) -> Run:
    services = on.services()
    run = await services.ledger.load(run_id)
    assert run is not None

    async def opened() -> Services:
        return services

    await advance_one(RunMessage(run_id=run_id, seq=run.seq), opened, advance_s=0)
    after = await services.ledger.load(run_id)
    assert after is not None
    return after


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ((f.powered("starting"),), "vm-transitional"),
        ((f.resource(f.VM, "properties", "provisioningState", value="Updating"),), "vm-transitional"),
        ((f.hide("guest", reason="busy"),), "runcommand-blocked"),
        (UPDATE, "windows-update-in-progress"),
        ((*UPDATE, f.policy(boot_screen="checking-disk")), "checking-file-system"),
    ],
)
@pytest.mark.parametrize("mode", ["approve", "auto", "observe"])
def test_waiting_is_a_safe_step_that_nobody_is_asked_for(changes: tuple[Change, ...], fault: str, mode: str) -> None:
    made = planned(*changes, f.policy(mode=mode), f.hide("changes"))
    waits = [step for step in made.steps if step.kind == WAIT]
    assert [(step.faults, step.approval, step.expected) for step in waits] == [([fault], None, "under way")]
    assert [step.kind for step in made.steps if step.layer == "platform"] == [WAIT]


async def test_a_starting_vm_is_looked_at_again_until_it_runs() -> None:
    on = stage(f.powered("starting"), settle_s=30)
    run = await on.create()
    began = on.clock.time
    looks = 0
    for _ in range(40):
        run = await _one_message(on, run.run_id)
        looks = run.waits
        if looks == 3:
            on.world.data = stage().world.data
        if run.phase == "done":
            break
        on.clock.pass_by(31)
    assert run.phase == "done"
    assert looks == 3
    assert on.clock.time - began >= timedelta(seconds=90)
    assert await _causes(on, run) == []
    assert on.world.acting == []
    assert await on.services().ledger.journal(run.run_id) == [], "waiting is no change and has no row"


async def test_what_does_not_end_is_not_waited_for_for_ever() -> None:
    on = stage(f.powered("stopping"), settle_s=60)
    run = await played(on)
    assert run.waits == WAIT_TRIES
    assert run.done is not None
    assert await _causes(on, run) == ["vm-transitional"]
    assert on.world.acting == []


async def test_without_a_pause_there_is_one_second_look() -> None:
    on = stage(f.powered("stopping"))
    began = on.clock.time
    run = await played(on)
    assert run.waits == WAIT_TRIES
    assert await _causes(on, run) == ["vm-transitional"]
    assert on.clock.time - began < timedelta(minutes=1)


async def test_nothing_else_is_done_while_azure_works_on_the_vm() -> None:
    on = stage(*STOPPED, *NO_RULE, f.resource(f.VM, "properties", "provisioningState", value="Updating"), settle_s=60)
    run = await on.create()
    for _ in range(4):
        run = await _one_message(on, run.run_id)
        on.clock.pass_by(20)
    assert 1 <= run.waits < WAIT_TRIES
    assert on.world.acting == []


async def test_a_run_that_may_only_observe_does_not_wait() -> None:
    on = stage(f.powered("stopping"), max_mode="observe", untagged="observe", settle_s=60)
    run = await played(on)
    assert run.waits == 0


def test_a_pause_of_the_host_that_is_over_is_not_waited_for() -> None:
    def paused(data: JsonObject) -> None:
        at = (f.at(data) - timedelta(minutes=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
        row = {
            "annotationName": "VirtualMachinePlannedFreezeSucceeded",
            "context": "Platform Initiated",
            "occurredTime": at,
        }
        f.operation("resource_annotations", f.VM, {"value": [{"properties": row}]})(data)

    step = planned(paused).steps[0]
    assert (step.kind, step.expected, step.desired) == (WAIT, "ended", "ended")


@pytest.mark.parametrize(
    "agent", [f.agent_not_ready, drop("resources", f.VM.lower(), "properties", "instanceView", "vmAgent")]
)
async def test_the_serial_log_is_read_of_a_running_vm_whose_agent_is_silent(agent: Change) -> None:
    text = {"text": "Computer is booting, SAC started and initialized."}
    for changes, read in (((agent,), True), ((), False), ((f.powered("deallocated"),), False)):
        on = stage(*changes, f.operation("boot_log", f.VM, text))
        run = await played(on)
        bundle = await on.services().ledger.get_bundle(run.bundles[0])
        assert (bundle.operations.get("boot_log") is not None) is read


async def test_the_boot_picture_of_a_silent_vm_is_kept_for_a_person() -> None:
    on = stage(f.agent_not_ready, f.operation("boot_log", f.VM, {"text": ""}))
    on.world.picture = b"BM a picture"
    run = await played(on)
    ledger = on.services().ledger
    assert await ledger.picture(run.run_id) == b"BM a picture"
    kept = (await ledger.get_bundle(run.bundles[0])).operations["boot_picture"][f.VM.lower()]
    assert (kept["media_type"], kept["bytes"]) == ("image/bmp", 12)
    report = await report_of(run, on.services())
    (step,) = [one for one in report.quick_steps if one.step == "boot_diagnostics"]
    assert step.command == f"rdp-remediate history {run.run_id} --picture boot-picture.bmp"


async def test_no_picture_is_asked_of_a_vm_whose_agent_answers_and_none_is_made_up() -> None:
    ready = stage()
    ready.world.picture = b"BM a picture"
    run = await played(ready)
    assert await ready.services().ledger.picture(run.run_id) is None

    silent = stage(f.agent_not_ready, f.operation("boot_log", f.VM, {"text": ""}))
    silent.world.refused["boot_picture"] = Reason.FORBIDDEN
    run = await played(silent)
    bundle = await silent.services().ledger.get_bundle(run.bundles[0])
    assert ("boot_picture", "forbidden") in {(one.fact, one.reason) for one in bundle.unavailable}
    assert await silent.services().ledger.picture(run.run_id) is None
