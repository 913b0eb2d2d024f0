"""Random NSGs whose rules lie close to the flow that is asked about, so that every kind of decision comes up."""

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.network.arm_network import CLIENT, PRIVATE, rule

EXAMPLES = int(os.environ.get("RDP_REMEDIATE_EXAMPLES", "200"))
"""`make test` runs 200 examples of each property; `.ci/run` sets more."""

thorough = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize="CI" in os.environ,
)

SOURCES = ["*", "Internet", "VirtualNetwork", "AzureLoadBalancer", "203.0.113.0/24", "203.0.113.7", "203.0.113.4/30",
           "198.51.100.0/24", "0.0.0.0/0", "10.1.3.0/24", "10.9.0.5", "10.0.0.0/8"]  # fmt: skip
DESTINATIONS = ["*", PRIVATE, "10.1.2.0/24", "10.1.2.5", "VirtualNetwork", "10.1.2.0/29", "0.0.0.0/0"]
PORTS = ["3389", "*", "22", "3380-3400", "0-65535", "3390-4000", "443"]
CLIENTS = [CLIENT, "203.0.113.200", "198.51.100.9", "8.8.8.8", "10.1.3.7", "10.9.0.5", "172.20.0.9"]


@st.composite
def rules(
    draw: st.DrawFn, most: int = 8, directions: tuple[str, ...] = ("Inbound", "Outbound")
) -> list[dict[str, Any]]:
    """Custom rules with distinct priorities, spelled in the singular or the plural."""
    priorities = draw(st.lists(st.integers(100, 140) | st.integers(4090, 4096), unique=True, max_size=most))
    out = []
    for number, priority in enumerate(priorities):
        several = draw(st.booleans())
        plain = [source for source in SOURCES if source[0].isdigit()]
        sources = draw(st.lists(st.sampled_from(plain), min_size=1, max_size=3, unique=True)) if several else None
        ports = draw(st.lists(st.sampled_from([p for p in PORTS if p != "*"]), min_size=1, max_size=2, unique=True))
        out.append(
            rule(
                f"R{number}",
                priority,
                draw(st.sampled_from(["Allow", "Deny"])),
                protocol=draw(st.sampled_from(["Tcp", "Udp", "*", "TCP"])),
                direction=draw(st.sampled_from(directions)),
                sourcePortRange=draw(st.sampled_from(["*", "0-65535", "1-1023", "1024-65535"])),
                destination=draw(st.sampled_from(DESTINATIONS)),
                source=None if sources else draw(st.sampled_from(SOURCES)),
                sourceAddressPrefixes=sources,
                port=None if several else draw(st.sampled_from(PORTS)),
                destinationPortRanges=ports if several else None,
            )
        )
    return out


layers = st.none() | rules()
"""An NSG layer: none, or an NSG with these rules."""

clients = st.sampled_from(CLIENTS)


@st.composite
def admin_rules(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Effective security admin rules with distinct priorities."""
    out = []
    for number, priority in enumerate(draw(st.lists(st.integers(1, 50), unique=True, max_size=2))):
        source = draw(st.sampled_from([[], ["203.0.113.0/24"], ["10.0.0.0/8"], ["*"]]))
        out.append(
            {
                "id": f"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/networkManagers/nm/"
                f"securityAdminConfigurations/c/ruleCollections/rc/rules/A{number}",
                "kind": "Custom",
                "properties": {
                    "access": draw(st.sampled_from(["Allow", "Deny", "AlwaysAllow"])),
                    "direction": draw(st.sampled_from(["Inbound", "Outbound"])),
                    "priority": priority,
                    "protocol": draw(st.sampled_from(["Any", "Tcp", "Udp"])),
                    "sources": [{"addressPrefix": one, "addressPrefixType": "IPPrefix"} for one in source],
                    "destinations": [],
                    "sourcePortRanges": [],
                    "destinationPortRanges": draw(st.sampled_from([[], ["3389"], ["22"], ["0-65535"]])),
                },
            }
        )
    return out
