"""Does the RDP listener take logons?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop


@check(
    hop=Hop.GUEST_RDP_SERVICE, faults=("listener-logon-disabled",), requires=("vm_is_running", "listener_is_defined")
)
def listener_takes_logons(facts: Facts) -> Outcome:
    r"""The RDP listener takes logons (fLogonDisabled is 0 or absent).

    Why: with 1 the port answers, and every logon is refused.
    Evidence: guest registry, RT\fLogonDisabled.
    By hand:
        * listener-logon-disabled: `Set-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations\RDP-Tcp'
          fLogonDisabled 0`, then `Restart-Service TermService -Force`, which drops sessions.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-general-error
    """
    value = need(facts.guest.registry_number(r"RT\fLogonDisabled"))
    if value == 1:
        return failed(
            "listener-logon-disabled", "The RDP listener refuses every logon (fLogonDisabled=1).", value=value
        )
    if value in (None, 0):
        return passed("the listener refuses no logon")
    return unknown(f"fLogonDisabled is {value}, which is no known setting.", "guest.registry")
