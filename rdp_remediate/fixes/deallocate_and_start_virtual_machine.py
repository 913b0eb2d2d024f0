"""Let Azure fetch the key of an encrypted disk again; always a person's decision, and once in a run."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.platform import power_word
from rdp_remediate.fixes.fix import Draft, Refused, Yielded, fix, locked
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding

_ASK = (
    "the temporary disk D: is lost, dynamic addresses change, and Azure may have no room for the VM when it starts again; it helps "
    "only where Azure Disk Encryption keeps the key in a Key Vault that can be read"
)


@fix(
    faults=("bitlocker-recovery-prompt",),
    layer="platform",
    order=14,
    permissions=(
        "Microsoft.Compute/virtualMachines/read",
        "Microsoft.Compute/virtualMachines/deallocate/action",
        "Microsoft.Compute/virtualMachines/start/action",
    ),
)
def deallocate_and_start_virtual_machine(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Deallocate the VM and start it again.

    Changes: the VM leaves its host and starts on another one, where Azure gives it the key of its disk anew; the temporary disk D:
        is empty then, and dynamic addresses change.
    Undo: none; a VM that was deallocated and does not start again is started by hand.
    Refuses when: the VM does not run, it was restarted once in this run, or a read-only lock forbids it.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-bitlocker-boot-error
    """
    del findings
    vm = need(facts.vm)
    if not vm.running:
        yield Refused("not_running", "The VM does not run; its start fetches the key.")
        return
    if refused := locked(facts):
        yield refused
        return
    yield Draft(
        kind="deallocate_vm",
        target={"vm_id": vm.vm_id},
        expected=power_word(vm),
        desired="deallocated",
        title=f"Deallocate the VM {vm.name}: its temporary disk is lost and dynamic addresses change",
        postcondition="PowerState/deallocated",
        risk=Risk.DISRUPTIVE,
        opens=False,
        always_ask=_ASK,
        undoable=False,
    )
    yield Draft(
        kind="start_vm",
        target={"vm_id": vm.vm_id},
        expected="deallocated",
        desired="running",
        title=f"Start the VM {vm.name} again",
        postcondition="PowerState/running, then the agent is ready",
        risk=Risk.DISRUPTIVE,
        opens=False,
        always_ask="it follows the deallocation by itself, in the same run",
        undoable=False,
    )
