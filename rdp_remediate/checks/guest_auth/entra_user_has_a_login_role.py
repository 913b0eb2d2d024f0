"""Does the Entra user have a role that allows signing in?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.accounts import Kind, asked_sign_ins, kind_of
from rdp_remediate.facts.entra import entra_joined
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Confidence, Effect, Hop

LOGIN_ACTIONS = (
    "Microsoft.Compute/virtualMachines/login/action",
    "Microsoft.Compute/virtualMachines/loginAsAdmin/action",
)
"""The data actions of the roles Virtual Machine User Login and Virtual Machine Administrator Login."""


@check(hop=Hop.GUEST_AUTH, faults=("entra-role-missing",), requires=("vm_is_running",))
def entra_user_has_a_login_role(facts: Facts) -> Outcome:
    """The asked user of Microsoft Entra ID has a role that allows signing in to this VM.

    Why: a VM that signs users of Microsoft Entra ID in asks Azure for a data action; Owner and Contributor do not hold it. The
        user then reads that the account is configured to prevent the use of this device.
    Evidence: the role assignments of the person's object id (--principal-id) at the VM and above, groups included, and what each
        role allows. Deny assignments are not read, so a role that is there is not called access.
    By hand:
        * entra-role-missing: whoever may assign roles decides; then
          `az role assignment create --assignee-object-id <principal> --assignee-principal-type User --role "Virtual Machine User
          Login" --scope <vm_id>` (Virtual Machine Administrator Login for an administrator), in Bicep as
          `Microsoft.Authorization/roleAssignments`. It takes up to ten minutes; the user signs out and in again.
    See: https://learn.microsoft.com/entra/identity/devices/howto-vm-sign-in-azure-ad-windows
    """
    if kind_of(facts) is not Kind.ENTRA:
        return skipped("nobody of Microsoft Entra ID was asked about")
    roles = need(facts.roles_at(facts.target.vm_id))
    holding = [role for role in roles if any(role.allows_data(action) for action in LOGIN_ACTIONS)]
    if holding:
        under = " under a condition that is not judged here" if all(role.conditional for role in holding) else ""
        return passed(f"the role {holding[0].name} allows signing in{under}")
    signs_in = need(facts.vm).entra_login is not None or need(entra_joined(facts))
    if not signs_in:
        return skipped("the VM does not sign users of Microsoft Entra ID in")
    others = ", ".join(sorted({role.name for role in roles})) or "none"
    return failed(
        "entra-role-missing",
        f"The user has no role that allows signing in to this VM (roles here: {others}).",
        Effect.DEGRADES if asked_sign_ins(facts).signed_in is not None else Effect.BLOCKS,
        Confidence.CONFIRMED,
        principal=facts.target.principal_id,
        vm_id=facts.target.vm_id,
    )
