"""The healthy VM and everything around it, in the shapes of recorded ARM answers (azure-facts.md 5, 8, 9)."""

from collections.abc import Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from rdp_remediate.lab.names import Names

Resource = dict[str, Any]

DEFAULT_RULES: tuple[tuple[str, str, str, str, int, str, str], ...] = (
    ("AllowVnetInBound", "Allow inbound traffic from all VMs in VNET", "VirtualNetwork", "VirtualNetwork",
     65000, "Allow", "Inbound"),
    ("AllowAzureLoadBalancerInBound", "Allow inbound traffic from azure load balancer", "AzureLoadBalancer", "*", 65001,
     "Allow", "Inbound"),
    ("DenyAllInBound", "Deny all inbound traffic", "*", "*", 65500, "Deny", "Inbound"),
    ("AllowVnetOutBound", "Allow outbound traffic from all VMs to all VMs in VNET", "VirtualNetwork", "VirtualNetwork",
     65000, "Allow", "Outbound"),
    ("AllowInternetOutBound", "Allow outbound traffic from all VMs to Internet", "*", "Internet", 65001, "Allow",
     "Outbound"),
    ("DenyAllOutBound", "Deny all outbound traffic", "*", "*", 65500, "Deny", "Outbound"),
)  # fmt: skip
SAMPLE_TIME = "2026-01-12T03:04:05Z"


def stable_guid(text: str) -> str:
    """Returns the same GUID for the same text, so that two starts of a lab agree."""
    return str(uuid5(NAMESPACE_URL, text.lower()))


def etag(text: str) -> str:
    """Returns a weak etag as the network provider writes it."""
    return f'W/"{stable_guid(text)}"'


def windows_vm(names: Names, computer_name: str) -> Resource:
    """The target VM; tags are missing as on a VM that has none."""
    disk = f"{names.vm}_OsDisk_1_{stable_guid(names.vm).replace('-', '')}"
    return {
        "name": names.vm,
        "id": names.role_ids["vm"],
        "type": "Microsoft.Compute/virtualMachines",
        "location": names.location,
        "tags": {},
        "properties": {
            "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
            "provisioningState": "Succeeded",
            "vmId": stable_guid(names.role_ids["vm"]),
            "storageProfile": {
                "imageReference": {
                    "publisher": "MicrosoftWindowsServer",
                    "offer": "WindowsServer",
                    "sku": "2022-datacenter-azure-edition",
                    "version": "latest",
                    "exactVersion": "20348.2227.240104",
                },
                "osDisk": {
                    "osType": "Windows",
                    "name": disk,
                    "createOption": "FromImage",
                    "caching": "ReadWrite",
                    "managedDisk": {
                        "storageAccountType": "Premium_LRS",
                        "id": names.compute("disks", disk),
                    },
                    "deleteOption": "Detach",
                    "diskSizeGB": 127,
                },
                "dataDisks": [],
                "diskControllerType": "SCSI",
            },
            "osProfile": {
                "computerName": computer_name,
                "adminUsername": "azureadmin",
                "windowsConfiguration": {
                    "provisionVMAgent": True,
                    "enableAutomaticUpdates": True,
                    "patchSettings": {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"},
                },
                "secrets": [],
                "allowExtensionOperations": True,
                "requireGuestProvisionSignal": True,
            },
            "networkProfile": {"networkInterfaces": [{"id": names.role_ids["nic"]}]},
            "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
            "timeCreated": "2025-11-03T08:02:10.7010366+00:00",
        },
        "etag": '"2"',
    }


def ready_instance_view(vm: Resource, os_name: str, os_version: str, now: str) -> Resource:
    """The instance view of a running VM whose agent is Ready."""
    disk = vm["properties"]["storageProfile"]["osDisk"]["name"]
    done = {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded"}
    return {
        "computerName": vm["properties"]["osProfile"]["computerName"],
        "osName": os_name,
        "osVersion": f"Microsoft Windows NT {os_version}.0",
        "vmAgent": {
            "vmAgentVersion": "2.7.41491.1095",
            "statuses": [
                {
                    "code": "ProvisioningState/succeeded",
                    "level": "Info",
                    "displayStatus": "Ready",
                    "message": "GuestAgent is running and processing the extensions.",
                    "time": now,
                }
            ],
            "extensionHandlers": [],
        },
        "disks": [{"name": disk, "statuses": [{**done, "time": SAMPLE_TIME}]}],
        "bootDiagnostics": {},
        "extensions": [],
        "hyperVGeneration": "V2",
        "statuses": [
            {**done, "time": SAMPLE_TIME},
            {"code": "PowerState/running", "level": "Info", "displayStatus": "VM running"},
        ],
    }


def network_interface(names: Names) -> Resource:
    """The target's only NIC, with its own NSG and one IP configuration."""
    rid = names.role_ids["nic"]
    tag = etag(rid)
    return {
        "name": names.nic,
        "id": rid,
        "etag": tag,
        "tags": {},
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": stable_guid(f"{rid}/guid"),
            "ipConfigurations": [
                {
                    "name": "ipconfig1",
                    "id": f"{rid}/ipConfigurations/ipconfig1",
                    "etag": tag,
                    "type": "Microsoft.Network/networkInterfaces/ipConfigurations",
                    "properties": {
                        "provisioningState": "Succeeded",
                        "privateIPAddress": names.private_address,
                        "privateIPAllocationMethod": "Dynamic",
                        "publicIPAddress": {"id": names.role_ids["pip"]},
                        "subnet": {"id": names.role_ids["subnet"]},
                        "primary": True,
                        "privateIPAddressVersion": "IPv4",
                    },
                }
            ],
            "dnsSettings": {
                "dnsServers": [],
                "appliedDnsServers": [],
                "internalDomainNameSuffix": "ycnyvkztuodexm5bb5isr1wfcg.ax.internal.cloudapp.net",
            },
            "macAddress": "00-0D-3A-4B-5C-6D",
            "enableAcceleratedNetworking": False,
            "vnetEncryptionSupported": False,
            "enableIPForwarding": False,
            "disableTcpStateTracking": False,
            "networkSecurityGroup": {"id": names.role_ids["nic_nsg"]},
            "primary": True,
            "virtualMachine": {"id": names.role_ids["vm"]},
            "hostedWorkloads": [],
            "tapConfigurations": [],
            "nicType": "Standard",
            "allowPort25Out": False,
            "auxiliaryMode": "None",
        },
        "type": "Microsoft.Network/networkInterfaces",
        "location": names.location,
        "kind": "Regular",
    }


def public_address(names: Names) -> Resource:
    """The Standard public address of the NIC."""
    rid = names.role_ids["pip"]
    return {
        "name": names.public_ip,
        "id": rid,
        "etag": etag(rid),
        "location": names.location,
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": stable_guid(f"{rid}/guid"),
            "ipAddress": names.public_address,
            "publicIPAddressVersion": "IPv4",
            "publicIPAllocationMethod": "Static",
            "idleTimeoutInMinutes": 4,
            "ipTags": [],
            "ipConfiguration": {"id": f"{names.role_ids['nic']}/ipConfigurations/ipconfig1"},
        },
        "type": "Microsoft.Network/publicIPAddresses",
        "sku": {"name": "Standard", "tier": "Regional"},
    }


def address_fields(side: str, prefixes: Sequence[str]) -> dict[str, Any]:
    """One prefix goes into the singular field, several into the plural; the singular key is then missing."""
    if len(prefixes) == 1:
        return {f"{side}AddressPrefix": prefixes[0], f"{side}AddressPrefixes": []}
    return {f"{side}AddressPrefixes": list(prefixes)}


def allow_rule(nsg_id: str, name: str, priority: int, sources: Sequence[str], port: str) -> Resource:
    """A custom inbound TCP allow rule."""
    return {
        "name": name,
        "id": f"{nsg_id}/securityRules/{name}",
        "etag": etag(nsg_id),
        "type": "Microsoft.Network/networkSecurityGroups/securityRules",
        "properties": {
            "provisioningState": "Succeeded",
            "protocol": "Tcp",
            "sourcePortRange": "*",
            "destinationPortRange": port,
            "destinationAddressPrefix": "*",
            "access": "Allow",
            "priority": priority,
            "direction": "Inbound",
            "sourcePortRanges": [],
            "destinationPortRanges": [],
            "destinationAddressPrefixes": [],
            **address_fields("source", sources),
        },
    }


def default_rules(nsg_id: str) -> list[Resource]:
    """The six rules that every NSG ends with (security group overview, default security rules)."""
    return [
        {
            "name": name,
            "id": f"{nsg_id}/defaultSecurityRules/{name}",
            "etag": etag(nsg_id),
            "type": "Microsoft.Network/networkSecurityGroups/defaultSecurityRules",
            "properties": {
                "provisioningState": "Succeeded",
                "description": description,
                "protocol": "*",
                "sourcePortRange": "*",
                "destinationPortRange": "*",
                "sourceAddressPrefix": source,
                "destinationAddressPrefix": destination,
                "access": access,
                "priority": priority,
                "direction": direction,
                "sourcePortRanges": [],
                "destinationPortRanges": [],
                "sourceAddressPrefixes": [],
                "destinationAddressPrefixes": [],
            },
        }
        for name, description, source, destination, priority, access, direction in DEFAULT_RULES
    ]


def security_group(names: Names, role: str, rules: list[Resource], **links: list[dict[str, str]]) -> Resource:
    """An NSG with the default rules; links name the NICs or subnets that carry it."""
    rid = names.role_ids[role]
    return {
        "name": rid.rsplit("/", 1)[1],
        "id": rid,
        "etag": etag(rid),
        "type": "Microsoft.Network/networkSecurityGroups",
        "location": names.location,
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": stable_guid(f"{rid}/guid"),
            "securityRules": rules,
            "defaultSecurityRules": default_rules(rid),
            **links,
        },
    }


def virtual_network(names: Names) -> Resource:
    """The VNet 10.0.0.0/16 with the one subnet of the target."""
    rid, subnet = names.role_ids["vnet"], names.role_ids["subnet"]
    return {
        "name": names.vnet,
        "id": rid,
        "etag": etag(rid),
        "type": "Microsoft.Network/virtualNetworks",
        "location": names.location,
        "tags": {},
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": stable_guid(f"{rid}/guid"),
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            "dhcpOptions": {"dnsServers": []},
            "subnets": [
                {
                    "name": names.subnet,
                    "id": subnet,
                    "etag": etag(rid),
                    "properties": {
                        "provisioningState": "Succeeded",
                        "addressPrefix": "10.0.0.0/24",
                        "networkSecurityGroup": {"id": names.role_ids["subnet_nsg"]},
                        "ipConfigurations": [{"id": f"{names.role_ids['nic']}/ipConfigurations/ipconfig1"}],
                        "delegations": [],
                        "privateEndpointNetworkPolicies": "Disabled",
                        "privateLinkServiceNetworkPolicies": "Enabled",
                    },
                    "type": "Microsoft.Network/virtualNetworks/subnets",
                }
            ],
            "virtualNetworkPeerings": [],
            "enableDdosProtection": False,
        },
    }


def route_table(names: Names) -> Resource:
    """A route table without routes that no subnet uses yet."""
    rid = names.role_ids["route_table"]
    return {
        "name": names.route_table,
        "id": rid,
        "etag": etag(rid),
        "type": "Microsoft.Network/routeTables",
        "location": names.location,
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": stable_guid(f"{rid}/guid"),
            "disableBgpRoutePropagation": False,
            "routes": [],
        },
    }


def network_watcher(names: Names) -> Resource:
    """The region's Network Watcher; its name is arbitrary, as in recorded subscriptions."""
    rid = f"{names.subscription_id}/resourceGroups/NetworkWatcherRG/providers/Microsoft.Network/networkWatchers"
    rid = f"{rid}/{names.network_watcher}"
    return {
        "name": names.network_watcher,
        "id": rid,
        "etag": etag(rid),
        "type": "Microsoft.Network/networkWatchers",
        "location": names.location,
        "properties": {"provisioningState": "Succeeded", "runningOperationIds": []},
    }


def resources(names: Names, computer_name: str, sources: Sequence[str]) -> list[Resource]:
    """Everything in the healthy subscription; both NSGs admit the configured sources to the RDP port.

    The subnet's NSG admits them to every port, so that a moved RDP port is the NIC's NSG's affair alone.
    """
    ids = names.role_ids
    return [
        windows_vm(names, computer_name),
        network_interface(names),
        public_address(names),
        security_group(
            names,
            "nic_nsg",
            [allow_rule(ids["nic_nsg"], names.nic_rule, 300, sources, "3389")],
            networkInterfaces=[{"id": ids["nic"]}],
        ),
        security_group(
            names,
            "subnet_nsg",
            [allow_rule(ids["subnet_nsg"], names.subnet_rule, 200, sources, "*")],
            subnets=[{"id": ids["subnet"]}],
        ),
        virtual_network(names),
        route_table(names),
        network_watcher(names),
    ]
