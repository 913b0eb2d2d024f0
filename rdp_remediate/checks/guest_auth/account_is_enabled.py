"""Is the asked account enabled?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.accounts import DISABLED, Kind, asked_account, kind_of, last_refusal
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Confidence, Hop


@check(hop=Hop.GUEST_AUTH, faults=("auth-account-disabled",), requires=("account_exists",))
def account_is_enabled(facts: Facts) -> Outcome:
    """The account of the asked user is enabled.

    Why: nobody signs in with a disabled account. Disabling one may be hardening, of the built-in administrator above all.
    Evidence: the local account, or Security 4625 with C0000072 for an account of the domain.
    By hand:
        * auth-account-disabled: ask why it was disabled; then `Enable-LocalUser -SID <sid>` by Run Command, or enable it in the
          domain. The built-in administrator is better left disabled while another administrator works.
    See: https://learn.microsoft.com/windows/security/threat-protection/auditing/event-4625
    """
    kind = kind_of(facts)
    if kind is None:
        return skipped("nobody was asked about")
    if kind is Kind.LOCAL:
        account = asked_account(facts)
        if account.disabled:
            return failed("auth-account-disabled", "The account is disabled on this computer.", sid=account.sid)
        return passed("the local account is enabled")
    refusal = last_refusal(facts)
    if refusal is not None and refusal.reason == DISABLED:
        return failed(
            "auth-account-disabled",
            "The account's domain refused the last sign-in because the account is disabled (C0000072).",
            confidence=Confidence.LIKELY,
            of_domain=True,
        )
    return passed("no sign-in was refused because the account is disabled")
