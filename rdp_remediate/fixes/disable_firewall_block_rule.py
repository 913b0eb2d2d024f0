"""Switch off the firewall rule that blocks Remote Desktop."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding
from rdp_remediate.network.guest_firewall import is_policy


@fix(
    faults=("fw-explicit-block-rule",),
    layer="guest",
    order=44,
    permissions=RUN_COMMAND,
    closed_by=("firewall",),
)
def disable_firewall_block_rule(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Disable exactly the block rules that cover the client's connection.

    Changes: each of these rules from on to off; none is deleted.
    Undo: enables them again.
    Refuses when: the rule is a policy's.
    """
    stores = {rule.name: rule.store for rule in need(facts.guest.firewall).rules if rule.action.lower() == "block"}
    for name in dict.fromkeys(str(name) for finding in findings for name in finding.evidence.get("rules", ())):
        if is_policy(stores.get(name, "")):
            yield Refused("policy_owned", f"The rule {name} is a group policy's.", "the owner of that group policy")
            continue
        yield Draft(
            kind="firewall_block_rule",
            target={"rule": name, "direction": "Inbound"},
            expected=True,
            desired=False,
            title=f"Disable the Windows firewall rule {name}",
            postcondition=f"{name} is disabled; every other rule is unchanged",
            risk=Risk.SENSITIVE,
            always_ask="somebody wrote this block rule; its owner must agree",
        )
