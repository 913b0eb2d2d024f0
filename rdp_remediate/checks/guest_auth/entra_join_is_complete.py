"""Is the VM joined to Microsoft Entra ID, if it is meant to be?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.accounts import Kind, kind_of
from rdp_remediate.facts.entra import entra_joined
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Confidence, Effect, Hop


@check(
    hop=Hop.GUEST_AUTH,
    faults=("entra-join-failed",),
    requires=("vm_is_running",),
    not_provable=("entra-hostname-mismatch",),
)
def entra_join_is_complete(facts: Facts) -> Outcome:
    """A VM with the Entra login extension is joined to Microsoft Entra ID.

    Why: the extension AADLoginForWindows joins the VM; until it has, no Entra user is accepted. That a user dials another name than
        the device's is told to the client only, so that mismatch is never reported.
    Evidence: the state of the extension, dsregcmd inside Windows.
    By hand:
        * entra-join-failed: give the VM a system-assigned identity, let it reach enterpriseregistration.windows.net,
          login.microsoftonline.com and device.login.microsoftonline.com on port 443 and 169.254.169.254 on port 80, delete a stale
          device of the same name in the tenant, then remove and add the extension AADLoginForWindows; `dsregcmd /status` must say
          AzureAdJoined : YES.
    See: https://learn.microsoft.com/entra/identity/devices/howto-vm-sign-in-azure-ad-windows
    """
    code = need(facts.vm).entra_login
    if code is None:
        return skipped("the VM has no Entra login extension")
    if "/failed" not in code.lower():
        return passed(f"the Entra login extension reports {code}")
    if need(entra_joined(facts)):
        return passed(f"joined to Microsoft Entra ID, though the extension reports {code}")
    return failed(
        "entra-join-failed",
        f"The Entra login extension reports {code}, and Windows is not joined to Microsoft Entra ID.",
        Effect.BLOCKS if kind_of(facts) is Kind.ENTRA else Effect.DEGRADES,
        Confidence.CONFIRMED,
        code=code,
    )
