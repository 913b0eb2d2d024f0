"""Move a VM to another host; always a person's decision, and once in a run."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.platform import UPDATE_SCREENS, power_word
from rdp_remediate.fixes.fix import Draft, Refused, Yielded, fix, locked
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(
    faults=("platform-unavailable", "platform-degraded-hardware", "accelnet-unhealthy"),
    layer="platform",
    order=12,
    permissions=("Microsoft.Compute/virtualMachines/read", "Microsoft.Compute/virtualMachines/redeploy/action"),
)
def redeploy_virtual_machine(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Redeploy the VM, which moves it to another host.

    Changes: Windows shuts down and starts again on another host; the temporary disk D: is empty then, and dynamic addresses
        change. Disks and static addresses stay.
    Undo: none; what was on the temporary disk is gone.
    Refuses when: the VM does not run, it was restarted or redeployed once in this run, or a read-only lock forbids it. It is not
        sent while Windows installs updates.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/redeploy-to-new-node-windows
    """
    vm = need(facts.vm)
    if not vm.running:
        yield Refused("not_running", "Only a VM that runs can be redeployed; one that starts is placed anew anyhow.")
        return
    if refused := locked(facts):
        yield refused
        return
    yield Draft(
        kind="redeploy_vm",
        target={"vm_id": vm.vm_id},
        expected=power_word(vm),
        desired="redeployed",
        title=f"Redeploy the VM {vm.name}: its temporary disk is lost and dynamic addresses may change",
        postcondition="PowerState/running on another host, and Resource Health says Available",
        risk=Risk.DISRUPTIVE,
        opens=False,
        drops_sessions=True,
        always_ask=_ask(facts, {finding.fault for finding in findings}),
        undoable=False,
    )


def _ask(facts: Facts, faults: set[str | None]) -> str:
    said = [
        "a redeploy ends every session and everything that runs on the VM, for some minutes; everything on the temporary disk D: "
        "is lost, and dynamic public and private addresses may change"
    ]
    if "platform-unavailable" in faults:
        said.append("Azure repairs a failed host by itself, mostly within minutes: redeploy only if it does not")
    screen = facts.policy.boot_screen
    if screen in UPDATE_SCREENS:
        said.append(f"the boot picture shows {screen}: a redeploy before that has ended would damage Windows")
    elif screen is None and isinstance(facts.guest.os, Unavailable):
        said.append("nobody has said what the boot picture shows: if it shows updates, do not redeploy")
    return "; ".join(said)
