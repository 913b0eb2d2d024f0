"""Does the rule for RDP admit the client's address?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.firewall_rule import lacks
from rdp_remediate.checks.outcome import Outcome
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop


@check(hop=Hop.GUEST_FIREWALL, faults=("fw-rule-remoteaddress-scope",), requires=("guest_firewall_services_run",))
def guest_firewall_rule_fits_the_client(facts: Facts) -> Outcome:
    """The guest firewall's rule for RDP admits the client's address.

    Why: a rule for LocalSubnet or a list of addresses is silent to everybody else; Bastion and VPN clients come from their own.
    Evidence: guest firewall rules against the address that the client has when it arrives.
    By hand:
        * fw-rule-remoteaddress-scope: ask the rule's owner, then add the client's range to the remote addresses of <rule>; never
          replace a list by Any.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/guest-os-firewall-misconfigured
    """
    return lacks(
        facts,
        "remote_address",
        "fw-rule-remoteaddress-scope",
        lambda rule, _profile: (
            f"The rule {rule.name} admits {', '.join(rule.remote_addresses[:5])}, which leaves the client out."
        ),
        fine="no rule for RDP leaves the client's address out",
    )
