"""Every built-in scenario, from the alert to the verdict, the repair and the proof."""

from pathlib import Path

import pytest

from rdp_remediate.lab.guests.winps import find_winps
from rdp_remediate.lab.scenario import built_in
from rdp_remediate.models.plan import Outcome
from tests.acceptance.playing import OTHER_NAMES, Played, mismatches, play_scenario, played, sent, wired

SHARED = Path(__file__).resolve().parents[3] / "shared"
NOTHING_CHANGES = (
    "quarantined",
    "jit-closed",
    "vm-deallocated-by-person",
    "vm-deallocated-by-schedule",
    "no-public-ip-bastion",
)
THREE = "fw-rdp-rule-disabled+nsg-no-allow-rule+nsg-second-layer-deny"
ROWS_OF_ISSUE = {name for name in built_in() if not name.startswith(("healthy", "quarantined"))}


def needs(guest: str) -> str:
    """Skips where the guest runtime is not there."""
    if guest == "winps" and find_winps() is None:
        pytest.skip("winps is in ../shared/tools/winps, which is not part of the repository")
    return guest


def vector_names(file: str) -> list[str]:
    """The vector scenarios of the rows that this version knows, by name; empty in a public clone."""
    from rdp_remediate.lab.scenario import load

    path = SHARED / "vectors" / file
    if not path.is_file():
        return []
    rows = {
        "fw-rdp-rule-disabled",
        "fw-block-all-inbound",
        "fw-gpo-enforced-block",
        "rdp-disabled-local",
        "rdp-disabled-policy",
    }
    rows |= {
        "termservice-stopped",
        "termservice-disabled",
        "rdp-port-unmatched",
        "vm-deallocated",
        "vm-stopped-allocated",
    }
    rows |= {"compound-1", "compound-2", "compound-4", "compound-5"}
    rows |= {f"trap-{number}" for number in (1, 2, 3, 4, 5, 6, 7, 10, 13, 14, 15, 17, 19, 22, 23, 29, 30, 37, 39, 40)}
    return [one.name for one in load(path) if one.expect.row in rows]


def assert_expected(one: Played) -> None:
    """The run is what the expert says, and our own bugs are none."""
    assert mismatches(one) == []


@pytest.mark.parametrize("name", built_in())
async def test_every_scenario_on_the_modelled_guest(name: str, tmp_path: Path) -> None:
    one = await play_scenario(name, "modelled", tmp_path)
    assert_expected(one)
    if name in NOTHING_CHANGES:
        assert one.writes() == []
        assert one.run_commands <= 1
        assert one.journal == []


@pytest.mark.slow
@pytest.mark.parametrize("name", built_in())
async def test_every_scenario_on_the_genuine_engine(name: str, tmp_path: Path) -> None:
    assert_expected(await play_scenario(name, needs("winps"), tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("name", built_in())
async def test_every_scenario_under_other_names(name: str, tmp_path: Path) -> None:
    one = await play_scenario(name, "modelled", tmp_path, names=OTHER_NAMES)
    assert_expected(one)
    assert "vm1" not in one.report.model_dump_json()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "name"),
    [
        (file, name)
        for file in ("guest_firewall.json", "guest_rdp_service.json", "platform.json", "compound.json", "traps.json")
        for name in vector_names(file)
    ],
)
async def test_the_vectors_of_the_known_rows(file: str, name: str, tmp_path: Path) -> None:
    one = await play_scenario(name, needs("winps"), tmp_path, file=SHARED / "vectors" / file)
    assert_expected(one)


@pytest.mark.parametrize("guest", ["modelled", "winps"])
async def test_three_faults_at_once_are_repaired_in_one_run(guest: str, tmp_path: Path) -> None:
    one = await play_scenario(THREE, needs(guest), tmp_path)
    assert_expected(one)
    assert one.diagnoses[-1].verdict.proof.value == "end_to_end"
    assert one.run_commands == 2
    kinds = [entry.step.kind for entry in one.applied]
    assert kinds == ["firewall_rule", "security_rule", "security_rule"]
    order = [request.path.lower() for request in one.requests if request.method in ("PUT", "POST")]
    repairs = [index for index, path in enumerate(order) if path.endswith("/runcommand")]
    puts = [index for index, path in enumerate(order) if "/securityrules/" in path]
    assert repairs[1] < puts[0]
    assert [order[index].split("/networksecuritygroups/")[1].split("/")[0] for index in puts] == [
        "vm1-nsg",
        "snet-app-nsg",
    ]


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


async def test_the_summary_arrives_once_and_names_what_was_done(tmp_path: Path) -> None:
    async with wired("rdp-disabled-local", "modelled", tmp_path) as (lab, services, settings):
        one = await played(lab, services, settings)
        cards = lab.receivers.of("teams")
    assert len(cards) == 1
    assert "fDenyTSConnections" in str(cards[0].body)
    assert [delivery.outcome for delivery in one.run.deliveries] == ["delivered"]
    assert one.journal[0].outcome is Outcome.APPLIED
    assert len(sent(one.requests, "POST", "/runcommand")) == 2
