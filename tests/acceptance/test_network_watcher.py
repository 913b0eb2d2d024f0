"""Runs that ask Azure's own Network Watcher as well: agreement, disagreement, no watcher, no right to ask, no answer."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rdp_remediate.lab.server import Lab
from rdp_remediate.models.report import FindingStatus
from tests.acceptance.playing import Played, play_scenario, sent

pytestmark = pytest.mark.slow

CHECK = "azure_agrees_about_the_rules"
WATCHER = "Microsoft.Network/networkWatchers"


def said(one: Played) -> tuple[FindingStatus, str]:
    """What the first pass says of Azure's own answer."""
    found = next(finding for finding in one.diagnoses[0].findings if finding.check == CHECK)
    return found.status, found.reason or found.because or ""


def allows(lab: Lab) -> None:
    """Azure says Allow, whatever the rules are."""
    body = {"access": "Allow", "ruleName": "securityRules/Allow-RDP", "ruleId": ""}
    lab.failures.add("ipFlowVerify", method="POST", status=200, body=body, times=None)


def elsewhere(lab: Lab) -> None:
    """The only watcher is of another region."""
    for one in lab.world.of_type(WATCHER):
        one["location"] = "northeurope"


def forbidden(lab: Lab) -> None:
    lab.world.denied_actions.append(f"{WATCHER}/*")


def fails(lab: Lab) -> None:
    lab.failures.add("ipFlowVerify", method="POST", status=500, times=None)


async def test_each_pass_asks_once_for_the_flow_and_once_for_the_way_back(tmp_path: Path) -> None:
    one = await play_scenario("nsg-no-allow-rule", "modelled", tmp_path)
    status, reason = said(one)
    assert status is FindingStatus.PASS
    assert "says Deny by DenyAllInBound, as our engine does; replies go to Internet" in reason
    asked = sent(one.requests, "POST", "/ipflowverify")
    assert len(asked) == len(sent(one.requests, "POST", "/nexthop")) == len(one.bundles) == 2
    assert '"localIPAddress": "10.0.0.4"' in asked[0].body
    assert '"remoteIPAddress": "203.0.113.7"' in asked[0].body
    assert '"localPort": "3389"' in asked[0].body
    assert one.diagnoses[-1].verdict.status == "reachable"


async def test_where_azure_says_otherwise_no_network_rule_is_written(tmp_path: Path) -> None:
    one = await play_scenario("nsg-no-allow-rule", "modelled", tmp_path, prepare=allows)
    status, reason = said(one)
    assert status is FindingStatus.UNKNOWN
    assert "IP flow verify says Allow by Allow-RDP, our engine says Deny by DenyAllInBound" in reason
    assert one.writes() == []
    assert {(refusal.fault, refusal.code) for refusal in one.report.plan.refusals} == {
        ("nsg-no-allow-rule", "engine_disagrees")
    }
    assert any("IP flow verify says Allow" in note for note in one.report.notes)


async def test_no_watcher_in_the_region_is_no_noise(tmp_path: Path) -> None:
    one = await play_scenario("nsg-no-allow-rule", "modelled", tmp_path, prepare=elsewhere)
    assert said(one)[0] is FindingStatus.SKIPPED
    assert sent(one.requests, "POST", "/ipflowverify") == []
    missing = {(item.fact, item.reason) for item in one.bundles[0].unavailable if item.fact != "logs"}
    assert missing == {("ip_flow", "not_configured"), ("next_hop", "not_configured")}
    assert one.diagnoses[-1].verdict.status == "reachable"


@pytest.mark.slow
@pytest.mark.parametrize(("prepare", "reason"), [(forbidden, "forbidden"), (fails, "server_error")])
async def test_an_answer_that_cannot_be_had_changes_no_verdict(
    prepare: Callable[[Lab], None], reason: str, tmp_path: Path
) -> None:
    one = await play_scenario("nsg-no-allow-rule", "modelled", tmp_path, prepare=prepare)
    assert said(one)[0] is FindingStatus.UNKNOWN
    assert ("ip_flow", reason) in {(item.fact, item.reason) for item in one.bundles[0].unavailable}
    assert one.diagnoses[0].verdict.causes == ["nsg-no-allow-rule"]
    assert one.diagnoses[-1].verdict.status == "reachable"


async def test_a_vm_that_is_off_is_not_asked_about(tmp_path: Path) -> None:
    one = await play_scenario("vm-deallocated", "modelled", tmp_path)
    assert sent(one.requests, "POST", "/ipflowverify") == []
    assert said(one)[0] is FindingStatus.SKIPPED
