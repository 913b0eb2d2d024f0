"""Does the RDP listener take one more connection?"""

from typing import Any

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.sessions import comparable, holds_session, told
from rdp_remediate.models.report import Hop

UNLIMITED = 999_999
"""What the group policy writes for no limit; the listener's own value is 0xFFFFFFFF."""


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("max-instance-count",), requires=("vm_is_running", "listener_is_defined"))
def listener_has_room(facts: Facts) -> Outcome:
    r"""The number of RDP connections is not limited, or the limit is not reached.

    Why: MaxInstanceCount limits the connections of the listener; 0 takes none. The policy's copy wins. A limit that is not
    reached is nobody's fault.
    Evidence: RT\MaxInstanceCount, its policy copy, the connected sessions.
    By hand:
        * max-instance-count: the limit is <limit>, set by <set_by>. In the registry: `Set-ItemProperty
          'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations\RDP-Tcp' MaxInstanceCount 0xFFFFFFFF -Type DWord`;
          by policy: its owner changes `Limit number of connections`.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-intermittent-connectivity
    """
    policy = need(facts.guest.registry_number(r"POL\MaxInstanceCount"))
    local = need(facts.guest.registry_number(r"RT\MaxInstanceCount"))
    limit = local if policy is None else policy
    if limit is None:
        return unknown("MaxInstanceCount is absent from the listener, which no page describes.", "guest.registry")
    if limit >= UNLIMITED or limit < 0:
        return passed("the number of connections is not limited")
    evidence: dict[str, Any] = {"limit": limit, "set_by": "the listener's registry key" if policy is None else "policy"}
    if limit == 0:
        return failed("max-instance-count", "The listener takes no connection at all (MaxInstanceCount=0).", **evidence)
    people = need(facts.guest.people())
    connected = [one for one in people if one.name.lower().startswith("rdp-")]
    user = comparable(facts.target.user)
    if len(connected) >= limit:
        if not user:
            return unknown(
                f"The limit of {limit} connections is reached ({told(connected)}); who wants in is not known.",
                because="target.user",
                **evidence,
            )
        if holds_session(user, people):
            return passed("the user has a session and takes it back", **evidence)
        return failed(
            "max-instance-count",
            f"The limit of {limit} connections is reached (MaxInstanceCount; {told(connected)}).",
            sessions=told(connected),
            **evidence,
        )
    waiting = [one for one in people if one.state == "Disc"]
    if len(connected) + len(waiting) >= limit and not holds_session(user or "", people):
        return unknown(
            f"With disconnected sessions the limit of {limit} connections is reached; whether they count is not documented.",
            because="guest.sessions",
            **evidence,
        )
    return passed(f"{len(connected)} of {limit} connections are used", **evidence)
