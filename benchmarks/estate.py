"""A synthetic estate of any size, made row by row when Resource Graph is asked, with findings planted in known numbers.

Fifty VMs in ten subnets repeat; what a scan must say about them is written down in `benchmarks.pattern`.
Serve one: python -m benchmarks.estate --vms 10000
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address
from typing import Any, overload

from benchmarks.pattern import (
    DEFAULTS,
    EXPECTED_PER_FIFTY,
    FILLER,
    PER_NSG,
    PER_PATTERN,
    PUBLIC,
    Resource,
    Rule,
    part_of,
)
from rdp_remediate.lab.guests.modelled import ModelledGuest
from rdp_remediate.lab.healthy import stable_guid
from rdp_remediate.lab.names import Names
from rdp_remediate.lab.server import Lab

SUBSCRIPTIONS = (Names().subscription, "00000000-0000-0000-0000-000000000001")
PER_VNET = 100
LOCATION = "westeurope"


class Rows(Sequence[Resource]):
    """Resources that exist only while somebody looks at them."""

    def __init__(self, indexes: Sequence[int], make: Callable[[int], Resource]) -> None:
        self._indexes, self._make = indexes, make

    def __len__(self) -> int:
        return len(self._indexes)

    @overload
    def __getitem__(self, index: int) -> Resource: ...

    @overload
    def __getitem__(self, index: slice) -> list[Resource]: ...

    def __getitem__(self, index: int | slice) -> Resource | list[Resource]:
        if isinstance(index, slice):
            return [self._make(one) for one in self._indexes[index]]
        return self._make(self._indexes[index])


class SyntheticEstate:
    """An estate of `vms` virtual machines (a multiple of fifty); the lab's `Estate`."""

    def __init__(self, vms: int, rules_per_nsg: int = 12) -> None:
        if vms < PER_PATTERN or vms % PER_PATTERN:
            raise ValueError(f"{vms} VMs: the pattern repeats every {PER_PATTERN}.")
        self.vms, self.rules_per_nsg = vms, rules_per_nsg
        self.vnets = -(-vms // PER_VNET)
        self.subscriptions = SUBSCRIPTIONS if self.vnets > 1 else SUBSCRIPTIONS[:1]
        patterns = vms // PER_PATTERN
        self._public = patterns * len(PUBLIC)
        self._made: dict[str, tuple[int, Callable[[int], Resource], Callable[[int], int]]] = {
            "microsoft.resources/subscriptions": (len(self.subscriptions), self._subscription, lambda k: -1 - k),
            "microsoft.compute/virtualmachines": (vms, self._vm, _vnet_of),
            "microsoft.network/networkinterfaces": (vms, self._nic, _vnet_of),
            "microsoft.network/networksecuritygroups": (vms // PER_NSG, self._nsg, lambda k: _vnet_of(k * PER_NSG)),
            "microsoft.network/virtualnetworks": (self.vnets, self._vnet, lambda k: k),
            "microsoft.network/publicipaddresses": (self._public + self.vnets, self._public_ip, self._vnet_of_address),
            "microsoft.network/loadbalancers": (self.vnets, self._balancer, lambda k: k),
            "microsoft.network/routetables": (self.vnets, self._route_table, lambda k: k),
        }
        self._rows: dict[tuple[str, frozenset[str]], Rows] = {}

    @property
    def expected(self) -> dict[str, int]:
        """The counts that a scan for OFFICE must come to."""
        return {name: count * self.vms // PER_PATTERN for name, count in EXPECTED_PER_FIFTY.items()}

    def size(self, kind: str) -> int:
        """How many resources of a type there are."""
        return self._made[kind][0]

    def types(self) -> Sequence[str]:
        """The types that the estate has."""
        return tuple(self._made)

    def of_type(self, kind: str, subscriptions: frozenset[str]) -> Sequence[Resource]:
        """The rows of a type in these subscriptions."""
        if kind not in self._made:
            return ()
        found = self._rows.get((kind, subscriptions))
        if found is None:
            count, make, vnet_of = self._made[kind]
            mine = [k for k in range(count) if not subscriptions or self._home(vnet_of(k)) in subscriptions]
            found = self._rows[kind, subscriptions] = Rows(mine, make)
        return found

    def _home(self, vnet: int) -> str:
        if vnet < 0:
            return self.subscriptions[-1 - vnet]
        return self.subscriptions[vnet * len(self.subscriptions) // self.vnets]

    def _id(self, vnet: int, kind: str, name: str) -> str:
        return f"/subscriptions/{self._home(vnet)}/resourceGroups/rg-{vnet:05}/providers/{kind}/{name}"

    def _network(self, vnet: int, kind: str, name: str) -> str:
        return self._id(vnet, f"Microsoft.Network/{kind}", name)

    def _resource(self, own_id: str, kind: str, properties: Resource, **more: Any) -> Resource:
        guid = stable_guid(own_id)
        return {
            "name": own_id.rsplit("/", 1)[-1], "id": own_id, "etag": f'W/"{guid}"', "type": kind, "location": LOCATION,
            "tags": {}, "properties": {"provisioningState": "Succeeded", "resourceGuid": guid, **properties}, **more,
        }  # fmt: skip

    def _subscription(self, k: int) -> Resource:
        one = self.subscriptions[k]
        return {"id": f"/subscriptions/{one}", "name": one, "type": "Microsoft.Resources/subscriptions", "tags": {}}

    def _vm(self, i: int) -> Resource:
        vnet, part = _vnet_of(i), part_of(i)
        linux = i % PER_NSG < part.linux
        own_id = self._id(vnet, "Microsoft.Compute/virtualMachines", f"vm-{i:06}")
        disk = f"vm-{i:06}_OsDisk_1"
        properties = {
            "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
            "vmId": stable_guid(own_id),
            "storageProfile": {
                "osDisk": {
                    "osType": "Linux" if linux else "Windows", "name": disk, "createOption": "FromImage",
                    "caching": "ReadWrite", "deleteOption": "Detach", "diskSizeGB": 127,
                    "managedDisk": {"id": self._id(vnet, "Microsoft.Compute/disks", disk)},
                },
                "dataDisks": [],
            },
            "osProfile": {"computerName": f"VM{i:06}", "adminUsername": "azureadmin", "secrets": []},
            "networkProfile": {"networkInterfaces": [{"id": self._nic_id(i)}]},
        }  # fmt: skip
        return self._resource(own_id, "Microsoft.Compute/virtualMachines", properties)

    def _nic_id(self, i: int) -> str:
        return self._network(_vnet_of(i), "networkInterfaces", f"vm-{i:06}-nic")

    def _configuration_id(self, i: int) -> str:
        return f"{self._nic_id(i)}/ipConfigurations/ipconfig1"

    def _nsg_id(self, group: int) -> str:
        return self._network(_vnet_of(group * PER_NSG), "networkSecurityGroups", f"nsg-{group:06}")

    def _nic(self, i: int) -> Resource:
        vnet, part, group = _vnet_of(i), part_of(i), i // PER_NSG
        inner: Resource = {
            "provisioningState": "Succeeded",
            "privateIPAddress": str(_private(i)),
            "privateIPAllocationMethod": "Dynamic",
            "subnet": {"id": self._subnet_id(group)},
            "primary": True,
            "privateIPAddressVersion": "IPv4",
        }
        if part.door == "public":
            inner["publicIPAddress"] = {"id": self._network(vnet, "publicIPAddresses", f"vm-{i:06}-pip")}
        if part.door == "lb":
            inner["loadBalancerInboundNatRules"] = [{"id": f"{self._balancer_id(vnet)}/inboundNatRules/rdp-{i:06}"}]
        properties: Resource = {
            "ipConfigurations": [{"name": "ipconfig1", "id": self._configuration_id(i), "properties": inner}],
            "dnsSettings": {"dnsServers": [], "appliedDnsServers": []},
            "enableAcceleratedNetworking": False,
            "enableIPForwarding": False,
            "primary": True,
            "virtualMachine": {"id": self._id(vnet, "Microsoft.Compute/virtualMachines", f"vm-{i:06}")},
        }
        if group % 2:
            properties["networkSecurityGroup"] = {"id": self._nsg_id(group)}
        return self._resource(self._nic_id(i), "Microsoft.Network/networkInterfaces", properties)

    def _nsg(self, group: int) -> Resource:
        own_id, part = self._nsg_id(group), part_of(group * PER_NSG)
        rules = [rule.resource(own_id) for rule in part.rules]
        for k in range(self.rules_per_nsg - len(rules)):
            source = f"10.{k}.{group % 256}.0/24"
            rules.append(Rule(f"App-{k}", 1000 + k, "Allow", source, FILLER[k % len(FILLER)]).resource(own_id))
        defaults = [rule.resource(own_id, default=True) for rule in DEFAULTS]
        properties: Resource = {"securityRules": rules, "defaultSecurityRules": defaults}
        if group % 2:
            properties["networkInterfaces"] = [{"id": self._nic_id(group * PER_NSG + k)} for k in range(PER_NSG)]
        else:
            properties["subnets"] = [{"id": self._subnet_id(group)}]
        return self._resource(own_id, "Microsoft.Network/networkSecurityGroups", properties)

    def _subnet_id(self, group: int) -> str:
        vnet = _vnet_of(group * PER_NSG)
        return f"{self._network(vnet, 'virtualNetworks', f'vnet-{vnet:05}')}/subnets/snet-{group:06}"

    def _vnet(self, v: int) -> Resource:
        own_id, base = self._network(v, "virtualNetworks", f"vnet-{v:05}"), _base(v)
        subnets = []
        first = v * PER_VNET // PER_NSG
        for group in range(first, min(first + PER_VNET // PER_NSG, self.vms // PER_NSG)):
            ids = [{"id": self._configuration_id(group * PER_NSG + k)} for k in range(PER_NSG)]
            inner: Resource = {"addressPrefix": f"{base + (group - first) * 16}/28", "ipConfigurations": ids}
            if not group % 2:
                inner["networkSecurityGroup"] = {"id": self._nsg_id(group)}
            if part_of(group * PER_NSG).appliance:
                inner["routeTable"] = {"id": self._network(v, "routeTables", f"rt-{v:05}")}
            subnets.append({"name": f"snet-{group:06}", "id": self._subnet_id(group), "properties": inner})
        bastion = {"addressPrefix": f"{base + 512}/26"}
        subnets.append(
            {"name": "AzureBastionSubnet", "id": f"{own_id}/subnets/AzureBastionSubnet", "properties": bastion}
        )
        properties = {
            "addressSpace": {"addressPrefixes": [f"{base}/22"]}, "subnets": subnets, "virtualNetworkPeerings": [],
        }  # fmt: skip
        return self._resource(own_id, "Microsoft.Network/virtualNetworks", properties)

    def _vnet_of_address(self, k: int) -> int:
        return _vnet_of(_public_vm(k)) if k < self._public else k - self._public

    def _public_ip(self, k: int) -> Resource:
        if k < self._public:
            i = _public_vm(k)
            name, owner, address = f"vm-{i:06}-pip", self._configuration_id(i), IPv4Address("20.64.0.0") + i
        else:
            v = k - self._public
            name, owner = f"lb-{v:05}-pip", f"{self._balancer_id(v)}/frontendIPConfigurations/front"
            address = IPv4Address("52.128.0.0") + v
        properties = {
            "ipAddress": str(address), "publicIPAddressVersion": "IPv4", "publicIPAllocationMethod": "Static",
            "idleTimeoutInMinutes": 4, "ipTags": [], "ipConfiguration": {"id": owner},
        }  # fmt: skip
        own_id = self._network(self._vnet_of_address(k), "publicIPAddresses", name)
        sku = {"name": "Standard", "tier": "Regional"}
        return self._resource(own_id, "Microsoft.Network/publicIPAddresses", properties, sku=sku)

    def _balancer_id(self, v: int) -> str:
        return self._network(v, "loadBalancers", f"lb-{v:05}")

    def _balancer(self, v: int) -> Resource:
        own_id = self._balancer_id(v)
        front = f"{own_id}/frontendIPConfigurations/front"
        mine = range(v * PER_VNET, min((v + 1) * PER_VNET, self.vms))
        rules = [
            {
                "name": f"rdp-{i:06}",
                "id": f"{own_id}/inboundNatRules/rdp-{i:06}",
                "properties": {
                    "frontendIPConfiguration": {"id": front}, "frontendPort": 50_000 + i % PER_VNET,
                    "backendPort": 3389, "protocol": "Tcp", "enableFloatingIP": False, "idleTimeoutInMinutes": 4,
                    "backendIPConfiguration": {"id": self._configuration_id(i)},
                },
            }
            for i in mine
            if part_of(i).door == "lb"
        ]  # fmt: skip
        address = self._network(v, "publicIPAddresses", f"lb-{v:05}-pip")
        properties = {
            "frontendIPConfigurations": [
                {"name": "front", "id": front, "properties": {"publicIPAddress": {"id": address}}}
            ],
            "backendAddressPools": [], "loadBalancingRules": [], "probes": [], "inboundNatRules": rules,
        }  # fmt: skip
        sku = {"name": "Standard", "tier": "Regional"}
        return self._resource(own_id, "Microsoft.Network/loadBalancers", properties, sku=sku)

    def _route_table(self, v: int) -> Resource:
        own_id = self._network(v, "routeTables", f"rt-{v:05}")
        route = {
            "name": "to-appliance",
            "id": f"{own_id}/routes/to-appliance",
            "properties": {
                "addressPrefix": "0.0.0.0/0", "nextHopType": "VirtualAppliance",
                "nextHopIpAddress": str(_base(v) + 600), "hasBgpOverride": False,
            },
        }  # fmt: skip
        properties = {"disableBgpRoutePropagation": False, "routes": [route]}
        return self._resource(own_id, "Microsoft.Network/routeTables", properties)


def _vnet_of(i: int) -> int:
    return i // PER_VNET


def _public_vm(k: int) -> int:
    return k // len(PUBLIC) * PER_PATTERN + PUBLIC[k % len(PUBLIC)]


@lru_cache(maxsize=4096)
def _base(v: int) -> IPv4Address:
    return IPv4Address("10.0.0.0") + v * 1024


def _private(i: int) -> IPv4Address:
    return _base(_vnet_of(i)) + i % PER_VNET // PER_NSG * 16 + 4 + i % PER_NSG


async def serve(vms: int) -> None:
    """Serves an estate until standard input ends; prints the variables that lead to it as one line of JSON."""
    async with Lab("healthy", runtime=ModelledGuest()) as lab:
        lab.world.estate = SyntheticEstate(vms)
        exports = {**lab.exports(), "RDP_REMEDIATE_CA_BUNDLE": str(lab.ca_bundle)}
        print(json.dumps(exports), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vms", type=int, default=10_000)
    asyncio.run(serve(parser.parse_args().vms))
