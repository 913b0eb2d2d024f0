"""Whole runs over the lab in which the action Run Command is not available."""

from pathlib import Path

import pytest

from rdp_remediate.lab.server import Lab
from rdp_remediate.models.plan import Outcome
from tests.acceptance.playing import needs, play_scenario, sent
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
