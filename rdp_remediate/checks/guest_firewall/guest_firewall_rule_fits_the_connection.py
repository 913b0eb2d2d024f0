"""Is the rule for RDP bound to what receives RDP?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop
from rdp_remediate.network.guest_rules import BINDING, shortfall
from rdp_remediate.network.question import guest_admission


@check(hop=Hop.GUEST_FIREWALL, faults=("fw-rule-bound-wrong-service",), requires=("guest_firewall_services_run",))
def guest_firewall_rule_fits_the_connection(facts: Facts) -> Outcome:
    r"""The guest firewall's rule for RDP is bound to TermService, its port and the VM's adapter.

    Why: a rule for another service, program, interface or a former address admits nothing to TermService.
    Evidence: guest firewall rules of the effective policy against the client's connection.
    By hand:
        * fw-rule-bound-wrong-service: put the built-in values of <rule> back: `Set-NetFirewallRule -Name '<rule>' -Protocol TCP
          -LocalPort 3389 -Program '%SystemRoot%\system32\svchost.exe' -Service termservice -LocalAddress Any -InterfaceType Any`.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/enable-disable-firewall-rule-guest-os
    """
    if need(guest_admission(facts)).policy_owned:
        return skipped("guest_firewall_honours_allow_rules")
    lacking = shortfall(facts)
    wrong = () if lacking is None else tuple(d for d in lacking.dimensions if d in BINDING)
    if lacking is not None and lacking.rule is not None and wrong:
        return failed(
            "fw-rule-bound-wrong-service",
            f"The rule {lacking.rule.name} would admit RDP, but its {' and '.join(d.replace('_', ' ') for d in wrong)} leaves it out.",
            rule=lacking.rule.name,
            profile=lacking.profile,
            wrong=list(wrong),
        )
    return passed("no rule for RDP is bound to something else")
