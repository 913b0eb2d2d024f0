"""Can Windows still open connections?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.asker import signs_in_with_domain
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Confidence, Effect, Hop

_RECENT_S = 3600


@check(hop=Hop.GUEST_NETWORK, faults=("tcp-port-exhaustion",), requires=("vm_is_running",))
def outgoing_ports_are_left(facts: Facts) -> Outcome:
    """Windows has ports left to open connections from.

    Why: without one it reaches no domain controller, so NLA of domain users fails; local users and the listener are untouched.
    Evidence: System Tcpip 4231 since the last start of Windows and within the hour. A single 4227 is normal.
    By hand:
        * tcp-port-exhaustion: `Get-NetTCPConnection | Group-Object OwningProcess,State | Sort-Object Count -Descending` names the
          process that holds them; its owner stops or repairs it. For the time being a wider range helps: `netsh int ipv4 set
          dynamicport tcp start=10000 num=55535`.
    See: https://learn.microsoft.com/troubleshoot/windows-client/networking/tcp-ip-port-exhaustion-troubleshooting
    """
    events = need(facts.guest.logged("Tcpip", 4231))
    booted = need(facts.guest.os).last_boot
    recent = [
        event
        for event in events
        if (facts.at - event.at).total_seconds() < _RECENT_S and (booted is None or event.at > booted)
    ]
    if not recent:
        return passed("Windows did not run out of ports within the hour")
    last = max(event.at for event in recent)
    return failed(
        "tcp-port-exhaustion",
        f"Windows ran out of ports for outgoing connections at {last:%Y-%m-%d %H:%M}Z (Tcpip 4231).",
        Effect.BLOCKS if signs_in_with_domain(facts) else Effect.DEGRADES,
        Confidence.LIKELY,
        at=f"{last:%Y-%m-%dT%H:%M:%SZ}",
    )
