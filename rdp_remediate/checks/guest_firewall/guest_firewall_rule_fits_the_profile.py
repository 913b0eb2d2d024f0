"""Does the rule for RDP count in the network profile that is in use?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.firewall_rule import lacks
from rdp_remediate.checks.outcome import Outcome
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop


@check(hop=Hop.GUEST_FIREWALL, faults=("fw-rule-wrong-profile",), requires=("guest_firewall_services_run",))
def guest_firewall_rule_fits_the_profile(facts: Facts) -> Outcome:
    """The guest firewall's rule for RDP counts in the network profile that is in use.

    Why: a rule for the profile Domain admits nothing while the network counts as Public, as it does without a domain controller.
    Evidence: guest firewall rules and connection profiles.
    By hand:
        * fw-rule-wrong-profile: `Set-NetFirewallRule -Name '<rule>' -Profile Domain,Private,Public`, or correct the network's
          category: a domain member in the profile <profile> usually does not reach its domain controller.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/guest-os-firewall-misconfigured
    """
    return lacks(
        facts,
        "profile",
        "fw-rule-wrong-profile",
        lambda rule, profile: (
            f"The rule {rule.name} is for {', '.join(rule.profiles)}, the profile in use is {profile}."
        ),
        fine="no rule for RDP misses the profile in use",
    )
