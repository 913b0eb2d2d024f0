"""Is one of the two sessions for administration free for the user?"""

from typing import Any

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, by_design, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.session_host import CLIENT_WINDOWS, is_session_host
from rdp_remediate.facts.sessions import comparable, holds_session, told
from rdp_remediate.models.report import Confidence, Effect, Hop

_SESSIONS = 2
_MANAGER = "Microsoft-Windows-TerminalServices-RemoteConnectionManager"
_GRACE_IS_OVER = (1069, 1128)


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("admin-session-limit",), requires=("vm_is_running",))
def administrators_have_a_free_session(facts: Facts) -> Outcome:
    """One of the two sessions for administration is free, or is the user's own.

    Why: a server without the role Remote Desktop Session Host has two sessions, disconnected ones included; the third person
    is asked to end one of them. A limit, no failure. A session host has two such sessions for /admin, which is the only way in
    once its licensing grace period is over. A client Windows has one session and hands it over.
    Evidence: sessions, the role of the host, the user who was named, events 1069 and 1128 on a session host.
    By hand:
        * admin-session-limit: the sessions are <sessions>. Ask their owners; `logoff <session_id>` ends one, with all that is
          open in it. Or connect with `mstsc /admin` and choose whom to disconnect.
    See: https://learn.microsoft.com/troubleshoot/windows-server/remote/troubleshoot-remote-desktop-disconnected-errors
    """
    people = need(facts.guest.people())
    if len(people) < _SESSIONS:
        return passed(f"{len(people)} of two sessions taken")
    if need(facts.guest.os).product_type == CLIENT_WINDOWS:
        return passed("a client Windows hands its session over")
    host = is_session_host(facts.guest)
    if host and not need(facts.guest.logged(_MANAGER, *_GRACE_IS_OVER)):
        return passed("a session host is not limited to two sessions")
    user = comparable(facts.target.user)
    if user and holds_session(user, people):
        return passed("the user has a session and takes it back")
    idle = next((one for one in people if one.state == "Disc"), None)
    evidence: dict[str, Any] = {"sessions": told(people)}
    if idle is not None:
        evidence.update(session_id=idle.id, session_user=idle.user)
    reason = (
        f"Both sessions for administration are taken ({evidence['sessions']}); the next person has to end one of them."
    )
    if user and not host:
        return by_design("admin-session-limit", reason, **evidence)
    # Nobody was named, so it may be one of the two who asks.
    return failed("admin-session-limit", reason, Effect.DEGRADES, Confidence.CONFIRMED, **evidence)
