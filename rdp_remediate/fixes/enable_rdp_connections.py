"""Switch Remote Desktop on inside Windows."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import REGISTRY_DENY_LOCAL
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.report import Finding


@fix(
    faults=("rdp-disabled-local", "rdp-disabled-policy", "gpo-refresh-flaps-rdp"),
    layer="guest",
    order=30,
    permissions=RUN_COMMAND,
)
def enable_rdp_connections(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Let Windows accept Remote Desktop connections.

    Changes: the local value fDenyTSConnections to 0.
    Undo: writes the recorded value back.
    Refuses when: group policy decides; its owner must change it, a local write would be undone within 90 minutes.
    """
    if any(finding.fault == "rdp-disabled-policy" for finding in findings):
        yield Refused(
            "policy_owned",
            "Group policy sets fDenyTSConnections=1 (Allow users to connect remotely by using Remote Desktop Services: Disabled).",
            "the owner of that group policy",
        )
        return
    yield Draft(
        kind="registry",
        target={"path": REGISTRY_DENY_LOCAL},
        expected=need(facts.guest.registry_number(REGISTRY_DENY_LOCAL)),
        desired=0,
        title="Set fDenyTSConnections to 0",
        postcondition="fDenyTSConnections is 0 and TermService listens",
    )
