"""Switch Windows Firewall on again."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.guest import FirewallSection
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding
from rdp_remediate.network.guest_firewall import Admission, is_policy
from rdp_remediate.network.question import guest_admission


@fix(faults=("firewall-profile-off",), layer="guest", order=46, permissions=RUN_COMMAND)
def switch_firewall_on(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Switch the profiles that are off on again, if Remote Desktop then still gets in.

    Changes: Enabled of each profile that is off.
    Undo: not by this program, which never switches a profile off.
    Refuses when: group policy decides, or no rule would admit the client once the firewall is on.
    """
    profiles = need(facts.guest.firewall).profiles
    if need(guest_admission(facts, _on)).admission is not Admission.ALLOW:
        yield Refused(
            "would_close", "With the firewall on, no rule is known to admit the client; the rules come first."
        )
        return
    for name in dict.fromkeys(str(name) for finding in findings for name in finding.evidence.get("off", ())):
        if is_policy(profiles[name].source):
            yield Refused(
                "policy_owned", f"A group policy decides the profile {name}.", "the owner of that group policy"
            )
            continue
        yield Draft(
            kind="firewall_profile_on",
            target={"profile": name},
            expected=False,
            desired=True,
            title=f"Switch the firewall profile {name} on",
            postcondition=f"the firewall profile {name} is on and its rules are unchanged",
            risk=Risk.SENSITIVE,
            opens=False,
            always_ask="rules that other services need may be missing; nobody noticed while it was off",
            undoable=False,
        )


def _on(firewall: FirewallSection) -> FirewallSection:
    profiles = {name: profile.model_copy(update={"enabled": True}) for name, profile in firewall.profiles.items()}
    return firewall.model_copy(update={"profiles": profiles})
