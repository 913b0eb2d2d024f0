"""Does Windows Firewall look at its allow rules at all?"""

from typing import Any

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop
from rdp_remediate.network.guest_firewall import Admission, Because
from rdp_remediate.network.question import guest_admission


@check(
    hop=Hop.GUEST_FIREWALL,
    faults=("fw-block-all-inbound", "fw-gpo-enforced-block"),
    requires=("guest_firewall_services_run",),
)
def guest_firewall_honours_allow_rules(facts: Facts) -> Outcome:
    """The guest firewall honours its inbound allow rules.

    Why: with BlockInboundAlways every allow rule is ignored; a group policy that does not merge local rules ignores the local ones,
    and one that disables inbound Remote Desktop exceptions overrules them.
    Evidence: guest firewall profiles and rules of the effective policy, registry of the policy.
    By hand:
        * fw-block-all-inbound: `netsh advfirewall set allprofiles firewallpolicy blockinbound,allowoutbound`; never switch a profile off.
        * fw-gpo-enforced-block: in the group policy allow inbound Remote Desktop exceptions, then `gpupdate /force`;
          `gpresult /H` names the policy.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/guest-os-firewall-blocking-inbound-traffic
    """
    refusing = _policy_refuses_rdp(facts)
    if refusing is not None:
        return failed(
            "fw-gpo-enforced-block",
            f"Group policy for the firewall profile {refusing} refuses inbound Remote Desktop (Services\\RemoteDesktop\\Enabled=0).",
            profile=refusing,
            rule=None,
        )
    decision = need(guest_admission(facts))
    evidence: dict[str, Any] = {"profile": decision.profile, "rule": decision.rule.name if decision.rule else None}
    if decision.admission is Admission.DENY and decision.policy_owned:
        what = {
            Because.BLOCK_ALL: "blocks all inbound connections",
            Because.BLOCK_RULE: f"blocks them by the rule {decision.rule.name if decision.rule else ''}",
            Because.LOCAL_RULES_IGNORED: "ignores local rules, and no rule of the policy admits RDP",
        }.get(decision.because, "admits no RDP")
        return failed(
            "fw-gpo-enforced-block", f"Group policy for the firewall profile {decision.profile} {what}.", **evidence
        )
    if decision.because is Because.BLOCK_ALL:
        return failed(
            "fw-block-all-inbound",
            f"The firewall profile {decision.profile} blocks all inbound connections, whatever its rules say.",
            **evidence,
        )
    if decision.because is Because.NO_ACTIVE_PROFILE:
        return unknown("Which firewall profile is in use is not known.", because="guest.firewall.active")
    return passed(f"profile {decision.profile} honours its rules", **evidence)


_POLICY_KEYS = {
    "domain": ("DomainProfile",),
    "private": ("PrivateProfile", "StandardProfile"),
    "public": ("PublicProfile", "StandardProfile"),
}


def _policy_refuses_rdp(facts: Facts) -> str | None:
    """The profile in use for which the policy "Allow inbound Remote Desktop exceptions" is Disabled, or None."""
    firewall = need(facts.guest.firewall)
    for profile in firewall.active:
        on = next((p.enabled for name, p in firewall.profiles.items() if name.lower() == profile.lower()), True)
        for key in _POLICY_KEYS.get(profile.lower(), ()):
            if on and need(facts.guest.registry_number(rf"FWP\{key}\Services\RemoteDesktop\Enabled")) == 0:
                return profile
    return None
