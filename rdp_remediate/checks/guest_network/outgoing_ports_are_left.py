"""Can Windows still open connections?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.asker import signs_in_with_domain
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.guest_system import Ports
from rdp_remediate.models.report import Confidence, Effect, Hop

_RECENT_S = 3600
_FULL = 0.95


@check(hop=Hop.GUEST_NETWORK, faults=("tcp-port-exhaustion",), requires=("vm_is_running",))
def outgoing_ports_are_left(facts: Facts) -> Outcome:
    """Windows has ports left to open connections from.

    Why: without one it reaches no domain controller, so NLA of domain users fails; local users and the listener are untouched.
    Evidence: System Tcpip 4231 since the last start of Windows and within the hour. A single 4227 is normal. The ports of the
        dynamic range that are in use now, and which process holds most: both together are proof, since ports come free again.
    By hand:
        * tcp-port-exhaustion: the process that holds most: <holder>. `Get-NetTCPConnection | Group-Object OwningProcess,State |
          Sort-Object Count -Descending` shows all; its owner stops or repairs it. For the time being a wider range helps:
          `netsh int ipv4 set dynamicport tcp start=10000 num=55535`.
    See: https://learn.microsoft.com/troubleshoot/windows-client/networking/tcp-ip-port-exhaustion-troubleshooting
    """
    ports = _ports(facts)
    events = need(facts.guest.logged("Tcpip", 4231))
    booted = need(facts.guest.os).last_boot
    recent = [
        event
        for event in events
        if (facts.at - event.at).total_seconds() < _RECENT_S and (booted is None or event.at > booted)
    ]
    if not recent and ports is not None and ports.used >= ports.range * _FULL:
        return failed(
            "tcp-port-exhaustion",
            f"{ports.used} of {ports.range} ports for outgoing connections are in use, {ports.held} of them by {_holder(ports)}.",
            Effect.RISK,
            holder=_holder(ports),
        )
    if not recent:
        return passed("Windows did not run out of ports within the hour")
    last = max(event.at for event in recent)
    if ports is not None and ports.used >= ports.range * _FULL:
        return failed(
            "tcp-port-exhaustion",
            f"Windows ran out of ports for outgoing connections at {last:%Y-%m-%d %H:%M}Z (Tcpip 4231), and {ports.used} of "
            f"{ports.range} are in use now, {ports.held} of them by {_holder(ports)}.",
            Effect.BLOCKS if signs_in_with_domain(facts) else Effect.DEGRADES,
            at=f"{last:%Y-%m-%dT%H:%M:%SZ}",
            holder=_holder(ports),
        )
    return failed(
        "tcp-port-exhaustion",
        f"Windows ran out of ports for outgoing connections at {last:%Y-%m-%d %H:%M}Z (Tcpip 4231).",
        Effect.BLOCKS if signs_in_with_domain(facts) else Effect.DEGRADES,
        Confidence.LIKELY,
        holder="not shown" if ports is None else _holder(ports),
        at=f"{last:%Y-%m-%dT%H:%M:%SZ}",
    )


def _ports(facts: Facts) -> Ports | None:
    """The ports in use now; None where less than half are, or where they could not be counted, which the events do not need."""
    seen = facts.guest.system_item("ports")
    return None if isinstance(seen, Unavailable) else seen.value.ports


def _holder(ports: Ports) -> str:
    return f"{ports.process or 'a process that ended'} (PID {ports.pid})"
