"""Does the asked account exist?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.accounts import (
    DOMAIN_CONTROLLER_ROLES,
    WRONG_NAME,
    Kind,
    asked_account,
    asked_name,
    kind_of,
    last_refusal,
)
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Confidence, Effect, Hop


@check(
    hop=Hop.GUEST_AUTH,
    faults=("auth-unknown-user", "account-gone-after-dc-promotion"),
    requires=("vm_is_running",),
)
def account_exists(facts: Facts) -> Outcome:
    r"""The account of the asked user exists.

    Why: an unknown name and a wrong password look alike to the user; Azure gives the built-in administrator the name chosen at
        creation, and a domain controller has no local accounts at all.
    Evidence: Security 4625 with C0000064 for the asked user, the local accounts, the domain role.
    By hand:
        * auth-unknown-user: `Get-LocalUser` by Run Command lists the names that exist; the built-in administrator is the one whose
          SID ends in -500. Sign in with that name. Do not reset a password by VMAccess with a guessed name: it makes a new
          administrator.
        * account-gone-after-dc-promotion: sign in as DOMAIN\user with the same password; promotion turned the local accounts into
          accounts of the domain. VMAccess does not work here; Directory Services Restore Mode is for recovery.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-specific-rdp-errors
    """
    asked = asked_name(facts)
    kind = kind_of(facts)
    if asked is None or kind is None:
        return skipped("nobody was asked about")
    if kind is Kind.ENTRA:
        return skipped("an account of Microsoft Entra ID")
    place, name = asked
    os = need(facts.guest.os)
    refusal = last_refusal(facts)
    unknown_name = refusal is not None and refusal.reason == WRONG_NAME
    sure = Confidence.CONFIRMED if unknown_name else Confidence.LIKELY
    if os.domain_role in DOMAIN_CONTROLLER_ROLES:
        if place and place.lower() in (".", os.computer_name.lower()) and (refusal is None or unknown_name):
            return failed(
                "account-gone-after-dc-promotion",
                f"This is a domain controller, which has no local accounts: {place}\\{name} does not exist any more.",
                confidence=sure,
            )
    elif kind is Kind.LOCAL and asked_account(facts).local is False and (unknown_name or "@" not in name):
        return failed("auth-unknown-user", f"This computer has no account {name}.", confidence=sure)
    if unknown_name and kind is Kind.DOMAIN:
        return failed("auth-unknown-user", f"The domain knows no account {name} (4625, C0000064).", Effect.BLOCKS)
    return passed("the account is known")
