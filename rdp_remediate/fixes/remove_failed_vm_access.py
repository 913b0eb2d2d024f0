"""Remove a VMAccess extension that failed, so that the next reset can run; always a person's decision."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding

FAILED = "ProvisioningState/failed"


@fix(
    faults=("vmaccess-extension-broken",),
    layer="platform",
    order=12,
    permissions=(
        "Microsoft.Compute/virtualMachines/extensions/read",
        "Microsoft.Compute/virtualMachines/extensions/delete",
    ),
)
def remove_failed_vm_access(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Remove the VMAccess extension that failed.

    Changes: deletes the extension from the VM in Azure; nothing in Windows, no account and no password.
    Undo: none is needed; whoever resets something next creates it anew.
    Refuses when: the agent is not ready, because Azure then waits in vain, or a lock stands in the way.
    """
    vm = need(facts.vm)
    locks = need(facts.locks)
    name = str(findings[0].evidence.get("extension") or "")
    if vm.agent is None or not vm.agent.ready:
        yield Refused("agent", "The agent is not ready, and an extension is only removed with its help.")
    elif locks:
        yield Refused("locked", f"The lock {locks[0].lock_id} ({locks[0].level}) stands in the way.", "its owner")
    elif not name:
        yield Refused("unseen", "The instance view does not name the extension.")
    else:
        yield Draft(
            kind="delete_extension",
            target={"vm_id": vm.vm_id, "extension": name},
            expected=FAILED,
            desired=None,
            title=f"Remove the failed VMAccess extension {name}",
            postcondition="the VM has no VMAccess extension, so that a new reset can run",
            risk=Risk.SENSITIVE,
            opens=False,
            always_ask="what somebody set up is removed; the settings of its last run cannot be read, so it cannot be put back",
            undoable=False,
        )
