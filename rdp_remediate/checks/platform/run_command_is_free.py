"""Is another Run Command in the way of looking inside Windows?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.fact import Observed, Reason
from rdp_remediate.models.report import Effect, Hop

_BUSY = ("transitioning", "updating", "creating", "deleting")


@check(hop=Hop.PLATFORM, faults=("runcommand-blocked",), requires=("vm_is_running", "vm_agent_is_ready"))
def run_command_is_free(facts: Facts) -> Outcome:
    r"""No other Run Command is in progress.

    Why: only one runs at a time, and it cannot be cancelled; while it runs nothing inside Windows can be read or repaired.
        Remote Desktop itself is not touched.
    Evidence: instance view, extension RunCommandWindows; a Run Command of ours that was refused as busy.
    By hand:
        * runcommand-blocked: wait; a script may run 90 minutes. If it never ends, remove the extension with its owner's
          consent (`az vm run-command invoke --command-id RemoveRunCommandWindowsExtension`): it installs itself again. Look
          at HKLM\SOFTWARE\Microsoft\Command Processor\AutoRun if every script ends oddly.
    See: https://learn.microsoft.com/azure/virtual-machines/windows/run-command
    """
    if isinstance(facts.guest.os, Observed):
        return passed("Run Command answered")
    vm = need(facts.vm)
    if (vm.provisioning_state or "").lower() in _BUSY:
        return skipped("vm_state_is_settled")
    for one in vm.extensions:
        state = one.code.lower().removeprefix("provisioningstate/").partition("/")[0]
        if one.type.lower().endswith("runcommandwindows") and state in _BUSY:
            return failed(
                "runcommand-blocked", "Another Run Command is in progress, so Windows cannot be read.", Effect.BLINDS
            )
    if facts.guest.os.reason is Reason.BUSY:
        return failed("runcommand-blocked", f"Run Command is busy: {facts.guest.os.detail}", Effect.BLINDS)
    return passed("no other Run Command is in progress")
