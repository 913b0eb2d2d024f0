"""Does the user sign in under the authority that knows the account?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.accounts import WRONG_NAME, Kind, asked_account, asked_name, kind_of, last_refusal
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop


@check(hop=Hop.CLIENT, faults=("client-username-format",), requires=("vm_is_running",))
def user_name_fits_the_account(facts: Facts) -> Outcome:
    r"""The user signs in under the authority that knows the account.

    Why: a name under a domain that this computer does not belong to is looked for elsewhere, though the computer has the account.
    Evidence: the asked name, the computer's domain, its local account of that name, Security 4625 with C0000064. A name of a
    domain member's other domain is not looked for among its local accounts, so there it is never said.
    By hand:
        * client-username-format: sign in as `<right_name>`; an account of a domain is DOMAIN\user or user@domain, one of Microsoft
          Entra ID AzureAD\user@domain.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-specific-rdp-errors
    """
    asked = asked_name(facts)
    if asked is None:
        return skipped("nobody was asked about")
    place, name = asked
    if kind_of(facts) is not Kind.LOCAL:
        return skipped("no account of this computer")
    os = need(facts.guest.os)
    if place.lower() in ("", ".", os.computer_name.lower()):
        return passed("the name is asked for on this computer")
    refusal = last_refusal(facts)
    if refusal is None or refusal.reason != WRONG_NAME or not asked_account(facts).local:
        return passed("Windows did not refuse the name for its domain")
    return failed(
        "client-username-format",
        f"The user signs in as {place}\\{name}; this computer is in no domain and has an account {name} of its own.",
        right_name=f"{os.computer_name}\\{name}",
    )
