"""Is there an enabled rule for RDP?"""

from typing import Any

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop
from rdp_remediate.network.guest_firewall import Admission, Because
from rdp_remediate.network.guest_rules import DEFAULT_RDP_PORT, open_view, shortfall
from rdp_remediate.network.question import guest_admission


@check(
    hop=Hop.GUEST_FIREWALL,
    faults=("fw-rdp-rule-disabled", "fw-rdp-rule-missing", "fw-custom-port-rule-missing"),
    requires=("guest_firewall_services_run",),
)
def guest_firewall_admits_rdp(facts: Facts) -> Outcome:
    r"""The guest firewall has an enabled rule that admits RDP.

    Why: Windows drops what no rule admits, in silence. Another rule than the built-in one is as good (trap 2).
    Evidence: guest firewall rules of the effective policy, the port of the listener.
    By hand:
        * fw-rdp-rule-disabled: `Enable-NetFirewallRule -Name RemoteDesktop-UserMode-In-TCP`; by its name, never its group.
        * fw-rdp-rule-missing: `New-NetFirewallRule -Name RemoteDesktop-UserMode-In-TCP -DisplayName 'Remote Desktop - User Mode (TCP-In)'
          -Group '@FirewallAPI.dll,-28752' -Protocol TCP -LocalPort 3389 -Program '%SystemRoot%\system32\svchost.exe' -Service TermService`.
        * fw-custom-port-rule-missing: add an inbound TCP rule for the custom port, bound to TermService, or move RDP back to 3389.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/enable-disable-firewall-rule-guest-os
    """
    if need(guest_admission(facts)).policy_owned:
        return skipped("guest_firewall_honours_allow_rules")
    decision = need(guest_admission(facts, open_view))
    if decision.admission is Admission.ALLOW or decision.because is Because.AUTHENTICATION_REQUIRED:
        name = decision.rule.name if decision.rule else decision.because.value
        return passed(f"admitted in profile {decision.profile} by {name}", profile=decision.profile)
    if decision.admission is Admission.INDETERMINATE:
        name = decision.rule.name if decision.rule else "a rule"
        if decision.because is Because.THIRD_PARTY:
            name = "another firewall than Windows'"
        return unknown(f"What {name} admits cannot be judged from outside.", because="guest.firewall.rules")
    lacking = shortfall(facts)
    if lacking is None:
        return skipped("guest_firewall_honours_allow_rules")
    evidence: dict[str, Any] = {"profile": lacking.profile, "port": lacking.port}
    rule = lacking.rule
    if rule is not None and not rule.enabled:
        return failed(
            "fw-rdp-rule-disabled",
            f"The Windows firewall rule {rule.name} is disabled and no other rule admits TCP {lacking.port}.",
            **evidence,
        )
    if rule is not None:
        return passed(f"the rule {rule.name} is enabled; what it leaves out is named apart", **evidence)
    if lacking.port != DEFAULT_RDP_PORT:
        return failed(
            "fw-custom-port-rule-missing", f"No firewall rule admits TCP {lacking.port}, the RDP port.", **evidence
        )
    return failed("fw-rdp-rule-missing", "The built-in RDP rule is gone and no other rule admits TCP 3389.", **evidence)
