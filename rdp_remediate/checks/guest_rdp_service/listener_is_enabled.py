"""Is the RDP listener switched on?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("listener-disabled",), requires=("vm_is_running", "listener_is_defined"))
def listener_is_enabled(facts: Facts) -> Outcome:
    r"""The RDP listener is switched on (fEnableWinStation=1).

    Why: with 0 TermService runs and RDP is allowed, but it opens no port. Other listeners have a key of their own.
    Evidence: guest registry, RT\fEnableWinStation.
    By hand:
        * listener-disabled: `Set-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations\RDP-Tcp'
          fEnableWinStation 1`, then `Restart-Service TermService -Force`, which drops sessions.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-general-error
    """
    value = need(facts.guest.registry_number(r"RT\fEnableWinStation"))
    if value == 0:
        return failed("listener-disabled", "The RDP listener is switched off (fEnableWinStation=0).", value=value)
    if value == 1:
        return passed("fEnableWinStation=1")
    return unknown(
        f"fEnableWinStation is {'absent' if value is None else value}, which is no known setting.", "guest.registry"
    )
