"""Let a domain member reach its domain controllers through its own firewall."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding

_DOMAIN_RULE = "CoreNet-GP-LSASS-Out-TCP"


@fix(faults=("fw-outbound-block",), layer="guest", order=45, permissions=RUN_COMMAND, closed_by=("firewall",))
def let_out_to_the_domain(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Disable the one outbound block rule, or enable Windows' own allow rule where the profile blocks by default.

    Changes: exactly that rule.
    Undo: switches it back.
    Refuses when: group policy decides.
    """
    del facts
    for finding in findings:
        blocking = finding.evidence.get("blocking")
        if finding.evidence.get("policy") and blocking:
            yield Refused("policy_owned", str(finding.reason), "the owner of that group policy")
            continue
        name = str(blocking or _DOMAIN_RULE)
        yield Draft(
            kind="firewall_block_rule" if blocking else "firewall_domain_rule",
            target={"rule": name, "direction": "Outbound"} if blocking else {"rule": name},
            expected=bool(blocking),
            desired=not blocking,
            title=f"{'Disable' if blocking else 'Enable'} the Windows firewall rule {name}",
            postcondition=f"{name} is {'disabled' if blocking else 'enabled'}; every other rule is unchanged",
            risk=Risk.SENSITIVE,
            opens=False,
            always_ask="outbound traffic was restricted on purpose perhaps; its owner must agree",
        )
