"""Has Windows finished its setup?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import TERM_SERVICE
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Effect, Hop


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("sysprep-or-oobe-state",), requires=("vm_is_running",))
def windows_setup_is_finished(facts: Facts) -> Outcome:
    r"""Windows has finished its setup.

    Why: while setup or the first-run experience (OOBE) is in progress the listener does not start; starting services would only
        hide that the image was not prepared properly.
    Evidence: HKLM\SYSTEM\Setup SystemSetupInProgress and OOBEInProgress; whether TermService runs.
    By hand:
        * sysprep-or-oobe-state: look at the boot screenshot; `az vm boot-diagnostics get-boot-log --ids <vm id>`. If setup does not
          go on within half an hour, redeploy from an image that was generalised with `sysprep /generalize /oobe /shutdown`.
    See: https://learn.microsoft.com/azure/virtual-machines/windows/prepare-for-upload-vhd-image
    """
    setup = need(facts.guest.registry_number(r"SETUP\SystemSetupInProgress"))
    first_run = need(facts.guest.registry_number(r"SETUP\OOBEInProgress"))
    if setup in (None, 0) and first_run in (None, 0):
        return passed("no setup is in progress")
    service = need(facts.guest.service(TERM_SERVICE))
    serves = service is not None and service.state == "Running"
    return failed(
        "sysprep-or-oobe-state",
        "Windows is still in its setup: " + ("SystemSetupInProgress" if setup else "OOBEInProgress") + " is set.",
        Effect.DEGRADES if serves else Effect.BLOCKS,
        setup=setup,
        oobe=first_run,
    )
