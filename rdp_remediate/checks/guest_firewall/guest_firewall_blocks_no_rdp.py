"""Does a block rule of Windows Firewall stand in the way?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop
from rdp_remediate.network import guest_firewall
from rdp_remediate.network.guest_firewall import Admission, Because
from rdp_remediate.network.guest_rules import blocking_rules
from rdp_remediate.network.question import guest_admission


@check(hop=Hop.GUEST_FIREWALL, faults=("fw-explicit-block-rule",), requires=("guest_firewall_services_run",))
def guest_firewall_blocks_no_rdp(facts: Facts) -> Outcome:
    """No block rule of the guest firewall covers the client's connection.

    Why: in Windows Firewall an enabled block rule wins over every allow rule.
    Evidence: guest firewall rules of the effective policy against the client's connection.
    By hand:
        * fw-explicit-block-rule: ask the rule's owner; then `Disable-NetFirewallRule -Name '<rule>'`, that rule only.
    See: https://learn.microsoft.com/windows/security/operating-system-security/network-security/windows-firewall/rules
    """
    if need(guest_admission(facts)).policy_owned:
        return skipped("guest_firewall_honours_allow_rules")
    decision = need(guest_admission(facts, guest_firewall.lifted))
    if decision.policy_owned:
        return skipped("guest_firewall_honours_allow_rules")
    found = blocking_rules(facts)
    if found:
        first = found[0]
        return failed(
            "fw-explicit-block-rule",
            f"The Windows firewall rule {first.name} ({first.display_name}) blocks TCP RDP in profile {decision.profile}.",
            rule=first.name,
            rules=[rule.name for rule in found],
            profile=decision.profile,
        )
    if decision.admission is Admission.INDETERMINATE and decision.because is not Because.AUTHENTICATION_REQUIRED:
        rule = decision.rule
        if rule is not None and rule.action.lower() == "block":
            return unknown(f"The block rule {rule.name} cannot be judged from outside.", because="guest.firewall.rules")
    return passed("no block rule covers the client", profile=decision.profile)
