"""Does the rule that is there cover this very connection?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop
from rdp_remediate.network.guest_firewall import Admission, Because
from rdp_remediate.network.question import guest_admission

_FAULT = {
    "profile": "fw-rule-wrong-profile",
    "remote_address": "fw-rule-remoteaddress-scope",
    "service": "fw-rule-bound-wrong-service",
    "local_address": "fw-rule-bound-wrong-service",
    "interface": "fw-rule-bound-wrong-service",
    "program": "fw-rule-bound-wrong-service",
}


@check(
    hop=Hop.GUEST_FIREWALL,
    faults=(
        "fw-rule-wrong-profile",
        "fw-rule-remoteaddress-scope",
        "fw-rule-bound-wrong-service",
        "fw-explicit-block-rule",
    ),
    requires=("guest_firewall_honours_allow_rules",),
)
def guest_firewall_rule_fits_the_connection(facts: Facts) -> Outcome:
    """The guest firewall's rules for RDP cover the client's connection, and none blocks it.

    Why: a rule for another profile, source or service admits nothing here, and a block rule wins over every allow rule.
    Evidence: guest firewall rules of the effective policy against the client's connection.
    By hand:
        * fw-rule-wrong-profile: `Set-NetFirewallRule -Name RULE -Profile Domain,Private,Public`, or correct the network's category.
        * fw-rule-remoteaddress-scope: add the client's range to the rule's RemoteAddress; its scope was chosen, so ask its owner.
        * fw-rule-bound-wrong-service: put the built-in values back: program svchost.exe, service TermService, any interface and address.
        * fw-explicit-block-rule: ask the rule's owner; then `Disable-NetFirewallRule -Name RULE`, that rule only.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/guest-os-firewall-misconfigured
    """
    decision = need(guest_admission(facts))
    if decision.admission is Admission.DENY and decision.because is Because.BLOCK_RULE and decision.rule is not None:
        return failed(
            "fw-explicit-block-rule",
            f"The Windows firewall rule {decision.rule.name} ({decision.rule.display_name}) blocks TCP RDP in profile {decision.profile}.",
            rule=decision.rule.name,
            profile=decision.profile,
        )
    for misfit in decision.misfits:
        fault = _FAULT.get(misfit.dimension)
        if fault is not None:
            return failed(
                fault,
                f"The rule {misfit.rule.name} would admit RDP, but its {misfit.dimension.replace('_', ' ')} leaves this connection out.",
                rule=misfit.rule.name,
                profile=decision.profile,
            )
    return passed("no rule for RDP leaves the client's connection out", profile=decision.profile)
