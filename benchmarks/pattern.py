"""What a synthetic estate is made of: fifty VMs in ten subnets that repeat, with findings planted in known numbers."""

from dataclasses import dataclass
from typing import Any

Resource = dict[str, Any]
OFFICE = "203.0.113.0/28"
PARTNER = "198.51.100.0/24"
PER_NSG, PER_PATTERN = 5, 50


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of an NSG."""

    name: str
    priority: int
    access: str
    source: str
    port: str = "*"
    direction: str = "Inbound"
    destination: str = "*"

    def resource(self, nsg_id: str, *, default: bool = False) -> Resource:
        """The rule as ARM nests it in its NSG."""
        kind = "defaultSecurityRules" if default else "securityRules"
        lists = ("sourcePortRanges", "destinationPortRanges", "sourceAddressPrefixes", "destinationAddressPrefixes")
        properties: Resource = {
            "provisioningState": "Succeeded",
            "protocol": "*" if default else "Tcp",
            "sourcePortRange": "*",
            "destinationPortRange": self.port,
            "sourceAddressPrefix": self.source,
            "destinationAddressPrefix": self.destination,
            "access": self.access,
            "priority": self.priority,
            "direction": self.direction,
            **{name: [] for name in lists},
        }
        return {
            "name": self.name,
            "id": f"{nsg_id}/{kind}/{self.name}",
            "etag": 'W/"1"',
            "type": f"Microsoft.Network/networkSecurityGroups/{kind}",
            "properties": properties,
        }


@dataclass(frozen=True, slots=True)
class Part:
    """Five VMs in a subnet of their own.

    Attributes:
        door: public (an address each), lb (a NAT rule each) or none.
        rules: The rules that matter.
        appliance: Whether a route table sends 0.0.0.0/0 to an appliance.
        linux: How many of the five have a Linux disk.
    """

    door: str
    rules: tuple[Rule, ...]
    appliance: bool = False
    linux: int = 0


_FROM_OFFICE = Rule("Allow-Office", 300, "Allow", OFFICE, "3389")
PATTERN = (
    Part("public", (_FROM_OFFICE,), linux=1),
    Part("public", (_FROM_OFFICE, Rule("Allow-Partner", 310, "Allow", PARTNER, "3389"))),
    Part("none", ()),  # reached through Bastion by AllowVnetInBound
    Part("none", ()),
    Part("public", ()),  # unreachable: DenyAllInBound
    Part("public", (Rule("Allow-RDP", 300, "Allow", "*", "3389"),)),  # open
    # Not open: the deny stands above the wide allow, which a search for "*" and 3389 takes for an open door.
    Part(
        "public",
        (
            Rule("Allow-Office", 150, "Allow", OFFICE, "3389"),
            Rule("Deny-RDP", 200, "Deny", "Internet", "3389"),
            Rule("Allow-All", 400, "Allow", "*", "*"),
        ),
    ),
    # Open without "*", "Internet" or 3389 in the text.
    Part(
        "public",
        (Rule("Low", 300, "Allow", "0.0.0.0/1", "3000-4000"), Rule("High", 310, "Allow", "128.0.0.0/1", "3000-4000")),
    ),
    Part("lb", (_FROM_OFFICE,)),
    Part("public", (_FROM_OFFICE,), appliance=True),  # unreachable: the reply leaves through the appliance
)
EXPECTED_PER_FIFTY = {
    "virtual_machines": 49,
    "not_windows": 1,
    "reachable": 29,
    "through_bastion": 10,
    "unreachable": 10,
    "open_to_internet": 10,
    # An appliance stands on the way of five: whom it brings in is not known.
    "undetermined": 5,
    "without_sources": 0,
}
PUBLIC = [i for i in range(PER_PATTERN) if PATTERN[i // PER_NSG].door == "public"]
FILLER = ("443", "80", "1433", "5985", "8080", "22", "445", "135", "9090", "10050", "8443", "5671")
DEFAULTS = (
    Rule("AllowVnetInBound", 65000, "Allow", "VirtualNetwork", "*", "Inbound", "VirtualNetwork"),
    Rule("AllowAzureLoadBalancerInBound", 65001, "Allow", "AzureLoadBalancer", "*", "Inbound", "*"),
    Rule("DenyAllInBound", 65500, "Deny", "*", "*", "Inbound", "*"),
    Rule("AllowVnetOutBound", 65000, "Allow", "VirtualNetwork", "*", "Outbound", "VirtualNetwork"),
    Rule("AllowInternetOutBound", 65001, "Allow", "*", "*", "Outbound", "Internet"),
    Rule("DenyAllOutBound", 65500, "Deny", "*", "*", "Outbound", "*"),
)


def part_of(i: int) -> Part:
    """The part that a VM belongs to."""
    return PATTERN[i % PER_PATTERN // PER_NSG]
