"""Redeploy, reapply, and deallocate to start again, through the genuine clients against the simulated Azure."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rdp_remediate.facts.platform import read_vm
from rdp_remediate.lab.server import Lab
from rdp_remediate.models.plan import Outcome
from tests.acceptance.playing import wired
from tests.acceptance.test_azure_steps import approved, first

pytestmark = pytest.mark.slow

FAILED = {"code": "ProvisioningState/failed/VMExtensionProvisioningError", "level": "Error", "displayStatus": "Failed"}
DEGRADED = {
    "annotationName": "VirtualMachinePossiblyDegradedDueToHardwareFailure",
    "context": "Platform Initiated",
    "category": "Unplanned",
    "impactType": "Degraded",
    "summary": "This virtual machine is at risk.",
}


def _failed(lab: Lab) -> None:
    lab.world.resources[lab.world.vm_id.lower()]["properties"]["provisioningState"] = "Failed"
    view = lab.world.instance_views[lab.world.vm_id.lower()]
    view["statuses"] = [FAILED, *view["statuses"][1:]]


def _degraded(lab: Lab) -> None:
    at = next(
        status["time"] for status in lab.world.instance_views[lab.world.vm_id.lower()]["statuses"] if "time" in status
    )
    lab.world.annotations.append({**DEGRADED, "occurredTime": at})


@pytest.mark.parametrize(
    ("breaks", "kind", "fault", "ending"),
    [
        (_degraded, "redeploy_vm", "platform-degraded-hardware", "/redeploy$"),
        (_failed, "reapply_vm", "vm-provisioning-failed", "/reapply$"),
    ],
)
async def test_a_step_on_the_vm_is_sent_once_and_its_fault_is_gone(
    breaks: Callable[[Lab], None], kind: str, fault: str, ending: str, tmp_path: Path
) -> None:
    async with wired("healthy", "modelled", tmp_path) as (lab, services, settings):
        breaks(lab)
        run = await first(lab, services, settings)
        assert fault in {name for step in (run.plan.steps if run.plan else []) for name in step.faults}
        done = await approved(services, run, kind)
        (entry,) = await services.ledger.journal(run.run_id)
        assert (entry.step.kind, entry.outcome, entry.detail) == (kind, Outcome.APPLIED, None)
        assert len(lab.requests.matching(ending, "POST")) == 1
        assert done.plan is not None
        assert done.plan.steps == [], done.plan
        view = lab.world.vm_view(lab.world.vm_id, expand=True)
        assert view is not None
        assert (read_vm(view).power_state, read_vm(view).provisioning_state) == ("running", "Succeeded")


@pytest.mark.parametrize("kind", ["redeploy_vm", "reapply_vm"])
@pytest.mark.parametrize("after", [False, True], ids=["lost on the way there", "lost on the way back"])
async def test_a_lost_answer_is_read_back_or_unknown_and_never_sent_again(
    kind: str, after: bool, tmp_path: Path
) -> None:
    breaks, ending = (_degraded, "/redeploy") if kind == "redeploy_vm" else (_failed, "/reapply")
    async with wired("healthy", "modelled", tmp_path) as (lab, services, settings):
        breaks(lab)
        run = await first(lab, services, settings)
        lab.failures.add(ending, method="POST", drop=True, after=after)
        await approved(services, run, kind)
        rows = [row.outcome for row in await services.ledger.journal(run.run_id)]
        assert rows[0] in (Outcome.OUTCOME_UNKNOWN, Outcome.APPLIED)
        assert len(rows) == 1
        assert len(lab.requests.matching(f"{ending}$", "POST")) == 1
        if kind == "redeploy_vm" or not after:
            assert rows == [Outcome.OUTCOME_UNKNOWN]
