"""Does a domain controller answer?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.accounts import DOMAIN_CONTROLLER_ROLES, accounts, domain_effect
from rdp_remediate.facts.domain import netlogon_runs, no_controller
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.report import Hop


@check(hop=Hop.GUEST_AUTH, faults=("nla-dc-unreachable",), requires=("netlogon_is_running",))
def domain_controller_answers(facts: Facts) -> Outcome:
    """A member of a domain reaches a domain controller.

    Why: NLA checks a domain user with a domain controller before the session begins. Local administrators still get in.
    Evidence: the test of the secure channel and its status, the search for a controller (nltest).
    By hand:
        * nla-dc-unreachable: start the controller's VM, then look at the DNS servers of the VNet and of Windows, and at NSGs, routes
          and firewalls between (53, 88, 135, 389, 445 and the RPC ports); `nltest /dsgetdc:DOMAIN /force` and
          `nltest /sc_query:DOMAIN` must succeed. Meanwhile sign in as a local administrator. Leave NLA on.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/cannot-connect-rdp-azure-vm
    """
    os = need(facts.guest.os)
    if not os.part_of_domain or os.domain_role in DOMAIN_CONTROLLER_ROLES:
        return skipped("this computer is no member of a domain")
    if not netlogon_runs(facts):
        return skipped("netlogon_is_running")
    channel, search = accounts(facts, "channel"), accounts(facts, "controller")
    if not isinstance(channel, Unavailable):
        error = channel.value.channel_error
        if not no_controller(error):
            return passed("a domain controller answered")
    elif isinstance(search, Unavailable):
        raise UnseenError(channel)
    else:
        error = search.value.controller_error
        if error == 0:
            raise UnseenError(channel)
    return failed(
        "nla-dc-unreachable",
        f"No domain controller of {os.domain} answers (error {error}): domain users cannot be checked.",
        domain_effect(facts),
        error=error,
        domain=os.domain,
    )
