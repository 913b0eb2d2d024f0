"""Is Windows Firewall on?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.models.report import Effect, Hop
from rdp_remediate.network.guest_firewall import is_policy


@check(hop=Hop.GUEST_FIREWALL, faults=("firewall-profile-off",), requires=("guest_firewall_services_run",))
def guest_firewall_is_on(facts: Facts) -> Outcome:
    """Windows Firewall is on in every profile.

    Why: a profile that is off blocks nothing; mostly somebody switched it off to test and left it so. It is a risk, no cause.
    Evidence: guest firewall profiles.
    By hand:
        * firewall-profile-off: make sure that the rule for Remote Desktop is enabled, then `Set-NetFirewallProfile -Name <profile>
          -Enabled True`. Where another product took over, leave it to that product.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/disable-guest-os-firewall-windows
    """
    firewall = need(facts.guest.firewall)
    off = [name for name, profile in firewall.profiles.items() if not profile.enabled]
    if not off:
        return passed("on in every profile")
    if "firewall.products" in facts.guest.items:
        raise UnseenError(facts.guest.items["firewall.products"])
    if firewall.products:
        return unknown(
            f"Windows Firewall leaves filtering to {firewall.products[0]}; what that lets in cannot be read.",
            because="guest.firewall.products",
        )
    active = [name for name in off if name.lower() in {one.lower() for one in firewall.active}]
    first = (active or off)[0]
    return failed(
        "firewall-profile-off",
        f"The firewall profile {', '.join(off)} is off{'' if active else ', not in use now'}.",
        Effect.RISK,
        profile=first,
        off=off,
        policy=any(is_policy(firewall.profiles[name].source) for name in off),
    )
