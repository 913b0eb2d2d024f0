"""Did Secure Boot refuse to start Windows?"""

from datetime import timedelta

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.boot import Screen
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.fact import Observed
from rdp_remediate.models.report import Hop

FRESH = timedelta(hours=24)
_UP = (Screen.LOGIN, Screen.UPDATE, Screen.UPDATE_UNDO, Screen.GETTING_READY, Screen.FEATURES, Screen.SAFE_MODE)


@check(hop=Hop.PLATFORM, faults=("secure-boot-failure",), requires=("vm_is_running",))
def secure_boot_admits_windows(facts: Facts) -> Outcome:
    """Secure Boot let Windows start.

    Why: after an unsigned driver or boot file the firmware refuses to start Windows, and nothing answers.
    Evidence: the annotation VirtualMachineFailedToSecureBoot, which Azure writes for confidential VMs only; the agent.
    By hand:
        * secure-boot-failure: restore the OS disk from before the change, or roll the unsigned boot file or driver back on a
          repair VM. Do not switch Secure Boot off without the security owner.
    See: https://learn.microsoft.com/azure/service-health/resource-health-vm-annotation
    """
    vm = need(facts.vm)
    if isinstance(facts.guest.os, Observed) or (vm.agent is not None and vm.agent.ready and facts.boot_screen is None):
        return passed("Windows is up")
    told = [one for one in need(facts.annotations) if "failedtosecureboot" in one.name.lower()]
    if not told:
        return passed("no annotation of a refused start")
    last = told[-1]
    if last.at is None or facts.at - last.at > FRESH:
        return unknown("An old annotation says that Secure Boot refused a start.", because="resource annotations")
    if facts.boot_screen in _UP or any(probe.answered for probe in facts.probes):
        return passed("Windows came up after the start that Secure Boot refused")
    return failed("secure-boot-failure", f"Secure Boot refused to start Windows at {last.at:%Y-%m-%d %H:%M}Z.")
