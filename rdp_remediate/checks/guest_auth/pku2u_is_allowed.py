"""May an Entra user of another computer prove who he is?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.accounts import Kind, asked_sign_ins, kind_of
from rdp_remediate.facts.entra import entra_joined
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Confidence, Effect, Hop


@check(hop=Hop.GUEST_AUTH, faults=("entra-client-or-pku2u",), requires=("vm_is_running",))
def pku2u_is_allowed(facts: Facts) -> Outcome:
    r"""PKU2U is allowed on a VM that is joined to Microsoft Entra ID.

    Why: an Entra user proves himself to the VM with PKU2U, from a client that is joined or registered in the same tenant.
    Evidence: Lsa\pku2u\AllowOnlineID, dsregcmd; whether the asked user signed in. The client is not seen from here.
    By hand:
        * entra-client-or-pku2u: allow `Network security: Allow PKU2U authentication requests to this computer to use online
          identities` on both computers; join or register the client in the same tenant; sign in as AzureAD\\user@domain, with a
          password that is not a temporary one.
    See: https://learn.microsoft.com/entra/identity/devices/howto-vm-sign-in-azure-ad-windows
    """
    if kind_of(facts) is not Kind.ENTRA:
        return skipped("nobody of Microsoft Entra ID was asked about")
    value = need(facts.guest.registry_number(r"LSA\pku2u\AllowOnlineID"))
    if value != 0:
        return passed("PKU2U is not switched off", value=value)
    if not need(entra_joined(facts)):
        return skipped("the VM is not joined to Microsoft Entra ID")
    return failed(
        "entra-client-or-pku2u",
        "PKU2U is switched off (AllowOnlineID=0), so an Entra user cannot prove himself to this VM.",
        Effect.DEGRADES if asked_sign_ins(facts).signed_in is not None else Effect.BLOCKS,
        Confidence.LIKELY,
        value=value,
    )
