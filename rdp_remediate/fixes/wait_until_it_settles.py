"""Wait for something that ends by itself and that any change would make worse."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.fix import Draft, Yielded, fix
from rdp_remediate.models.plan import WAIT
from rdp_remediate.models.report import Finding

_WHAT = {
    "vm-transitional": ("Azure has ended its operation on the VM", "start no other operation on it"),
    "platform-maintenance-or-freeze": ("Azure has ended the maintenance of the host", "there is nothing to repair"),
    "runcommand-blocked": ("the other Run Command has ended", "it may last 90 minutes and cannot be cancelled"),
    "windows-update-in-progress": (
        "Windows has ended its updates",
        "up to eight hours; never restart or redeploy before",
    ),
    "checking-file-system": ("Windows has ended the check of its file system", "never restart before"),
}
"""Fault to what ends by itself, and what goes with it."""


@fix(faults=tuple(_WHAT), layer="platform", order=5, permissions=("Microsoft.Compute/virtualMachines/read",))
def wait_until_it_settles(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Wait, and look again.

    Changes: nothing. The run is parked and looks again for some minutes; meanwhile nothing else is done to the VM, because a
        restart or a second operation in the middle would do damage. What lasts longer ends the run with its verdict.
    Undo: there is nothing to undo.
    Refuses when: never; it only waits.
    """
    for finding in findings:
        what, advice = _WHAT[str(finding.fault)]
        over = finding.evidence.get("under_way") == "no"
        yield Draft(
            kind=WAIT,
            target={"vm_id": facts.target.vm_id, "fault": finding.fault},
            expected="ended" if over else "under way",
            desired="ended",
            title=f"Wait until {what}: {advice}",
            postcondition=f"{what}; the next look at the VM shows it",
            opens=False,
            undoable=False,
        )
