"""Is there an enabled rule for RDP?"""

from typing import Any

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Confidence, Hop
from rdp_remediate.network import guest_firewall
from rdp_remediate.network.guest_firewall import Admission
from rdp_remediate.network.question import ask, guest_admission, guest_flow


@check(
    hop=Hop.GUEST_FIREWALL,
    faults=("fw-rdp-rule-disabled", "fw-rdp-rule-missing", "fw-custom-port-rule-missing"),
    requires=("guest_firewall_rule_fits_the_connection",),
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
    decision = need(guest_admission(facts))
    if decision.admission is Admission.ALLOW:
        name = decision.rule.name if decision.rule else decision.because.value
        return passed(f"admitted in profile {decision.profile} by {name}", profile=decision.profile)
    if decision.admission is Admission.INDETERMINATE:
        name = decision.rule.name if decision.rule else "a rule"
        return unknown(f"The rule {name} cannot be judged from outside.", because="guest.firewall.rules")
    return _no_rule(facts, decision)


def _no_rule(facts: Facts, decision: guest_firewall.GuestFirewallDecision) -> Outcome:
    question = ask(facts)
    firewall = need(facts.guest.firewall)
    built_in = next((r for r in firewall.rules if r.name == guest_firewall.BUILT_IN_TCP), None)
    evidence: dict[str, Any] = {"profile": decision.profile, "port": question.port}
    if built_in is not None and not built_in.enabled:
        flows = [guest_flow(facts, client, question.entry, question.port) for client in question.clients]
        would = all(f is not None and guest_firewall.matches(built_in, f, decision.profile) is True for f in flows)
        if would:
            return failed(
                "fw-rdp-rule-disabled",
                f"The Windows firewall rule {built_in.name} is disabled and no other rule admits TCP {question.port}.",
                **evidence,
            )
    if question.port != 3389:
        return failed(
            "fw-custom-port-rule-missing", f"No firewall rule admits TCP {question.port}, the RDP port.", **evidence
        )
    if built_in is None:
        return failed(
            "fw-rdp-rule-missing", "The built-in RDP rule is gone and no other rule admits TCP 3389.", **evidence
        )
    return failed(
        "fw-rdp-rule-disabled",
        f"{built_in.name} is disabled, and enabling it alone would not admit this connection.",
        confidence=Confidence.POSSIBLE,
        **evidence,
    )
