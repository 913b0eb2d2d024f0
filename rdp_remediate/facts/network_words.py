"""The words of ARM that decide about packets; UNKNOWN is what a newer Azure may say and never counts as permission."""

from enum import StrEnum


class Access(StrEnum):
    """What a rule does with a flow that it matches. ALWAYS_ALLOW exists in security admin rules only."""

    ALLOW = "Allow"
    DENY = "Deny"
    ALWAYS_ALLOW = "AlwaysAllow"
    UNKNOWN = "unknown"


class Direction(StrEnum):
    """Which way a rule looks."""

    INBOUND = "Inbound"
    OUTBOUND = "Outbound"
    UNKNOWN = "unknown"


class Transport(StrEnum):
    """What a rule's or a load balancer's protocol means for TCP."""

    TCP = "tcp"
    ANY = "any"
    OTHER = "other"
    UNKNOWN = "unknown"


class Sku(StrEnum):
    """Basic is open without an NSG; every other SKU is closed. UNKNOWN: the resource does not say."""

    BASIC = "Basic"
    STANDARD = "Standard"
    UNKNOWN = "unknown"


class NextHop(StrEnum):
    """Where a route sends a packet."""

    INTERNET = "Internet"
    VIRTUAL_APPLIANCE = "VirtualAppliance"
    VIRTUAL_NETWORK_GATEWAY = "VirtualNetworkGateway"
    NONE = "None"
    VNET_LOCAL = "VnetLocal"
    VNET_PEERING = "VNetPeering"
    SERVICE_ENDPOINT = "VirtualNetworkServiceEndpoint"
    UNKNOWN = "unknown"


class RouteSource(StrEnum):
    """Who made a route, in the words of reports."""

    USER = "User"
    BGP = "BGP"
    SYSTEM = "System"
    UNKNOWN = "unknown"


WIRESERVER = "168.63.129.16"
"""The platform's own address: the VM agent, DHCP, DNS and the load balancer's probes (Microsoft, "What is IP address 168.63.129.16?")."""
