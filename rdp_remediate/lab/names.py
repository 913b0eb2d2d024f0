"""The names of the lab's small subscription; every one can be changed, no answer depends on them."""

from dataclasses import dataclass

VECTOR_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
"""The subscription id that scenario files write; it stands for the lab's own."""


@dataclass(frozen=True, slots=True)
class Names:
    """Names of the target VM and of what it is made of."""

    subscription: str = VECTOR_SUBSCRIPTION
    tenant: str = "72f0a8d4-0000-4000-8000-0000000000aa"
    resource_group: str = "rg-app"
    location: str = "westeurope"
    vm: str = "vm1"
    nic: str = "vm1-nic"
    public_ip: str = "vm1-pip"
    nic_nsg: str = "vm1-nsg"
    subnet_nsg: str = "snet-app-nsg"
    vnet: str = "vnet-app"
    subnet: str = "snet-app"
    route_table: str = "rt-app"
    network_watcher: str = "nw-west"
    workspace: str = "5f3c2a10-0000-4000-8000-0000000000bb"
    nic_rule: str = "Allow-RDP"
    subnet_rule: str = "Allow-Office"
    private_address: str = "10.0.0.4"
    public_address: str = "20.50.1.4"

    @property
    def subscription_id(self) -> str:
        """The subscription as an ARM id."""
        return f"/subscriptions/{self.subscription}"

    @property
    def group_id(self) -> str:
        """The resource group as an ARM id."""
        return f"{self.subscription_id}/resourceGroups/{self.resource_group}"

    def compute(self, kind: str, name: str) -> str:
        """Returns the ARM id of a Compute resource in the lab's resource group."""
        return f"{self.group_id}/providers/Microsoft.Compute/{kind}/{name}"

    def network(self, kind: str, name: str) -> str:
        """Returns the ARM id of a Network resource in the lab's resource group."""
        return f"{self.group_id}/providers/Microsoft.Network/{kind}/{name}"

    @property
    def role_ids(self) -> dict[str, str]:
        """The ARM id of the resource that plays each role of a scenario (reference scenarios.md)."""
        vnet = self.network("virtualNetworks", self.vnet)
        return {
            "vm": self.compute("virtualMachines", self.vm),
            "nic": self.network("networkInterfaces", self.nic),
            "pip": self.network("publicIPAddresses", self.public_ip),
            "nic_nsg": self.network("networkSecurityGroups", self.nic_nsg),
            "subnet_nsg": self.network("networkSecurityGroups", self.subnet_nsg),
            "vnet": vnet,
            "subnet": f"{vnet}/subnets/{self.subnet}",
            "route_table": self.network("routeTables", self.route_table),
        }
