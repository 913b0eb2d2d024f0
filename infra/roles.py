"""Writes infra/roles.json, the rights of the app's identity, from what the code reads and changes.

Roles that are given on different scopes: `diagnose` reads, `guest` is Run Command, `remediate` changes. `managed_guest`
is optional: managed Run Command, the second way into Windows.
Reads come from the resource types that rdp_remediate.arm reads and from its operations, changes from the ARM calls that
can be made and from the permissions that each fix declares.

Usage: python infra/roles.py [--check]
"""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from rdp_remediate.arm.resource_types import GENUINE, PLAIN
from rdp_remediate.fixes.fix import all_fixes
from rdp_remediate.ports import ArmWrites, Operation

ROLES = Path(__file__).with_name("roles.json")

#: What each read that is no plain resource needs; learn.microsoft.com/azure/role-based-access-control/permissions.
OPERATIONS: Mapping[Operation, tuple[str, ...]] = {
    Operation.EFFECTIVE_SECURITY_RULES: (
        "Microsoft.Network/networkInterfaces/effectiveNetworkSecurityGroups/action",
        "Microsoft.Network/locations/operationResults/read",
        "Microsoft.Network/locations/operations/read",
    ),
    Operation.EFFECTIVE_ROUTES: ("Microsoft.Network/networkInterfaces/effectiveRouteTable/action",),
    Operation.EFFECTIVE_ADMIN_RULES: (
        "Microsoft.Network/virtualNetworks/listNetworkManagerEffectiveSecurityAdminRules/action",
    ),
    Operation.SERVICE_TAGS: ("Microsoft.Network/locations/serviceTags/read",),
    Operation.APPLICATION_SECURITY_GROUP_MEMBERS: ("Microsoft.Network/networkInterfaces/read",),
    Operation.RESOURCE_HEALTH: ("Microsoft.ResourceHealth/AvailabilityStatuses/read",),
    # Resource Graph answers with what the caller may read; the annotations lie under the resource's health.
    Operation.RESOURCE_ANNOTATIONS: (
        "Microsoft.ResourceGraph/resources/read",
        "Microsoft.ResourceHealth/AvailabilityStatuses/read",
    ),
    Operation.ADDRESS_OWNERS: (
        "Microsoft.ResourceGraph/resources/read",
        "Microsoft.Network/networkInterfaces/read",
        "Microsoft.Network/publicIPAddresses/read",
    ),
    # A change shows to whoever may read the resource that changed.
    Operation.RESOURCE_CHANGES: ("Microsoft.ResourceGraph/resources/read",),
    Operation.JIT_POLICIES: ("Microsoft.Security/locations/jitNetworkAccessPolicies/read",),
    Operation.LOCKS: ("Microsoft.Authorization/locks/read",),
    Operation.TAGS: ("Microsoft.Resources/tags/read",),
    Operation.BASTION_HOSTS: ("Microsoft.Network/bastionHosts/read",),
    Operation.BOOT_LOG: ("Microsoft.Compute/virtualMachines/retrieveBootDiagnosticsData/action",),
    Operation.ACTIVITY: ("Microsoft.Insights/eventtypes/values/read",),
    Operation.FIND_VM: ("Microsoft.Compute/virtualMachines/read",),
    Operation.SUBSCRIPTION: ("Microsoft.Resources/subscriptions/read",),
    Operation.PERMISSIONS: ("Microsoft.Authorization/permissions/read",),
    Operation.PRIVATE_DNS_LINKS: (
        "Microsoft.ResourceGraph/resources/read",
        "Microsoft.Network/privateDnsZones/virtualNetworkLinks/read",
    ),
    Operation.GATEWAY_CONNECTIONS: (
        "Microsoft.Network/virtualNetworkGateways/connections/read",
        "Microsoft.Network/connections/read",
    ),
    # Network Watcher computes; these two actions change nothing. Connection troubleshoot needs an agent and is not asked.
    Operation.IP_FLOW: (
        "Microsoft.Network/networkWatchers/read",
        "Microsoft.Network/networkWatchers/ipFlowVerify/action",
    ),
    Operation.NEXT_HOP: (
        "Microsoft.Network/networkWatchers/read",
        "Microsoft.Network/networkWatchers/nextHop/action",
    ),
    Operation.ROLE_ASSIGNMENTS: (
        "Microsoft.Authorization/roleAssignments/read",
        "Microsoft.Authorization/roleDefinitions/read",
    ),
}

#: What each acting call needs beside the reads.
WRITES: Mapping[str, tuple[str, ...]] = {
    ArmWrites.put_security_rule.__name__: ("Microsoft.Network/networkSecurityGroups/securityRules/write",),
    ArmWrites.delete_security_rule.__name__: ("Microsoft.Network/networkSecurityGroups/securityRules/delete",),
    ArmWrites.put_route.__name__: ("Microsoft.Network/routeTables/routes/write",),
    ArmWrites.delete_route.__name__: ("Microsoft.Network/routeTables/routes/delete",),
    ArmWrites.start_virtual_machine.__name__: ("Microsoft.Compute/virtualMachines/start/action",),
    ArmWrites.restart_virtual_machine.__name__: ("Microsoft.Compute/virtualMachines/restart/action",),
    ArmWrites.redeploy_virtual_machine.__name__: ("Microsoft.Compute/virtualMachines/redeploy/action",),
    ArmWrites.reapply_virtual_machine.__name__: ("Microsoft.Compute/virtualMachines/reapply/action",),
    ArmWrites.deallocate_virtual_machine.__name__: ("Microsoft.Compute/virtualMachines/deallocate/action",),
    ArmWrites.run_command.__name__: ("Microsoft.Compute/virtualMachines/runCommand/action",),
    ArmWrites.put_run_command.__name__: (
        "Microsoft.Compute/virtualMachines/runCommands/read",
        "Microsoft.Compute/virtualMachines/runCommands/write",
    ),
    ArmWrites.delete_run_command.__name__: ("Microsoft.Compute/virtualMachines/runCommands/delete",),
    ArmWrites.put_extension.__name__: ("Microsoft.Compute/virtualMachines/extensions/write",),
    ArmWrites.delete_extension.__name__: ("Microsoft.Compute/virtualMachines/extensions/delete",),
    ArmWrites.initiate_jit.__name__: ("Microsoft.Security/locations/jitNetworkAccessPolicies/initiate/action",),
    ArmWrites.poll.__name__: ("Microsoft.Compute/locations/operations/read",),
}

#: The instance view is read through the VM, and a role needs its own action for it.
_INSTANCE_VIEW = "Microsoft.Compute/virtualMachines/instanceView/read"
_RESOURCE_GROUP = "Microsoft.Resources/subscriptions/resourceGroups/read"
#: Classic VMs: the provider is retired and unknown in most subscriptions, where naming it makes Azure refuse the role.
_LEFT_OUT = ("microsoft.classiccompute/",)

#: The optional second way into Windows; without its role it is refused and the report says so.
_MANAGED = "/virtualmachines/runcommands/"
_EXTENSIONS = ("/extensions/write", "/extensions/delete")

#: How Azure writes the words; the code keeps resource types in lower case.
_WORDS = (
    "Microsoft.Compute",
    "Microsoft.Insights",
    "Microsoft.Network",
    "Microsoft.Security",
    "applicationSecurityGroups",
    "availabilitySets",
    "azureFirewalls",
    "bastionHosts",
    "connections",
    "disks",
    "extensions",
    "firewallPolicies",
    "inboundNatRules",
    "ipGroups",
    "jitNetworkAccessPolicies",
    "loadBalancers",
    "localNetworkGateways",
    "locations",
    "natGateways",
    "networkInterfaces",
    "networkSecurityGroups",
    "publicIPAddresses",
    "publicIPPrefixes",
    "routeTables",
    "routes",
    "ruleCollectionGroups",
    "scheduledQueryRules",
    "securityRules",
    "subnets",
    "virtualMachines",
    "virtualNetworkGateways",
    "virtualNetworkPeerings",
    "virtualNetworks",
)
SPELLING = {word.lower(): word for word in _WORDS}


def _read_of(resource_type: str) -> str:
    """The action that reads a resource type, as Azure writes it."""
    if not resource_type:
        return _RESOURCE_GROUP
    return "/".join(SPELLING.get(word, word) for word in resource_type.split("/")) + "/read"


def _sorted(actions: Iterable[str]) -> list[str]:
    return sorted({action.lower(): action for action in actions}.values(), key=str.lower)


def build() -> dict[str, dict[str, object]]:
    """The roles."""
    types = [name for name in (*GENUINE, *PLAIN) if not name.startswith(_LEFT_OUT)]
    reads = [_read_of(name) for name in types] + [_INSTANCE_VIEW]
    reads += [action for actions in OPERATIONS.values() for action in actions]
    asked = [action for actions in WRITES.values() for action in actions]
    asked += [action for fix in all_fixes() for action in fix.permissions]
    managed = [action for action in asked if _MANAGED in action.lower()]
    extensions = [action for action in asked if action.lower().endswith(_EXTENSIONS)]
    asked = [action for action in asked if action not in (*managed, *extensions)]
    reads += [action for action in asked if action.lower().endswith("/read")]
    writes = [action for action in asked if not action.lower().endswith("/read")]
    guest = [action for action in writes if "/runcommand/" in action.lower()]
    return {
        "diagnose": {
            "name": "RDP Remediate Diagnose",
            "description": "Reads what decides whether RDP reaches a VM. Changes nothing.",
            "actions": _sorted(reads),
        },
        "guest": {
            "name": "RDP Remediate Guest",
            "description": "Runs the collector, and repairs where the mode allows, inside Windows through Run Command.",
            "actions": _sorted(guest),
        },
        "managed_guest": {
            "name": "RDP Remediate Guest through managed Run Command",
            "description": "Optional: the same scripts as managed Run Commands where the action Run Command is refused.",
            "actions": _sorted(managed),
        },
        "vm_access": {
            "name": "RDP Remediate VMAccess",
            "description": "Optional: the reset through the VMAccess extension that a person approves. Whoever may write "
            "extensions may run anything on these VMs.",
            "actions": _sorted(extensions),
        },
        "remediate": {
            "name": "RDP Remediate Repair",
            "description": "Writes and deletes single NSG rules and routes, starts, restarts, redeploys, reapplies or "
            "deallocates a VM, asks for just-in-time access.",
            "actions": _sorted(action for action in writes if action not in guest),
        },
    }


def main() -> int:
    """Write the file, or with --check fail if it is not what the code needs."""
    text = json.dumps(build(), indent=2) + "\n"
    if "--check" not in sys.argv[1:]:
        ROLES.write_text(text, encoding="utf-8")
        return 0
    if ROLES.read_text(encoding="utf-8") != text:
        sys.stderr.write("infra/roles.json is stale; run: python infra/roles.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
