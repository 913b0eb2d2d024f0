"""Open the NSGs for the client, as narrowly and as briefly as can be."""

import ipaddress
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rdp_remediate.facts.facts import Facts
from rdp_remediate.fixes.fix import Draft, Refused, Yielded, fix, locked
from rdp_remediate.fixes.request_jit_access import jit_draft, jit_port_of
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding
from rdp_remediate.network.question import ask
from rdp_remediate.network.rule_plan import RulePlan, plan_rule
from rdp_remediate.network.rule_request import Refusal, RuleRequest

_OWNER = {
    Refusal.ADMIN: "the owner of Azure Virtual Network Manager",
    Refusal.ROUTE: "the owner of the route table",
    Refusal.NEEDS_NSG: "the owner of the subnet",
    Refusal.FOREIGN_NSG: "the service that manages this NSG",
    Refusal.EXPLICIT_DENY: "whoever wrote the deny",
}


@fix(
    faults=("nsg-no-allow-rule", "nsg-second-layer-deny", "edge-caller-ip-not-allowed", "nsg-explicit-deny-wins"),
    layer="network",
    order=90,
    permissions=(
        "Microsoft.Network/networkSecurityGroups/read",
        "Microsoft.Network/networkSecurityGroups/securityRules/read",
        "Microsoft.Network/networkSecurityGroups/securityRules/write",
        "Microsoft.Network/networkSecurityGroups/securityRules/delete",
    ),
    closed_by=("network",),
)
def allow_rdp_in_nsg(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Add one expiring allow rule to each NSG that denies the client.

    Changes: one child rule: TCP, the client's address inside the configured sources, the VM's private address, the RDP port.
    Undo: deletes the rule, if it is still exactly ours; the reaper does so when its time is over.
    Refuses when: the client is outside the configured sources, the sources are too wide, an admin rule, a route or a written
    deny decides, there is no free priority, too many VMs share the NSG, or just-in-time access guards the port.
    """
    del findings
    question = ask(facts)
    sources = _sources(facts)
    if isinstance(sources, Refused):
        yield sources
        return
    guarded = jit_port_of(facts, question.port)
    if not isinstance(guarded, Unavailable) and guarded is not None:
        yield jit_draft(facts, guarded, sources)
        return
    lock = locked(facts)
    if lock is not None:
        yield lock
        return
    planned = _plan(facts, sources, override_deny=False)
    overrides = planned.refusal is not None and planned.refusal.code is Refusal.EXPLICIT_DENY
    if overrides:
        planned = _plan(facts, sources, override_deny=True)
    if planned.refusal is not None:
        code = planned.refusal.code
        yield Refused(code.value, planned.refusal.why, _OWNER.get(code))
        return
    asks = _asks(planned, guarded, overrides=overrides)
    for rule in planned.rules:
        nsg_name = rule.nsg_id.rsplit("/", 1)[-1]
        yield Draft(
            kind="security_rule",
            target={"nsg_id": rule.nsg_id, "name": rule.name},
            expected=None,
            desired=rule.body,
            title=(
                f"Allow {', '.join(rule.sources)} to {rule.destination}:{rule.port} in the NSG {nsg_name} "
                f"(priority {rule.priority}, until {_expires(facts):%Y-%m-%d %H:%M}Z)"
            ),
            postcondition=f"{nsg_name} allows {', '.join(rule.sources)} to {rule.destination}:{rule.port}; all else is unchanged",
            risk=Risk.SENSITIVE if overrides or rule.above else Risk.SAFE,
            always_ask=asks,
        )


def _sources(facts: Facts) -> tuple[str, ...] | Refused:
    """The caller's own address when it is known and inside the configured sources, else the configured sources."""
    configured = tuple(facts.policy.sources)
    if not configured:
        return Refused(Refusal.NO_SOURCE.value, "No sources are configured for this VM, so no address may be let in.")
    question = ask(facts)
    if not question.client_known:
        return configured
    client = ipaddress.ip_address(question.clients[0])
    if any(client in source for source in facts.sources if source.version == client.version):
        return (f"{client}/{client.max_prefixlen}",)
    return Refused(
        Refusal.NO_SOURCE.value,
        f"{client} is outside the configured sources ({', '.join(configured)}); an address that was only claimed is never let in.",
        "whoever configures the sources",
    )


def _plan(facts: Facts, sources: tuple[str, ...], *, override_deny: bool) -> RulePlan:
    question = ask(facts)
    entry = question.entry
    return plan_rule(
        facts.network,
        RuleRequest(
            sources=sources,
            vm_id=facts.target.vm_id,
            dialled_address=entry.address if entry else None,
            dialled_port=question.dialled_port,
            guest_port=question.port,
            override_deny=override_deny,
            run_id=facts.run_id,
            expires_at=_expires(facts),
            jit=False,
            most_vms=facts.policy.blast_radius_limit,
        ),
    )


def _expires(facts: Facts) -> datetime:
    return facts.at + timedelta(seconds=facts.policy.rule_ttl_s)


def _asks(planned: RulePlan, guarded: object, *, overrides: bool) -> str | None:
    why = []
    if overrides:
        why.append("it would stand above a deny that somebody wrote")
    if planned.admin_unread:
        why.append("security admin rules could not be read, so it is not certain that the rule is what is missing")
    if isinstance(guarded, Unavailable):
        why.append(f"whether just-in-time access guards the port could not be read ({guarded.detail})")
    return "; ".join(why) or None
