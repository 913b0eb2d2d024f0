"""Has the asked account expired?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.accounts import EXPIRED, Kind, asked_account, kind_of, last_refusal
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Confidence, Hop


@check(hop=Hop.GUEST_AUTH, faults=("auth-account-expired",), requires=("account_exists",))
def account_has_not_expired(facts: Facts) -> Outcome:
    """The account of the asked user has not expired.

    Why: an account with an end date, a contractor's for example, is refused after it whatever the password.
    Evidence: the local account's end, or Security 4625 with C0000193 for an account of the domain.
    By hand:
        * auth-account-expired: the owner of the account decides until when it may be used; then
          `Set-LocalUser -SID <sid> -AccountExpires (Get-Date).AddDays(7)` by Run Command, or extend it in the domain.
    See: https://learn.microsoft.com/windows/security/threat-protection/auditing/event-4625
    """
    kind = kind_of(facts)
    if kind is None:
        return skipped("nobody was asked about")
    if kind is Kind.LOCAL:
        account = asked_account(facts)
        if account.expired is not None:
            ended = account.expired.strftime("%Y-%m-%dT%H:%M:%SZ")
            return failed("auth-account-expired", f"The account expired at {ended}.", sid=account.sid, expired=ended)
        return passed("the local account has not expired")
    refusal = last_refusal(facts)
    if refusal is not None and refusal.reason == EXPIRED:
        return failed(
            "auth-account-expired",
            "The account's domain refused the last sign-in because the account has expired (C0000193).",
            confidence=Confidence.LIKELY,
            of_domain=True,
        )
    return passed("no sign-in was refused because the account has expired")
