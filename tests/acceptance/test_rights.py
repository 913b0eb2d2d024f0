"""What a run does when it may not see or change something."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rdp_remediate.lab.server import Lab
from tests.acceptance.playing import play_scenario

OPTIONAL = (
    "Microsoft.Authorization/locks/read",
    "Microsoft.Security/*",
    "Microsoft.Network/bastionHosts/read",
    "Microsoft.Network/networkWatchers/*",
    "Microsoft.ResourceHealth/*",
    "Microsoft.ResourceGraph/*",
    "Microsoft.Insights/*",
    "Microsoft.Resources/*",
    "Microsoft.Network/networkInterfaces/effectiveNetworkSecurityGroups/action",
    "Microsoft.Network/networkInterfaces/effectiveRouteTable/action",
    "Microsoft.Network/virtualNetworks/listNetworkManagerEffectiveSecurityAdminRules/action",
)

STARTED = {
    "windows_finishes_servicing",
    "windows_leaves_its_waiting_screens",
    "windows_boot_files_are_readable",
    "windows_responds",
    "windows_was_not_shut_down_inside",
}
"""What is known from outside: that Windows started, because its agent reports; nothing else inside is."""


NOT_ASKED = ("guest", "logs", "probes.neighbour")
"""No right decides these here: there is no workspace, and no neighbour that opted in."""


def denied(*actions: str) -> Callable[[Lab], None]:
    """Takes rights away from the lab's identity."""

    def prepare(lab: Lab) -> None:
        lab.world.denied_actions.extend(actions)

    return prepare


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nsg-no-allow-rule", "nsg-no-allow-rule+fw-rdp-rule-disabled"])
async def test_without_every_optional_right_the_nsgs_still_give_a_verdict_and_nothing_is_changed(
    name: str, tmp_path: Path
) -> None:
    one = await play_scenario(name, "modelled", tmp_path, prepare=denied(*OPTIONAL))
    assert one.diagnoses[0].verdict.status == "broken"
    assert "nsg-no-allow-rule" in {f.fault for f in one.diagnoses[0].findings}
    assert one.writes() == []
    unseen = {item.fact for item in one.report.unavailable}
    assert {"effective_security_rules", "effective_routes", "effective_admin_rules", "changes", "locks"} <= unseen
    refused = {(item.fact, item.reason) for item in one.report.unavailable if item.fact not in NOT_ASKED}
    assert {reason for _, reason in refused} == {"forbidden"}, refused


async def test_without_effective_rules_the_verdict_comes_from_the_nsgs(tmp_path: Path) -> None:
    one = await play_scenario(
        "nsg-no-allow-rule",
        "modelled",
        tmp_path,
        prepare=denied("Microsoft.Network/networkInterfaces/effectiveNetworkSecurityGroups/action"),
    )
    assert one.diagnoses[0].verdict.causes == ["nsg-no-allow-rule"]
    assert one.diagnoses[-1].verdict.status == "reachable"
    assert "effective_security_rules" in {item.fact for item in one.report.unavailable}


@pytest.mark.slow
async def test_without_run_command_nothing_inside_windows_is_guessed(tmp_path: Path) -> None:
    one = await play_scenario(
        "fw-rdp-rule-disabled",
        "modelled",
        tmp_path,
        prepare=denied(
            "Microsoft.Compute/virtualMachines/runCommand/action", "Microsoft.Compute/virtualMachines/runCommands/write"
        ),
    )
    verdict = one.diagnoses[0].verdict
    assert verdict.status == "not_proven"
    assert verdict.causes == []
    assert [sent for sent in one.writes() if "/runCommands/" not in sent] == []  # that one was refused
    guest = [f for f in one.diagnoses[0].findings if f.hop.value.startswith("guest")]
    assert {f.status.value for f in guest if f.check not in STARTED} == {"unknown", "skipped"}
    assert {f.status.value for f in guest if f.check in STARTED} == {"pass"}


async def test_a_read_only_lock_is_named_and_nothing_is_sent_against_it(tmp_path: Path) -> None:
    def prepare(lab: Lab) -> None:
        scope = lab.names.group_id
        lab.world.locks.append(
            {
                "id": f"{scope}/providers/Microsoft.Authorization/locks/freeze",
                "name": "freeze",
                "type": "Microsoft.Authorization/locks",
                "properties": {"level": "ReadOnly", "notes": "year end"},
            }
        )

    one = await play_scenario("nsg-no-allow-rule", "modelled", tmp_path, prepare=prepare)
    assert "nsg-no-allow-rule" in one.diagnoses[0].verdict.causes
    assert [line for line in one.writes() if "securityRules" in line] == []
    assert "nsg-no-allow-rule" in {refusal.fault for refusal in one.report.plan.refusals}
    assert "freeze" in " ".join(refusal.why for refusal in one.report.plan.refusals)
    # A read-only lock refuses Run Command too (a POST), so that nothing inside Windows is known or guessed.
    guest = [f for f in one.diagnoses[0].findings if f.hop.value.startswith("guest") and f.check not in STARTED]
    assert {f.status.value for f in guest} <= {"unknown", "skipped"}


@pytest.mark.slow
@pytest.mark.parametrize("right", ["Microsoft.Network/networkSecurityGroups/securityRules/write"])
async def test_a_write_that_is_forbidden_ends_as_failed_and_says_so(right: str, tmp_path: Path) -> None:
    one = await play_scenario("nsg-no-allow-rule", "modelled", tmp_path, prepare=denied(right))
    assert one.applied == []
    assert [entry.outcome.value for entry in one.journal] == ["failed"]
    assert "AuthorizationFailed" in str(one.journal[0].detail)
    assert one.diagnoses[-1].verdict.status == "broken"


@pytest.mark.slow
@pytest.mark.parametrize("right", OPTIONAL)
async def test_one_missing_optional_right_never_ends_a_run(right: str, tmp_path: Path) -> None:
    one = await play_scenario("nsg-no-allow-rule", "modelled", tmp_path, prepare=denied(right))
    assert one.diagnoses[0].verdict.causes == ["nsg-no-allow-rule"]
    assert {f.status.value for f in one.diagnoses[0].findings} <= {"pass", "fail", "by_design", "unknown", "skipped"}
    assert any(item.reason == "forbidden" for item in one.report.unavailable) or right == "Microsoft.Resources/*"


async def test_a_stopped_vm_is_judged_without_effective_rules(tmp_path: Path) -> None:
    one = await play_scenario("vm-deallocated+nsg-no-allow-rule", "modelled", tmp_path)
    assert one.diagnoses[0].verdict.causes == ["vm-deallocated", "nsg-no-allow-rule"]
    assert one.writes() == []
    assert one.run.wait is not None
    assert one.run.wait.kind == "approval"
