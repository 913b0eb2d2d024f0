"""Could the boot screen and the serial log be looked at?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Effect, Hop


@check(hop=Hop.PLATFORM, faults=("boot-diagnostics-disabled",), requires=("vm_state_is_settled",))
def boot_diagnostics_are_on(facts: Facts) -> Outcome:
    """Boot diagnostics are on.

    Why: without them neither the boot screen nor the serial log nor the serial console is there when Windows does not start.
    Evidence: the VM's diagnosticsProfile.
    By hand:
        * boot-diagnostics-disabled: `az vm boot-diagnostics enable -g GROUP -n VM` (managed storage, no restart); in Bicep
          `diagnosticsProfile: { bootDiagnostics: { enabled: true } }`. A premium or zone-redundant storage account cannot
          hold them: leave storageUri out.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/boot-diagnostics
    """
    if need(facts.vm).boot_diagnostics:
        return passed("boot diagnostics are on")
    return failed(
        "boot-diagnostics-disabled",
        "Boot diagnostics are off: if Windows does not start, nobody can see why.",
        Effect.BLINDS,
    )
