"""Can we look inside?"""

from typing import Any

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.wireserver import unanswered
from rdp_remediate.models.report import Effect, Hop


@check(hop=Hop.PLATFORM, faults=("agent-not-ready", "agent-not-installed"), requires=("vm_is_running",))
def vm_agent_is_ready(facts: Facts) -> Outcome:
    """The VM agent is ready.

    Why: Run Command needs the agent. Remote Desktop itself does not: this never explains a failed connection.
    Evidence: instance view vmAgent; where Windows was read, TCP to 168.63.129.16 on ports 80 and 32526 from inside.
    By hand:
        * agent-not-ready: over the serial console check that 168.63.129.16 answers on ports 80 and 32526 and that drive C: has
          space, then `net start RdAgent` and `net start WindowsAzureGuestAgent`; a restart of the VM needs its owner's consent.
        * agent-not-installed: install the agent's MSI inside Windows, or offline on a copy of the OS disk.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/windows-azure-guest-agent
    """
    vm = need(facts.vm)
    if vm.agent is None:
        return failed(
            "agent-not-installed", "The VM shows no agent, so nothing inside Windows can be read.", Effect.BLINDS
        )
    silent = unanswered(facts.guest)
    more = "" if silent is None else f"; {silent}"
    evidence: dict[str, Any] = {} if silent is None else {"wireserver": silent}
    if vm.agent.ready:
        return passed(f"agent {vm.agent.version or ''} is ready{more}".replace("  ", " "), **evidence)
    return failed(
        "agent-not-ready",
        f"The agent is not ready ({vm.agent.message or vm.agent.code}), so nothing inside Windows can be read{more}.",
        Effect.BLINDS,
        **evidence,
    )
