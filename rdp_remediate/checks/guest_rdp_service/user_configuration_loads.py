"""Does Windows get the configuration of RDP users in time?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.rdp_security import listener_setting
from rdp_remediate.models.report import Effect, Hop

RCM = "Microsoft-Windows-TerminalServices-RemoteConnectionManager"
ASKS_BY_DEFAULT = 9600
"""Windows Server 2012 R2 is the last that asks the domain controller where nothing is set."""


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("user-config-load-timeout",), requires=("vm_is_running",))
def user_configuration_loads(facts: Facts) -> Outcome:
    r"""Windows does not wait for a domain controller to tell the configuration of RDP users.

    Why: with fQueryUserConfigFromDC=1 each sign-in asks a domain controller; when that takes too long (event 20499) the sign-in is
        slow or fails. Asking a domain controller that answers is no fault.
    Evidence: fQueryUserConfigFromDC and fQueryUserConfigFromLocalMachine, policy before registry; event 20499 of the last days.
    By hand:
        * user-config-load-timeout: `Set-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations\RDP-Tcp'
          fQueryUserConfigFromDC 0`, then `Restart-Service TermService -Force`, which disconnects sessions. Settings of RDP users in
          Active Directory are not applied any more. The event names the domain controller; look whether it answers.
    See: https://learn.microsoft.com/troubleshoot/windows-server/remote/remote-connection-manager-changes
    """
    asks = listener_setting(facts, "fQueryUserConfigFromDC")
    local = listener_setting(facts, "fQueryUserConfigFromLocalMachine")
    system = need(facts.guest.os)
    by_default = asks.value is None and system.part_of_domain and system.build <= ASKS_BY_DEFAULT
    if local.value == 1 or (asks.value != 1 and not by_default):
        return passed("the configuration of RDP users is not asked of a domain controller")
    events = need(facts.guest.logged(RCM, 20499))
    if not events:
        return passed("the domain controller answered in time")
    return failed(
        "user-config-load-timeout",
        "A domain controller takes too long to tell the configuration of RDP users (event 20499).",
        Effect.DEGRADES,
        server=(events[-1].data or [""])[0],
        events=sum(event.count for event in events),
        policy=asks.policy,
    )
