"""Let the VM's agent out to Azure above the outbound deny; always a person's decision."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.arm_names import name_of
from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.fix import Draft, Refused, Yielded, fix, locked
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding
from rdp_remediate.network.agent_egress import HTTPS, plan_egress
from rdp_remediate.network.rule_request import Refusal
from rdp_remediate.network.rule_request import Refused as RuleRefused

_OWNER = {Refusal.FOREIGN_NSG: "the service that manages this NSG"}


@fix(
    faults=("egress-blocked-for-agent",),
    layer="network",
    order=16,
    permissions=(
        "Microsoft.Network/networkSecurityGroups/read",
        "Microsoft.Network/networkSecurityGroups/securityRules/read",
        "Microsoft.Network/networkSecurityGroups/securityRules/write",
        "Microsoft.Network/networkSecurityGroups/securityRules/delete",
    ),
)
def allow_agent_egress(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Add one outbound allow rule for the VM's agent to each NSG that denies it.

    Changes: one child rule: outbound, TCP, from the VM's private address to the service tag AzureCloud, port 443.
    Undo: deletes the rule, if it is still exactly as it was written.
    Refuses when: the NSG could not be read or belongs to a service, there is no free priority above the deny, or a read-only lock
    forbids it.
    """
    del findings
    lock = locked(facts)
    if lock is not None:
        yield lock
        return
    planned = plan_egress(facts)
    if isinstance(planned, RuleRefused):
        yield Refused(planned.code.value, planned.why, _OWNER.get(planned.code, "the owner of the NSG"))
        return
    for one in planned:
        properties = one.body["properties"]
        own, nsg = properties["sourceAddressPrefix"], name_of(one.nsg_id)
        yield Draft(
            kind="outbound_rule",
            target={"nsg_id": one.nsg_id, "name": one.name, "above": one.above},
            expected=None,
            desired=one.body,
            title=(
                f"Allow {own} out to AzureCloud:{HTTPS} in the NSG {nsg} (priority {properties['priority']}, "
                f"above {one.above})"
            ),
            postcondition=f"{nsg} lets {own} out to AzureCloud on TCP {HTTPS}; all else is unchanged",
            risk=Risk.SENSITIVE,
            opens=False,
            always_ask=f"it would stand above {one.above}, a deny that somebody wrote, and it stays until somebody removes it",
        )
