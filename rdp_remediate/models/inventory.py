"""Resources read in bulk, as the port `Inventory` hands them over: pages of plain ARM JSON."""

from dataclasses import dataclass
from enum import StrEnum

from rdp_remediate.models.base import JsonObject


class InventoryKind(StrEnum):
    """What is read in bulk; the words are ARM's own for the types."""

    SUBSCRIPTIONS = "subscriptions"
    VIRTUAL_MACHINES = "virtualMachines"
    NETWORK_INTERFACES = "networkInterfaces"
    NETWORK_SECURITY_GROUPS = "networkSecurityGroups"
    VIRTUAL_NETWORKS = "virtualNetworks"
    PUBLIC_IP_ADDRESSES = "publicIPAddresses"
    LOAD_BALANCERS = "loadBalancers"
    ROUTE_TABLES = "routeTables"


@dataclass(frozen=True, slots=True)
class InventoryPage:
    """One answer of a bulk read.

    Attributes:
        resources: Resources in ARM's shape; properties that nobody asks for are left out.
        total: How many resources the whole read has, where the answer says so.
    """

    resources: list[JsonObject]
    total: int | None = None
