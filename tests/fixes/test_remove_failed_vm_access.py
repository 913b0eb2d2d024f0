"""Removing a failed VMAccess extension: offered to a person, and never in the way of what repairs RDP."""

from typing import Any

import pytest

from rdp_remediate.diagnosis import diagnose_bundle
from rdp_remediate.execution import ready
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.bundle import Mode
from rdp_remediate.models.plan import Plan
from rdp_remediate.models.run import Run
from rdp_remediate.planning import plan
from tests import factories as f
from tests.stage import incident

NAME = "remove_failed_vm_access"


def extension(code: str) -> f.Change:
    status = {"code": f"ProvisioningState/{code}", "message": "0x800708C5: The password does not meet the policy"}
    row: dict[str, Any] = {"name": "enablevmaccess", "type": "Microsoft.Compute.VMAccessAgent", "statuses": [status]}
    return f.resource(f.VM, "properties", "instanceView", "extensions", value=[row])


FAILED = extension("failed/1")


def planned(*changes: f.Change) -> tuple[Plan, Run]:
    bundle = f.healthy_bundle(*changes, policy={"mode": Mode.AUTO, "sources": [f.SOURCES]})
    made = plan(read_facts(bundle), diagnose_bundle(bundle).findings)
    run = Run(run_id="r", target=bundle.target, incident=incident(), policy=bundle.policy, mode=Mode.AUTO, plan=made,
              created_at=bundle.collected_at)  # fmt: skip
    return made, run


def test_a_person_decides_and_nothing_is_kept_from_running_by_it() -> None:
    made, run = planned(FAILED, f.security_rules(f.NIC_NSG), f.put("probes", value=[]))
    tidy = next(step for step in made.steps if step.fix == NAME)
    assert tidy.target["extension"] == "enablevmaccess"
    assert "password" not in str(tidy.target)
    assert tidy.approval
    assert not tidy.undoable
    able = ready(run, [])
    assert able.network, "the door is not kept shut by it"
    assert tidy in able.waiting


@pytest.mark.parametrize("code", ["succeeded", "transitioning", "updating"])
def test_one_that_did_not_fail_is_left_alone(code: str) -> None:
    assert NAME not in {step.fix for step in planned(extension(code))[0].steps}


def test_without_the_agent_it_is_refused() -> None:
    made, _ = planned(FAILED, f.agent_not_ready)
    assert NAME not in {step.fix for step in made.steps}
    assert ("vmaccess-extension-broken", "agent") in [(one.fault, one.code) for one in made.refusals]


def test_under_a_lock_it_is_refused_and_with_unread_locks_as_well() -> None:
    lock = {"value": [{"id": "/x/locks/keep", "name": "keep", "properties": {"level": "CanNotDelete"}}]}
    for change, code in ((f.operation("locks", f.VM, lock), "locked"), (f.hide("locks", f.VM), "unseen")):
        made, _ = planned(FAILED, change)
        assert NAME not in {step.fix for step in made.steps}
        assert ("vmaccess-extension-broken", code) in [(one.fault, one.code) for one in made.refusals]
