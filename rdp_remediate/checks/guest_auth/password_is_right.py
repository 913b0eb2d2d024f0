"""Does the asked user type the right password?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.accounts import WRONG_PASSWORD, asked_name, last_refusal
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop


@check(
    hop=Hop.GUEST_AUTH,
    faults=("auth-bad-password",),
    requires=("account_is_enabled", "account_is_not_locked_out", "account_has_not_expired"),
)
def password_is_right(facts: Facts) -> Outcome:
    """The asked user's password is the right one.

    Why: a wrong password is the user's credential, not a fault of the VM; nothing inside Windows has to be changed.
    Evidence: the asked user's last refusal is C000006A (Security 4625), and no sign-in came after it.
    By hand:
        * auth-bad-password: type it anew, with the domain or the computer's name before the user name and without stored
          credentials; then, once somebody has made sure who asks, set a new one with `Reset password` of the VM in the portal.
    See: https://learn.microsoft.com/windows/security/threat-protection/auditing/event-4625
    """
    if asked_name(facts) is None:
        return skipped("nobody was asked about")
    refusal = last_refusal(facts)
    if refusal is not None and refusal.reason == WRONG_PASSWORD:
        at = refusal.at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return failed("auth-bad-password", f"The last password of the user was wrong ({at}, C000006A).", at=at)
    return passed("no wrong password since the last sign-in")
