"""Does the domain trust this computer?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped, unknown
from rdp_remediate.facts.accounts import DOMAIN_CONTROLLER_ROLES, accounts, domain_effect
from rdp_remediate.facts.domain import distrusted, netlogon_runs, no_controller
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop


@check(hop=Hop.GUEST_AUTH, faults=("secure-channel-broken",), requires=("netlogon_is_running",))
def secure_channel_stands(facts: Facts) -> Outcome:
    """The secure channel to the domain stands.

    Why: the computer has a password of its own in the domain; after a restore from an old backup the two differ and every
        domain user is refused.
    Evidence: Test-ComputerSecureChannel and the channel's status (nltest).
    By hand:
        * secure-channel-broken: first put the clock right. Then sign in as a local administrator and run
          `Test-ComputerSecureChannel -Repair -Credential (Get-Credential)` with an account that may join computers; only if that
          fails, join the domain anew. Never give that password to a Run Command.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-broken-secure-channel
    """
    os = need(facts.guest.os)
    if not os.part_of_domain or os.domain_role in DOMAIN_CONTROLLER_ROLES:
        return skipped("this computer is no member of a domain")
    if not netlogon_runs(facts):
        return skipped("netlogon_is_running")
    error = need(accounts(facts, "channel")).channel_error
    if error == 0:
        return passed("the secure channel was tested and stands")
    if no_controller(error):
        return skipped("domain_controller_answers")
    if distrusted(error):
        return failed(
            "secure-channel-broken",
            f"{os.domain} does not accept this computer's own password (error {error}).",
            domain_effect(facts),
            error=error,
            domain=os.domain,
        )
    return unknown(
        f"The secure channel fails with error {error}, which does not tell why.", because="guest.accounts.channel"
    )
