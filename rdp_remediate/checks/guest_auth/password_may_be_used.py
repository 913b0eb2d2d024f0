"""Must the asked user's password be changed first?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.accounts import MUST_CHANGE, PASSWORD_EXPIRED, Kind, asked_account, kind_of, last_refusal
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.rdp_security import rdp_layer_serves
from rdp_remediate.models.report import Confidence, Effect, Hop


@check(
    hop=Hop.GUEST_AUTH,
    faults=("auth-password-expired", "auth-must-change-password"),
    requires=("account_exists",),
)
def password_may_be_used(facts: Facts) -> Outcome:
    """The asked user's password has not expired and need not be changed first.

    Why: Network Level Authentication comes before any screen on which a password could be changed, so the user is stuck.
        Only where RDP's own encryption is used (SecurityLayer 0, no NLA) does every client come to Windows' own screen first,
        which lets the user change it.
    Evidence: the local account, or Security 4625 with C0000071 or C0000224 for an account of the domain; SecurityLayer and
        UserAuthentication.
    By hand:
        * auth-password-expired: somebody who knows the user sets a new password: `Reset password` of the VM in the portal for a
          local administrator, the domain's own way otherwise. Never give a password to a Run Command.
        * auth-must-change-password: set the first password with `Reset password` of the VM in the portal or from a session of an
          administrator; `net user NAME *` asks for input and does not work in a Run Command.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/must-change-password
    """
    kind = kind_of(facts)
    if kind is None:
        return skipped("nobody was asked about")
    refusal = last_refusal(facts)
    reason = refusal.reason if refusal is not None else None
    if kind is Kind.LOCAL:
        account = asked_account(facts)
        if account.password_expired:
            return failed("auth-password-expired", "The password has expired.", _effect(facts))
        if account.must_change:
            return failed(
                "auth-must-change-password",
                "Windows knows no time at which the password was set: it must be changed at the first sign-in.",
                _effect(facts),
                confidence=Confidence.CONFIRMED if reason == MUST_CHANGE else Confidence.LIKELY,
            )
        return passed("the local account's password may be used")
    if reason == PASSWORD_EXPIRED:
        return failed(
            "auth-password-expired",
            "The account's domain refused the last sign-in because the password has expired (C0000071).",
            _effect(facts),
            confidence=Confidence.LIKELY,
        )
    if reason == MUST_CHANGE:
        return failed(
            "auth-must-change-password",
            "The account's domain refused the last sign-in because the password must be changed first (C0000224).",
            _effect(facts),
            confidence=Confidence.LIKELY,
        )
    return passed("no sign-in was refused because of the password's age")


def _effect(facts: Facts) -> Effect:
    return Effect.DEGRADES if rdp_layer_serves(facts) else Effect.BLOCKS
