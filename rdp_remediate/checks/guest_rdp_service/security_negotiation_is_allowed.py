"""Does the listener answer what a client asks for: TLS or NLA?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("security-negotiation-disabled",), requires=("vm_is_running",))
def security_negotiation_is_allowed(facts: Facts) -> Outcome:
    r"""The listener negotiates TLS and NLA with clients.

    Why: with fAllowSecProtocolNegotiation=0 it ignores what a client asks for; clients that want NLA end with an internal error.
    Evidence: RT\fAllowSecProtocolNegotiation; absent is allowed.
    By hand:
        * security-negotiation-disabled: `Set-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal
          Server\WinStations\RDP-Tcp' fAllowSecProtocolNegotiation 1`, then `Restart-Service TermService -Force`, which disconnects
          sessions.
    See: https://learn.microsoft.com/troubleshoot/windows-server/remote/internal-error-has-occurred-connecting-remote-machine
    """
    value = need(facts.guest.registry_number(r"RT\fAllowSecProtocolNegotiation"))
    if value == 0:
        return failed(
            "security-negotiation-disabled",
            "The listener does not negotiate TLS or NLA (fAllowSecProtocolNegotiation=0).",
            value=value,
        )
    return passed("the listener negotiates the security protocol", value=value)
