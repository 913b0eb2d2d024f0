"""Is the asked account locked out?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.accounts import LOCKED_OUT, Kind, asked_account, kind_of, last_refusal
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.report import Confidence, Hop


@check(hop=Hop.GUEST_AUTH, faults=("auth-account-locked",), requires=("account_exists",))
def account_is_not_locked_out(facts: Facts) -> Outcome:
    """The account of the asked user is not locked out.

    Why: after some wrong passwords Windows refuses the right one too, for ten minutes on new images. While somebody guesses
        passwords, an account that is unlocked is locked again at once.
    Evidence: the local account's lockout, or Security 4625 with C0000234 for an account of the domain.
    By hand:
        * auth-account-locked: first stop what sends the wrong passwords: a stored one, or an attack, which ends when the NSG admits
          known addresses only. Then wait for the lockout to end, or run
          `Get-CimInstance Win32_UserAccount -Filter "SID='<sid>'" | Set-CimInstance -Property @{Lockout=$false}`.
    See: https://learn.microsoft.com/windows/security/threat-protection/auditing/event-4625
    """
    kind = kind_of(facts)
    if kind is None:
        return skipped("nobody was asked about")
    if kind is Kind.LOCAL:
        account = asked_account(facts)
        if account.locked:
            seen = facts.guest.sign_ins
            since = None if isinstance(seen, Unavailable) or seen.value.asked is None else seen.value.asked.locked_out
            return failed(
                "auth-account-locked",
                f"The account is locked out on this computer{f' since {since:%Y-%m-%dT%H:%M:%SZ}' if since else ''}.",
                sid=account.sid,
            )
        return passed("the local account is not locked out")
    refusal = last_refusal(facts)
    if refusal is not None and refusal.reason == LOCKED_OUT:
        return failed(
            "auth-account-locked",
            "The account's domain refused the last sign-in because the account is locked out (C0000234).",
            confidence=Confidence.LIKELY,
            of_domain=True,
        )
    return passed("no sign-in was refused because of a lockout")
