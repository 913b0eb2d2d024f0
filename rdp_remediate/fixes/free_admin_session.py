"""Free one of the two sessions for administration."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(faults=("admin-session-limit",), layer="guest", order=50, permissions=RUN_COMMAND)
def free_admin_session(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Sign a disconnected session off.

    Changes: ends one disconnected session, with all that is open in it.
    Undo: what was open in it is lost.
    Refuses when: no session is disconnected; people choose among themselves.
    """
    del facts
    evidence = findings[0].evidence
    session, user = evidence.get("session_id"), evidence.get("session_user")
    if session is None:
        yield Refused(
            "sessions_in_use",
            f"Both sessions are in use ({evidence.get('sessions')}); one of them has to make room.",
            "the people who are signed in",
        )
        return
    yield Draft(
        kind="session",
        target={"session_id": session, "user": user},
        expected="Disc",
        desired=None,
        title=f"Sign the disconnected session {session} of {user} off",
        postcondition=f"session {session} of {user} is gone",
        risk=Risk.DISRUPTIVE,
        opens=False,
        always_ask=f"what {user} has open in that session is lost",
        undoable=False,
    )
