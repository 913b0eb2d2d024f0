"""Do hours or workstations keep the asked account out?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.accounts import (
    WRONG_HOURS,
    WRONG_WORKSTATION,
    Kind,
    asked_account,
    kind_of,
    last_refusal,
)
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Confidence, Hop


@check(
    hop=Hop.GUEST_AUTH,
    faults=("auth-logon-hours-or-workstation",),
    requires=("account_exists",),
    not_provable=("rcg-or-restricted-admin-mismatch",),
)
def account_may_sign_in_here_and_now(facts: Facts) -> Outcome:
    """No hours and no list of workstations keep the asked user out.

    Why: an account can be limited to hours of the week and to computers that it signs in from. That a client asked for
        restricted admin or Remote Credential Guard is not seen from the server, so that mismatch is never reported.
    Evidence: the asked user's last refusal (4625 with C000006F or C0000070), and whether the limit is still set.
    By hand:
        * auth-logon-hours-or-workstation: `net user NAME` on the computer, or the account in the domain, shows the logon hours and
          the workstations; the owner of the account changes them. A client that uses /restrictedAdmin or /remoteGuard connects
          without it.
    See: https://learn.microsoft.com/windows/security/threat-protection/auditing/event-4625
    """
    kind = kind_of(facts)
    if kind is None:
        return skipped("nobody was asked about")
    refusal = last_refusal(facts)
    if refusal is None or refusal.reason not in (WRONG_HOURS, WRONG_WORKSTATION):
        return passed("no sign-in was refused because of hours or workstations")
    by_hours = refusal.reason == WRONG_HOURS
    what = "at this hour" if by_hours else "from this workstation"
    if kind is Kind.LOCAL:
        account = asked_account(facts, "limits")
        if not (account.limited_hours if by_hours else account.limited_workstations):
            return passed("the limit that refused the last sign-in is not set any more")
    return failed(
        "auth-logon-hours-or-workstation",
        f"The account may not sign in {what} ({refusal.reason}).",
        confidence=Confidence.CONFIRMED if kind is Kind.LOCAL and not by_hours else Confidence.LIKELY,
    )
