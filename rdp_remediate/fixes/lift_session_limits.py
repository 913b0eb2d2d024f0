"""Lift time limits that end sessions."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.sessions import session_limits
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(faults=("session-timeout-drops",), layer="guest", order=34, permissions=RUN_COMMAND)
def lift_session_limits(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    r"""Lift the idle or connection limit of the RDP listener.

    Changes: RT\MaxIdleTime or RT\MaxConnectionTime to 0, whichever ended sessions.
    Undo: writes the recorded value back.
    Refuses when: group policy sets the limit; its owner must change it.
    """
    names = {str(finding.evidence.get("name")) for finding in findings}
    for limit in session_limits(facts.guest):
        if limit.name not in names:
            continue
        if limit.by_policy:
            yield Refused("policy_owned", f"{limit.text} is a policy's.", "the owner of that group policy")
            continue
        yield Draft(
            kind="registry",
            target={"path": rf"RT\{limit.name}"},
            expected=limit.milliseconds,
            desired=0,
            title=f"Set {limit.name} of the RDP listener to 0 (no limit)",
            postcondition=rf"RT\{limit.name} is 0",
            risk=Risk.SENSITIVE,
            opens=False,
            always_ask="a time limit on sessions may be a rule of the house",
        )
