"""Apply the state of a VM again whose last operation in Azure failed; always a person's decision."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import Draft, Yielded, fix, locked
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Effect, Finding


@fix(
    faults=("vm-provisioning-failed",),
    layer="platform",
    order=13,
    permissions=("Microsoft.Compute/virtualMachines/read", "Microsoft.Compute/virtualMachines/reapply/action"),
)
def reapply_virtual_machine(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Reapply the VM's state.

    Changes: Azure applies the model that it holds of the VM once more, extensions included; a failed provisioning state ends.
    Undo: none; the model stays what it was.
    Refuses when: a read-only lock forbids it.
    See: https://learn.microsoft.com/rest/api/compute/virtual-machines/reapply
    """
    vm = need(facts.vm)
    if refused := locked(facts):
        yield refused
        return
    ask = "whether a reapply restarts the VM is not documented, and extensions that wait are run by it"
    if findings[0].effect is Effect.BLOCKS:
        ask += "; it does not finish a first start of Windows that the image itself prevents"
    yield Draft(
        kind="reapply_vm",
        target={"vm_id": vm.vm_id},
        expected="failed",
        desired="succeeded",
        title=f"Reapply the state of the VM {vm.name}",
        postcondition="ProvisioningState/succeeded",
        risk=Risk.DISRUPTIVE,
        opens=False,
        drops_sessions=True,
        always_ask=ask,
        undoable=False,
    )
