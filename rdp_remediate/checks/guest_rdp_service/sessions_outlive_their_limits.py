"""Are sessions ended by a time limit?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError
from rdp_remediate.facts.sessions import Limit, session_limits
from rdp_remediate.facts.term_service import remote_desktop_item
from rdp_remediate.models.fact import Reason, Unavailable
from rdp_remediate.models.report import Effect, Hop


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("session-timeout-drops",), requires=("vm_is_running",))
def sessions_outlive_their_limits(facts: Facts) -> Outcome:
    r"""No idle or connection limit has ended sessions in the last seven days.

    Why: MaxIdleTime and MaxConnectionTime end a session after so many milliseconds; the policy's copy wins, the listener's own
    applies only where fInherit is 0. A limit that nobody ran into is a choice; keep-alive and reconnect values are cosmetic.
    Evidence: the limits in effect, LocalSessionManager event 40 with reason 3 (idle) or 4 (time).
    By hand:
        * session-timeout-drops: <name> is <minutes> minutes, set by <set_by>. Ask whoever set it, it may be a rule of the house;
          by policy: `Set time limit for active but idle Remote Desktop Services sessions` or `for active` sessions; in the
          registry: <name> 0 under `WinStations\RDP-Tcp`.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-intermittent-connectivity
    """
    limits = session_limits(facts.guest)
    if not limits:
        return passed("no idle or connection limit is in effect")
    drops = remote_desktop_item(facts.guest, "limit_drops").limit_drops
    if drops is None:
        source = "guest.remote_desktop.limit_drops"
        raise UnseenError(Unavailable(Reason.NOT_COLLECTED, "events of ended sessions were not told", source))
    counted: list[tuple[Limit, int]] = [
        (limit, drops.idle if limit.name == "MaxIdleTime" else drops.time) for limit in limits
    ]
    hit = next(((limit, count) for limit, count in counted if count > 0), None)
    if hit is None:
        return passed("a limit is set, and ended no session in seven days", limit=limits[0].text)
    limit, count = hit
    return failed(
        "session-timeout-drops",
        f"{limit.text} ended {count} session{'s' if count > 1 else ''} in seven days.",
        Effect.DEGRADES,
        name=limit.name,
        minutes=limit.minutes,
        set_by=limit.set_by,
        count=count,
    )
