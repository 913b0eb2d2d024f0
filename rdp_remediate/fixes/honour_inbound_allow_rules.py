"""Let the guest firewall honour its own allow rules again."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding


@fix(
    faults=("fw-block-all-inbound", "fw-gpo-enforced-block"),
    layer="guest",
    order=41,
    permissions=RUN_COMMAND,
    closed_by=("firewall",),
)
def honour_inbound_allow_rules(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Let the active firewall profile honour its allow rules; its default action stays Block.

    Changes: AllowInboundRules of the profile in use.
    Undo: sets it back.
    Refuses when: group policy decides; its owner must change it.
    """
    del facts
    for finding in findings:
        profile = str(finding.evidence.get("profile"))
        if finding.fault == "fw-gpo-enforced-block":
            yield Refused(
                "policy_owned",
                f"Group policy decides the firewall profile {profile}: {finding.reason}",
                "the owner of that group policy",
            )
            continue
        yield Draft(
            kind="firewall_profile",
            target={"profile": profile, "setting": "allow_inbound_rules"},
            expected=False,
            desired=True,
            title=f"Let the firewall profile {profile} honour its allow rules",
            postcondition=f"AllowInboundRules of {profile} is True",
            risk=Risk.SENSITIVE,
            always_ask="block all inbound is set to shield a machine; whoever set it must agree",
        )
