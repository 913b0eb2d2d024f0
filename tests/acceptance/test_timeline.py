"""The timeline of whole runs over the lab: sign-ins by the guest's own log, changes by Azure's."""

from pathlib import Path

import pytest

from tests.acceptance.playing import needs, play_scenario

pytestmark = pytest.mark.slow

NETOPS = "netops@example.com"


@pytest.mark.parametrize("guest", ["modelled", "winps"])
async def test_the_removed_rule_is_told_between_the_last_sign_in_and_the_failure(guest: str, tmp_path: Path) -> None:
    needs(guest)
    one = await play_scenario("nsg-rule-removed", guest, tmp_path)
    told = one.report.timeline
    assert told is not None
    assert [entry.kind for entry in told.entries if entry.kind == "sign_in"] == ["sign_in"]
    (why,) = [entry for entry in told.entries if entry.explains]
    assert why.by == NETOPS
    assert why.what.startswith("removed rule Allow-RDP of ")
    assert told.last_good is not None
    assert told.failing_since is not None
    assert told.last_good < why.at < told.failing_since
    assert not [line for line in told.unread if line.startswith(("the activity log", "resource changes"))]
    assert [entry.source for entry in told.entries if entry.resource_id == why.resource_id] == ["activity log"]


async def test_an_attack_on_an_open_vm_narrows_only_and_shows_who_opened_it(tmp_path: Path) -> None:
    one = await play_scenario("brute-force", "modelled", tmp_path)
    assert "brute-force-in-progress" in {f.fault for f in one.report.findings}
    assert one.report.actions == []
    assert {step.kind for step in one.report.plan.steps} == {"narrow_nsg_rule"}
    told = one.report.timeline
    assert told is not None
    assert [entry.by for entry in told.entries if entry.kind == "change"] == [NETOPS]
