"""Several faults at once: one run repairs them inside-out with two Run Commands, and a second run has nothing to do."""

from pathlib import Path

import pytest

from tests.acceptance.playing import OTHER_NAMES, Played, mismatches, needs, play_scenario, played, wired

THREE = "fw-rdp-rule-disabled+nsg-no-allow-rule+nsg-second-layer-deny"


def assert_all_three_repaired(one: Played, nic_nsg: str, subnet_nsg: str) -> None:
    """Two Run Commands, then the NIC's NSG, then the subnet's, then the proof."""
    assert mismatches(one) == []
    assert one.diagnoses[-1].verdict.proof.value == "end_to_end"
    assert [entry.step.kind for entry in one.applied] == ["firewall_rule", "security_rule", "security_rule"]
    order = [one.path.lower() for one in one.requests if one.method in ("PUT", "POST", "DELETE", "PATCH")]
    repairs = [index for index, path in enumerate(order) if path.endswith("/runcommand")]
    puts = [index for index, path in enumerate(order) if "/securityrules/" in path]
    assert len(repairs) == 2
    assert repairs[-1] < puts[0]
    groups = [order[index].split("/networksecuritygroups/")[1].split("/")[0] for index in puts]
    assert groups == [nic_nsg, subnet_nsg]
    assert len(one.writes()) == 2


@pytest.mark.parametrize("guest", ["modelled", pytest.param("winps", marks=pytest.mark.slow)])
async def test_three_faults_at_once_are_repaired_in_one_run(guest: str, tmp_path: Path) -> None:
    assert_all_three_repaired(await play_scenario(THREE, needs(guest), tmp_path), "vm1-nsg", "snet-app-nsg")


@pytest.mark.slow
async def test_three_faults_under_other_names(tmp_path: Path) -> None:
    one = await play_scenario(THREE, "modelled", tmp_path, names=OTHER_NAMES)
    assert_all_three_repaired(one, OTHER_NAMES.nic_nsg, OTHER_NAMES.subnet_nsg)


@pytest.mark.slow
async def test_a_second_run_on_a_repaired_vm_plans_nothing(tmp_path: Path) -> None:
    async with wired(THREE, "modelled", tmp_path) as (lab, services, settings):
        first = await played(lab, services, settings)
        assert first.diagnoses[-1].verdict.status == "reachable"
        second = await played(lab, services, settings)
    assert second.run.run_id != first.run.run_id
    assert second.run.plan is not None
    assert (second.run.plan.steps, second.run.plan.refusals, second.journal) == ([], [], [])
    assert second.writes() == []
    assert second.run_commands == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "termservice-disabled+fw-rdp-rule-disabled",
        "rdp-disabled-local+termservice-stopped+fw-rdp-rule-disabled+nsg-no-allow-rule",
        "rdp-disabled-policy+nsg-no-allow-rule",
        "jit-closed+fw-rdp-rule-disabled",
    ],
)
async def test_causes_of_a_combination_are_all_found(name: str, tmp_path: Path) -> None:
    one = await play_scenario(name, "modelled", tmp_path)
    assert mismatches(one) == []
    assert set(one.expect.causes) <= {f.fault for f in one.diagnoses[0].findings}


@pytest.mark.slow
async def test_the_door_stays_shut_while_windows_cannot_be_repaired(tmp_path: Path) -> None:
    one = await play_scenario("rdp-disabled-policy+nsg-no-allow-rule", "modelled", tmp_path)
    assert one.diagnoses[-1].verdict.status == "broken"
    assert "rdp-disabled-policy" in {refusal.fault for refusal in one.report.plan.refusals}
