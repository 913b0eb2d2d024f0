"""Does the asked user get his own profile?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.accounts import Kind, asked_account, kind_of
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Confidence, Hop


@check(hop=Hop.GUEST_AUTH, faults=("profile-corrupt-temp",), requires=("account_exists",))
def user_profile_is_whole(facts: Facts) -> Outcome:
    r"""The asked user gets the own profile, not a temporary one.

    Why: Windows puts the key of a profile that it cannot load aside and gives a temporary profile; what is saved in it is lost.
    Evidence: ProfileList\<SID>.bak and event 1511 of the User Profiles Service with the user's SID.
    By hand:
        * profile-corrupt-temp: look for a full disk first. Save C:\Users\NAME and export the key ProfileList with regedit; sign the
          user out everywhere; then, with the user's leave, rename the key of SID `<sid>` that has no `.bak` and take `.bak` off
          the other. Never touch S-1-5-18, -19 and -20.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-cannot-sign-into-account
    """
    kind = kind_of(facts)
    if kind is None:
        return skipped("nobody was asked about")
    if kind is Kind.ENTRA:
        return skipped("an account of Microsoft Entra ID, whose profile was not looked for")
    account = asked_account(facts, "profile")
    if account.temporary_profile is None:
        return passed("no temporary profile of the user in seven days")
    at = account.temporary_profile.strftime("%Y-%m-%dT%H:%M:%SZ")
    return failed(
        "profile-corrupt-temp",
        f"The user got a temporary profile ({at}), because Windows put the own one aside.",
        confidence=Confidence.LIKELY,
        sid=account.sid,
        at=at,
    )
