"""Does the VM still stand in the classic deployment model?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, skipped
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Effect, Hop
from rdp_remediate.network.classic import is_classic

_RUNNING = ("readyrole", "running", "started", "")


@check(hop=Hop.ENDPOINT, faults=("classic-retired",))
def classic_vm_is_migrated(facts: Facts) -> Outcome:
    """The VM belongs to Azure Resource Manager, not to the retired classic deployment model.

    Why: classic VMs were retired on 2023-09-06: one that is stopped cannot be started any more.
    Evidence: the resource's type, its instance status.
    By hand:
        * classic-retired: keep the disk and make a VM of it in Azure Resource Manager: copy the VHD, `az disk create -g GROUP
          -n DISK --source URI --os-type Windows`, `az vm create -g GROUP -n <vm> --attach-os-disk DISK --os-type Windows`; in Bicep
          `storageProfile: { osDisk: { createOption: 'Attach', osType: 'Windows', managedDisk: { id: disk.id } } }`. What can no
          longer be reached needs a support request.
    See: https://learn.microsoft.com/azure/virtual-machines/classic-vm-deprecation
    """
    vm = facts.target.vm_id.rstrip("/").lower()
    if not is_classic(facts.network, vm):
        return skipped("no classic VM")
    machine = facts.network.classic_vms.get(vm)
    status = machine.status if machine is not None else ""
    off = status.lower() not in _RUNNING
    said = f"; it is {status} and cannot be started" if off else ""
    return failed(
        "classic-retired",
        f"This is a VM of the classic deployment model, which was retired on 2023-09-06{said}.",
        Effect.BLOCKS if off else Effect.RISK,
        vm=facts.target.vm_id.rsplit("/", 1)[-1],
        status=status,
    )
