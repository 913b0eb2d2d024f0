"""Can the user sign in through Bastion?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, skipped
from rdp_remediate.facts.arm_names import name_of
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.report import Confidence, Effect, Hop
from rdp_remediate.network.arrival import EntryKind
from rdp_remediate.network.question import ask

JIT_REQUEST = "Microsoft.Security/locations/jitNetworkAccessPolicies/initiate/action"


@check(
    hop=Hop.ENDPOINT,
    faults=("bastion-user-format-or-entra", "bastion-rbac-or-jit"),
    requires=("bastion_reaches_the_vm",),
)
def bastion_admits_the_user(facts: Facts) -> Outcome:
    """The user may open a Bastion session to the VM and writes the account as Bastion wants it.

    Why: in the portal Bastion takes a UPN for domain accounts and no Entra-only account; the user needs Reader on VM, NIC and
    Bastion.
    Evidence: the account as it was written, the VM's extensions and domain membership, the role assignments of the person's object
    id (--principal-id) at VM, NIC, Bastion and peered VNet, groups included.
    By hand:
        * bastion-user-format-or-entra: write the account as a UPN (user@domain) in the portal. For an Entra account use the native
          client of a Standard Bastion: `az network bastion rdp -g <bastion_group> -n <bastion> --target-resource-id <vm_id>
          --enable-mfa true`; in Bicep the host needs `sku: { name: 'Standard' }` and `enableTunneling: true`.
        * bastion-rbac-or-jit: the owner grants Reader on VM, NIC and Bastion, and on the VNet when it is peered:
          `az role assignment create --assignee <principal> --role Reader --scope <scope>`; declare it in Bicep as
          `Microsoft.Authorization/roleAssignments`. With just-in-time access the user also needs
          `Microsoft.Security/locations/jitNetworkAccessPolicies/initiate/action` and asks for access.
    See: https://learn.microsoft.com/azure/bastion/troubleshoot
    """
    question = ask(facts)
    if question.entry is None or question.entry.kind is not EntryKind.BASTION:
        return skipped("no Bastion session")
    vm = need(facts.vm)
    user = (facts.target.user or "").strip()
    domain = user.partition("\\")[0].lower() if "\\" in user else ""
    hosts = list(facts.network.bastions.values())
    place = {
        "vm_id": facts.target.vm_id,
        "bastion": hosts[0].arm_id.rsplit("/", 1)[-1] if hosts else "",
        "bastion_group": hosts[0].arm_id.split("/")[4] if hosts and hosts[0].arm_id.count("/") > 4 else "",
    }
    names = {".", vm.name.lower(), (vm.computer_name or "").lower()}
    if domain and domain not in names:
        return failed(
            "bastion-user-format-or-entra",
            f"The account is written {user}; Bastion in the portal takes a UPN, user@domain.",
            Effect.DEGRADES,
            Confidence.POSSIBLE,
            **place,
        )
    entra = any("aadloginforwindows" in one.name.lower() for one in vm.extensions)
    joined = None if isinstance(facts.guest.os, Unavailable) else facts.guest.os.value.part_of_domain
    if entra and joined is False and "@" in user:
        return failed(
            "bastion-user-format-or-entra",
            f"The VM signs {user} in through Entra only, which Bastion in the portal does not support.",
            Effect.DEGRADES,
            Confidence.POSSIBLE,
            **place,
        )
    return _rights(facts, question.entry.nic_id, question.port)


def _rights(facts: Facts, nic_id: str, port: int) -> Outcome:
    """Whether the person's roles allow all that a Bastion session asks Azure for."""
    vm_id, nic = facts.target.vm_id, facts.network.nics.get(nic_id.lower())
    if nic is None:
        raise UnseenError(facts.network.why("resource", nic_id.lower()))
    home = {one.subnet.rsplit("/subnets/", 1)[0] for one in nic.ip_configurations}
    peers = {
        peering.remote_vnet
        for vnet in home
        if vnet in facts.network.vnets
        for peering in facts.network.vnets[vnet].peerings
        if peering.connected
    }
    hosts = [one for one in facts.network.bastions.values() if one.vnet in home | peers]
    asked: list[tuple[tuple[str, ...], str]] = [
        ((vm_id,), "Microsoft.Compute/virtualMachines/read"),
        ((nic_id,), "Microsoft.Network/networkInterfaces/read"),
    ]
    if hosts:
        asked.append((tuple(one.arm_id for one in hosts), "Microsoft.Network/bastionHosts/read"))
        if not any(one.vnet in home for one in hosts):
            asked.append((tuple(home), "Microsoft.Network/virtualNetworks/read"))
    if any(one.port == port for one in need(facts.jit_ports)):
        asked.append(((vm_id,), JIT_REQUEST))
    for scopes, action in asked:
        if not any(role.allows(action) for scope in scopes for role in need(facts.roles_at(scope))):
            return failed(
                "bastion-rbac-or-jit",
                f"The user has no role that allows {action} at {name_of(scopes[0])}, which a Bastion session needs.",
                action=action,
                scope=scopes[0],
                principal=facts.target.principal_id,
            )
    return passed("the user's roles allow a Bastion session")
