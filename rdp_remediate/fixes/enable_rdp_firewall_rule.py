"""Enable the built-in firewall rule for Remote Desktop."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Yielded, fix
from rdp_remediate.models.report import Finding
from rdp_remediate.network.guest_firewall import BUILT_IN_TCP


@fix(faults=("fw-rdp-rule-disabled",), layer="guest", order=40, permissions=RUN_COMMAND, closed_by=("firewall",))
def enable_rdp_firewall_rule(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Enable the built-in inbound rule Remote Desktop - User Mode (TCP-In).

    Changes: that one rule by its name, never its group, which also holds the Shadow rule.
    Undo: disables it again.
    Refuses when: never by itself.
    """
    del findings
    rules = need(facts.guest.firewall).rules
    own = next((rule for rule in rules if rule.name == BUILT_IN_TCP and rule.remote_addresses != ["Any"]), None)
    scoped = [
        rule.name
        for rule in rules
        if rule.enabled
        and rule.name != BUILT_IN_TCP
        and rule.action.lower() == "allow"
        and rule.remote_addresses != ["Any"]
        and rule.direction.lower() == "inbound"
    ]
    asks = f"the rule {scoped[0]} admits chosen addresses only; this one would admit more" if scoped else None
    if own is not None:
        asks = (
            f"the rule admits {', '.join(own.remote_addresses)} only: whoever chose that may have disabled it as well"
        )
    yield Draft(
        kind="firewall_rule",
        target={"rule": BUILT_IN_TCP},
        expected=False,
        desired=True,
        title=f"Enable the Windows firewall rule {BUILT_IN_TCP}",
        postcondition=f"{BUILT_IN_TCP} is enabled in the effective policy",
        always_ask=asks,
    )
