"""Start a VM that is off; always a person's decision."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding, FindingStatus


@fix(
    faults=("vm-deallocated", "vm-stopped-allocated", "vm-spot-evicted", "vm-hibernated", "guest-initiated-shutdown"),
    layer="platform",
    order=10,
    permissions=("Microsoft.Compute/virtualMachines/read", "Microsoft.Compute/virtualMachines/start/action"),
)
def start_virtual_machine(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Start the VM.

    Changes: the VM's power state; it costs money from then on.
    Undo: deallocate it again, by hand.
    Refuses when: a schedule or automation switched it off on purpose.
    """
    finding = findings[0]
    if finding.status is FindingStatus.BY_DESIGN and finding.evidence.get("stopper") in ("schedule", "automation"):
        yield Refused("by_design", f"{finding.reason} It was switched off on purpose.", "the owner of the schedule")
        return
    vm = need(facts.vm)
    yield Draft(
        kind="start_vm",
        target={"vm_id": vm.vm_id},
        expected=vm.power_state,
        desired="running",
        title=f"Start the VM {vm.name}",
        postcondition="PowerState/running, then the agent is ready",
        risk=Risk.DISRUPTIVE,
        always_ask="starting a VM costs money and may not be wanted",
        undoable=False,
    )
