"""Did the last operation on the VM end well?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.fact import Observed
from rdp_remediate.models.report import Effect, Hop


@check(hop=Hop.PLATFORM, faults=("vm-provisioning-failed",), requires=("vm_state_is_settled", "vm_is_running"))
def vm_provisioning_succeeded(facts: Facts) -> Outcome:
    """The last operation of Azure on the VM ended well.

    Why: a VM whose Windows never finished its first start does not answer. Else this only says that some operation failed,
        often an extension: the VM may work all the same.
    Evidence: provisioningState, the instance view's ProvisioningState/failed/<code>, the agent.
    By hand:
        * vm-provisioning-failed: the code is <code>. If Windows runs and the agent is ready, repair what failed (often an
          extension) and `az vm reapply -g GROUP -n VM` with its owner's consent. OSProvisioningTimedOut or an out-of-box
          screen: the image was not prepared with sysprep for Azure; make the VM anew from a right image, or redeploy.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-deployment-new-vm-windows
    """
    vm = need(facts.vm)
    state = (vm.provisioning_state or "").lower()
    code = vm.provisioning_code or ""
    word, _, cause = code.partition("/")
    if state != "failed" and word.lower() != "failed":
        if not state:
            return unknown("The VM shows no provisioning state.", because="provisioning state")
        return passed(f"provisioningState {vm.provisioning_state}")
    of_windows = cause.lower().startswith("osprovisioning")
    up = isinstance(facts.guest.os, Observed) or (vm.agent is not None and vm.agent.ready)
    answered = any(probe.answered for probe in facts.probes)
    stuck = of_windows and not up and not answered
    said = f" with {cause}" if cause else ""
    return failed(
        "vm-provisioning-failed",
        f"The last operation of Azure on this VM failed{said}"
        + ("; Windows never finished its first start." if stuck else "; the VM runs, so this alone stops nobody."),
        Effect.BLOCKS if stuck else Effect.RISK,
        code=cause or "not shown",
    )
