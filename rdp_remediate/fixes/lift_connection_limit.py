"""Lift the limit on RDP connections."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.session_host import is_session_host
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.report import Finding

_PATH = r"RT\MaxInstanceCount"
_UNLIMITED = 0xFFFFFFFF


@fix(faults=("max-instance-count",), layer="guest", order=33, permissions=RUN_COMMAND)
def lift_connection_limit(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    r"""Set the number of RDP connections back to unlimited, its default.

    Changes: RT\MaxInstanceCount to 0xFFFFFFFF.
    Undo: writes the recorded value back.
    Refuses when: group policy sets the limit; its owner must change it. On a session host a limit may follow its licences, so a
    person decides.
    """
    del findings
    if need(facts.guest.registry_number(r"POL\MaxInstanceCount")) is not None:
        yield Refused(
            "policy_owned",
            "Group policy sets MaxInstanceCount (Limit number of connections).",
            "the owner of that group policy",
        )
        return
    limit = need(facts.guest.registry_number(_PATH))
    licensed = limit != 0 and is_session_host(facts.guest)
    yield Draft(
        kind="registry",
        target={"path": _PATH},
        expected=limit,
        desired=_UNLIMITED,
        title="Set MaxInstanceCount of the RDP listener to unlimited, its default",
        postcondition=f"{_PATH} is 0xFFFFFFFF",
        always_ask="the limit of a session host may follow its licences" if licensed else None,
    )
