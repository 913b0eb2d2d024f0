"""Does an access decision of Microsoft Entra ID keep the user out?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, by_design, passed, skipped
from rdp_remediate.facts.accounts import Kind, asked_sign_ins, kind_of
from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import Hop

ACCESS_DECISIONS = {
    "50005", "50072", "50074", "50076", "50079", "50097", "50158", "53000", "53001", "53002", "53003", "53004", "53009",
    "53010", "53011", "530003", "530004", "530032", "530034",
}  # fmt: skip
"""AADSTS codes of Conditional Access and of multifactor authentication that the VM's sign-in cannot satisfy."""


@check(hop=Hop.GUEST_AUTH, faults=("entra-mfa-or-ca",), requires=("vm_is_running",))
def entra_admits_the_user(facts: Facts) -> Outcome:
    """No access decision of Microsoft Entra ID keeps the asked user out.

    Why: Conditional Access and multifactor authentication are the tenant's decision, not a fault that may be bypassed.
    Evidence: the AADSTS codes in Windows' log AAD/Operational, and the asked user's sign-ins after them.
    By hand:
        * entra-mfa-or-ca: sign in with Windows Hello for Business or a web account; or the tenant's administrator excludes the app
          Microsoft Azure Windows Virtual Machine Sign-in (372140e0-b3b7-4226-8ef9-d57986796201) from the policy that asks for it.
          Per-user multifactor authentication must be off for the user.
    See: https://learn.microsoft.com/entra/identity/devices/howto-vm-sign-in-azure-ad-windows
    """
    if kind_of(facts) is not Kind.ENTRA:
        return skipped("nobody of Microsoft Entra ID was asked about")
    seen = asked_sign_ins(facts)
    refused = [one for one in seen.entra if one.code in ACCESS_DECISIONS]
    if seen.signed_in is not None:
        refused = [one for one in refused if one.last > seen.signed_in]
    if not refused:
        return passed("no access decision was answered since the last sign-in")
    newest = max(refused, key=lambda one: one.last)
    return by_design(
        "entra-mfa-or-ca",
        f"Microsoft Entra ID answered AADSTS{newest.code}: an access policy of the tenant keeps the sign-in out.",
        code=newest.code,
    )
