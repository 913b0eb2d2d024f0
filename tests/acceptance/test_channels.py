"""Whole runs over the lab in which the action Run Command is not available."""

from pathlib import Path

import pytest

from rdp_remediate import worker
from rdp_remediate.lab.server import Lab
from rdp_remediate.models.plan import Outcome
from rdp_remediate.models.run import Phase, Run, RunMessage
from rdp_remediate.pipeline import report_of
from rdp_remediate.ports import Rejected, Services
from tests.acceptance.playing import needs, play_scenario, played, sent, wired
from tests.acceptance.test_rights import denied

ACTION = "Microsoft.Compute/virtualMachines/runCommand/action"
MANAGED = "Microsoft.Compute/virtualMachines/runCommands/write"
BROKEN = {
    "status": "Failed",
    "error": {
        "code": "VMExtensionProvisioningError",
        "message": "VM has reported a failure when processing extension 'RunCommandWindows'.",
    },
}


def broken_extension(lab: Lab) -> None:
    """The action is accepted and then fails by itself, each time."""
    lab.failures.add("Microsoft.Compute/locations/.*/operations/", method="GET", status=200, body=BROKEN, times=1)


@pytest.mark.slow
@pytest.mark.parametrize("guest", ["modelled", "winps"])
async def test_without_the_actions_right_windows_is_read_and_repaired_through_managed_run_commands(
    guest: str, tmp_path: Path
) -> None:
    one = await play_scenario("fw-rdp-rule-disabled", needs(guest), tmp_path, prepare=denied(ACTION))
    assert one.diagnoses[0].verdict.causes == ["fw-rdp-rule-disabled"]
    assert one.report.verdict.status == "reachable"
    assert [entry.outcome for entry in one.journal] == [Outcome.APPLIED]
    puts = [request for request in one.requests if request.method == "PUT"]
    names = [request.path.rsplit("/", 1)[-1] for request in puts]
    assert len(names) == len(set(names)) == 2
    assert all("/runCommands/rdp-remediate-" in request.path for request in puts)
    deleted = {request.path for request in one.requests if request.method == "DELETE"}
    assert deleted == {request.path for request in puts}
    # The action is asked once: the run remembers why it switched.
    assert one.run_commands == 1
    said = [note for note in one.report.notes if "managed Run Commands" in note]
    assert len(said) == 1
    assert "runCommand/action" in said[0]


@pytest.mark.parametrize("rights", [(ACTION, MANAGED), (ACTION, "Microsoft.Compute/virtualMachines/runCommands/*")])
async def test_where_both_are_refused_the_guest_stays_unknown_and_both_reasons_are_told(
    rights: tuple[str, ...], tmp_path: Path
) -> None:
    one = await play_scenario("fw-rdp-rule-disabled", "modelled", tmp_path, prepare=denied(*rights))
    assert one.report.verdict.status == "not_proven"
    assert one.writes() == [] or all("/runCommands/" in write for write in one.writes())
    [guest] = [item for item in one.report.unavailable if item.fact == "guest"]
    assert guest.reason == "forbidden"
    assert "refused too" in guest.detail
    assert one.report.notes


@pytest.mark.slow
async def test_an_extension_that_fails_by_itself_is_gone_around(tmp_path: Path) -> None:
    one = await play_scenario("fw-rdp-rule-disabled", "modelled", tmp_path, prepare=broken_extension)
    assert one.report.verdict.status == "reachable"
    assert any("fails by itself" in note for note in one.report.notes)


@pytest.mark.slow
async def test_a_managed_repair_whose_answer_was_lost_is_sent_once(tmp_path: Path) -> None:
    def prepare(lab: Lab) -> None:
        denied(ACTION)(lab)
        lab.failures.add("/runCommands/", method="PUT", drop=True, after=True, skip=1)

    one = await play_scenario("fw-rdp-rule-disabled", "modelled", tmp_path, prepare=prepare)
    assert one.report.verdict.status == "reachable"
    assert len(sent(one.requests, "PUT", "-1-repair-0-0")) == 1
    assert [entry.outcome for entry in one.journal] == [Outcome.APPLIED]


async def test_an_agent_that_is_not_ready_is_never_gone_around(tmp_path: Path) -> None:
    one = await play_scenario("agent-not-ready", "modelled", tmp_path, prepare=denied(ACTION))
    assert one.run_commands == 0
    assert not [request for request in one.requests if "/runcommands/" in request.path.lower()]


RIGHTS = denied(ACTION, MANAGED)


async def approved(lab: Lab, services: Services, run_id: str) -> Run:
    """A person says yes to the step that waits; the run goes on to its end."""
    run = await services.ledger.load(run_id)
    assert run is not None
    assert run.wait is not None
    asked = run.wait.step_ids
    messages = [await worker.approve(services.ledger, run_id, asked[0], "ada@example.com")]

    async def opened() -> Services:
        return services

    for _ in range(60):
        for message in messages:
            await worker.advance_one(message, opened)
        run = await services.ledger.load(run_id)
        assert run is not None
        if run.phase is Phase.DONE or (run.wait and run.wait.kind == "approval" and run.wait.step_ids != asked):
            return run
        messages = [RunMessage(run_id=run_id, seq=run.seq)]
        await services.clock.sleep(0.05)
    raise AssertionError(run)


def put_extensions(lab: Lab) -> int:
    return len(lab.requests.matching("/extensions/", "PUT"))


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["rdp-disabled-local", "fw-rdp-rule-disabled"])
async def test_the_reset_through_vmaccess_waits_for_a_person_and_then_rdp_answers(
    scenario: str, tmp_path: Path
) -> None:
    async with wired(scenario, "modelled", tmp_path) as (lab, services, settings):
        RIGHTS(lab)
        one = await played(lab, services, settings)
        assert put_extensions(lab) == 0
        [step] = one.report.plan.steps
        assert step.kind == "vm_access"
        assert one.report.waiting == [step.step_id]
        run = await approved(lab, services, one.run.run_id)
        report = await report_of(run, services)
        assert [(entry.step.kind, entry.outcome) for entry in report.actions] == [("vm_access", Outcome.APPLIED)]
        assert report.verdict.status == "reachable"
        assert put_extensions(lab) == 1


@pytest.mark.slow
@pytest.mark.parametrize("after", [True, False], ids=["after the work", "before the work"])
async def test_a_reset_whose_answer_was_lost_is_not_sent_again(after: bool, tmp_path: Path) -> None:
    async with wired("termservice-disabled", "modelled", tmp_path) as (lab, services, settings):
        RIGHTS(lab)
        lab.failures.add("/extensions/", method="PUT", drop=True, after=after, times=None)
        one = await played(lab, services, settings)
        run = await approved(lab, services, one.run.run_id)
        journal = await services.ledger.journal(run.run_id)
        assert {entry.outcome for entry in journal} == {Outcome.OUTCOME_UNKNOWN}
        assert put_extensions(lab) == 1


@pytest.mark.slow
async def test_a_domain_controller_ends_the_reset_as_failed_and_nothing_is_changed(tmp_path: Path) -> None:
    async with wired("rdp-disabled-local", "modelled", tmp_path) as (lab, services, settings):
        RIGHTS(lab)
        lab.world.guests[lab.vm_id.lower()]["os"]["domain_role"] = 5
        one = await played(lab, services, settings)
        run = await approved(lab, services, one.run.run_id)
        [entry] = await services.ledger.journal(run.run_id)
        assert entry.outcome is Outcome.FAILED
        assert "Domain Controller" in str(entry.detail)
        report = await report_of(run, services)
        assert report.verdict.status == "not_proven"
        assert ("reset_rdp_configuration", "domain_controller") in [(r.fault, r.code) for r in report.plan.refusals]


@pytest.mark.slow
async def test_another_instance_of_the_extension_is_refused_by_the_lab_as_by_azure(tmp_path: Path) -> None:
    async with wired("rdp-disabled-local", "modelled", tmp_path) as (lab, services, _settings):
        row = {"name": "OldAccess", "type": "Microsoft.Compute.VMAccessAgent", "statuses": []}
        lab.world.instance_views[lab.vm_id.lower()].setdefault("extensions", []).append(row)
        body = {"location": "westeurope", "properties": {"type": "VMAccessAgent"}}
        refused = await services.writes.put_extension(lab.vm_id, "enablevmaccess", body)
        assert isinstance(refused, Rejected)
        assert refused.code == "MultipleExtensionsPerHandlerNotAllowed"


@pytest.mark.slow
@pytest.mark.parametrize("meanwhile", [False, True], ids=["still failed", "repaired meanwhile"])
async def test_a_failed_vmaccess_extension_is_removed_when_a_person_says_so(meanwhile: bool, tmp_path: Path) -> None:
    async with wired("healthy", "modelled", tmp_path) as (lab, services, settings):
        status = {"code": "ProvisioningState/failed/1", "message": "0x800708C5 the password"}
        row = {"name": "enablevmaccess", "type": "Microsoft.Compute.VMAccessAgent", "statuses": [status]}
        lab.world.instance_views[lab.vm_id.lower()].setdefault("extensions", []).append(row)
        one = await played(lab, services, settings)
        assert one.report.verdict.status == "reachable"
        assert one.writes() == []
        if meanwhile:
            # Between the second look and the deletion somebody's own reset succeeds.
            path = f"{lab.vm_id}/extensions/enablevmaccess"
            body = {"properties": {"provisioningState": "Succeeded"}}
            lab.failures.add(path, method="GET", status=200, body=body, times=None)
        run = await approved(lab, services, one.run.run_id)
        entry = (await services.ledger.journal(run.run_id))[0]
        deleted = lab.requests.matching("/extensions/enablevmaccess", "DELETE")
        assert (entry.outcome, len(deleted)) == ((Outcome.STALE, 0) if meanwhile else (Outcome.APPLIED, 1))
