"""Each fix remedies faults that some check finds, says what it changes, and never oversteps."""

from collections.abc import Sequence

import pytest

from rdp_remediate.checks.check import all_checks
from rdp_remediate.diagnosis import diagnose
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.fixes.fix import Draft, Fix, all_fixes
from rdp_remediate.models.plan import Step
from rdp_remediate.planning import plan
from tests.factories import Change, healthy_bundle
from tests.fault_cases import CASES

FIXES = all_fixes()
NAMED = {fault for one in all_checks() for fault in one.faults}


@pytest.mark.parametrize("one", FIXES, ids=lambda one: one.name)
def test_a_fix_says_what_it_does(one: Fix) -> None:
    assert one.title.endswith(".")
    for heading in ("Changes", "Undo", "Refuses when"):
        assert one.section(heading), heading
    assert one.faults
    assert set(one.faults) <= NAMED
    assert one.permissions
    assert all(permission.count("/") >= 2 and "*" not in permission for permission in one.permissions)


def test_a_fault_has_one_fix_at_most() -> None:
    named = [fault for one in FIXES for fault in one.faults]
    assert len(named) == len(set(named))


def test_fixes_come_inside_out() -> None:
    assert [one.order for one in FIXES] == sorted(one.order for one in FIXES)
    # What opens no way in may come before anything inside: an open door is closed before an account behind it is unlocked.
    layers: Sequence[str] = [one.layer for one in FIXES if one.name not in ("narrow_nsg_rule", "allow_agent_egress")]
    assert layers == sorted(layers, key=("platform", "guest", "network").index)


def _steps(*changes: Change) -> list[Step]:
    facts = read_facts(healthy_bundle(*changes))
    return plan(facts, diagnose(facts).findings).steps


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
def test_every_fix_is_a_plain_function_of_the_facts(case: object) -> None:
    changes = next(one for one in CASES if one is case).changes
    assert _steps(*changes) == _steps(*changes)


def test_no_step_ever_does_what_is_never_done() -> None:
    for case in CASES:
        for step in _steps(*case.changes):
            text = step.model_dump_json().lower()
            assert "gpsvc" not in text
            assert "userauthentication" not in text, "NLA stays on"
            assert '"enabled":false' not in text, "no profile is switched off"
            assert step.kind in {
                "registry",
                "service_start",
                "service_state",
                "service_restart",
                "service_account",
                "service_dependencies",
                "service_recovery",
                "session",
                "port_owner",
                "firewall_rule",
                "firewall_profile",
                "security_rule",
                "jit_request",
                "start_vm",
                "restart_vm",
            }
            if step.kind == "security_rule":
                properties = step.desired["properties"]
                assert properties["sourceAddressPrefix"] not in ("*", "Internet", "0.0.0.0/0", "Any")
                assert properties["destinationPortRange"] == "3389"
            if step.kind == "registry":
                path = step.target["path"]
                ours = path.split("\\")[0] in ("TS", "RT") or path == r"CV\Winlogon\WinStationsDisabled"
                assert ours, "the policy keys are not ours"
            if step.kind == "firewall_rule":
                assert step.target["rule"].startswith("RemoteDesktop-UserMode-In-"), "by name, never by group"


def test_a_draft_is_safe_only_if_it_says_so() -> None:
    draft = Draft(kind="registry", target={}, expected=0, desired=1, title="x", postcondition="y")
    assert draft.opens, "what does not say otherwise is weighed for exposure"
