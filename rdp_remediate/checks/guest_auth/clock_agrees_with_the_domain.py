"""Is the clock right enough for Kerberos?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.accounts import DOMAIN_CONTROLLER_ROLES, accounts, domain_effect
from rdp_remediate.facts.domain import netlogon_runs, no_controller
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.report import Hop

MOST_SECONDS = 300
"""Kerberos' default for the greatest difference of two clocks."""


@check(hop=Hop.GUEST_AUTH, faults=("clock-skew",), requires=("netlogon_is_running",))
def clock_agrees_with_the_domain(facts: Facts) -> Outcome:
    """The clock differs from the domain controller's by less than five minutes.

    Why: Kerberos refuses tickets of a clock that is five minutes off; the domain users of NLA are refused with it.
    Evidence: w32tm against a domain controller, the service W32Time.
    By hand:
        * clock-skew: `sc.exe config W32Time start= auto`, `Start-Service W32Time`, `w32tm /resync`; if it goes wrong again look for
          RealTimeIsUniversal, the time source (`w32tm /query /status`) and UDP 123 to the controllers.
    See: https://learn.microsoft.com/windows/security/threat-protection/auditing/event-4625
    """
    os = need(facts.guest.os)
    if not os.part_of_domain or os.domain_role in DOMAIN_CONTROLLER_ROLES:
        return skipped("this computer is no member of a domain")
    if not netlogon_runs(facts):
        return skipped("netlogon_is_running")
    clock, channel = accounts(facts, "clock"), accounts(facts, "channel")
    if (
        isinstance(clock, Unavailable)
        and not isinstance(channel, Unavailable)
        and no_controller(channel.value.channel_error)
    ):
        return skipped("domain_controller_answers")
    offset = need(clock).offset_s
    if abs(offset) < MOST_SECONDS:
        return passed("the clock agrees with the domain controller's", offset_s=offset)
    how = "behind" if offset > 0 else "ahead of"
    return failed(
        "clock-skew",
        f"The clock is {abs(offset)} seconds {how} the domain controller's; Kerberos allows {MOST_SECONDS}.",
        domain_effect(facts),
        offset_s=offset,
    )
