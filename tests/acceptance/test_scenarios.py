"""Every built-in scenario, from the alert to the verdict, the repair and the proof."""

from pathlib import Path

import pytest

from rdp_remediate.lab.scenario import built_in
from rdp_remediate.models.plan import Outcome
from tests.acceptance.playing import OTHER_NAMES, Played, mismatches, needs, play_scenario, played, sent, wired

pytestmark = pytest.mark.slow

NOTHING_CHANGES = (
    "quarantined",
    "jit-closed",
    "vm-deallocated-by-person",
    "vm-deallocated-by-schedule",
    "no-public-ip-bastion",
)
QUICK = ("healthy", "quarantined", "jit-closed", "vm-deallocated-by-person", "rdp-disabled-local", "nsg-no-allow-rule")
"""What a quick run plays; the others and the other matrices belong to the large runs."""

QUICK_FIRST = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in built_in()]


def assert_expected(one: Played) -> None:
    """The run is what the expert says, and our own bugs are none."""
    assert mismatches(one) == []


@pytest.mark.parametrize("name", QUICK_FIRST)
async def test_every_scenario_on_the_modelled_guest(name: str, tmp_path: Path) -> None:
    one = await play_scenario(name, "modelled", tmp_path)
    assert_expected(one)
    if name in NOTHING_CHANGES:
        assert one.writes() == []
        assert one.run_commands == (0 if "deallocated" in name else 1)
        assert one.journal == []


@pytest.mark.parametrize("name", built_in())
async def test_every_scenario_on_the_genuine_engine(name: str, tmp_path: Path) -> None:
    assert_expected(await play_scenario(name, needs("winps"), tmp_path))


@pytest.mark.parametrize("name", built_in())
async def test_every_scenario_under_other_names(name: str, tmp_path: Path) -> None:
    one = await play_scenario(name, "modelled", tmp_path, names=OTHER_NAMES)
    assert_expected(one)
    assert "vm1" not in one.report.model_dump_json()


async def test_the_summary_arrives_once_and_names_what_was_done(tmp_path: Path) -> None:
    async with wired("rdp-disabled-local", "modelled", tmp_path) as (lab, services, settings):
        one = await played(lab, services, settings)
        cards = lab.receivers.of("teams")
    assert len(cards) == 1
    assert "fDenyTSConnections" in str(cards[0].body)
    assert [delivery.outcome for delivery in one.run.deliveries] == ["delivered"]
    assert one.journal[0].outcome is Outcome.APPLIED
    assert len(sent(one.requests, "POST", "/runcommand")) == 2
