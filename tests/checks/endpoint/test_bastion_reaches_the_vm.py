"""Bastion sessions against the NSGs of the VM and the NSG and routes of Bastion's own subnet."""

import pytest

from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.report import Confidence, FindingStatus
from tests import factories as f
from tests.checks import surroundings as s
from tests.checks.judging import faults, finding

CHECK = "bastion_reaches_the_vm"
ALLOW = f.rule("Allow-Bastion", 200, source="10.0.9.0/26")
DENY = f.rule("Deny-RDP", 150, access="Deny", source="*")
BEHIND = (
    f.without_public_address,
    f.behind_bastion,
    f.security_rules(f.NIC_NSG, ALLOW),
    f.security_rules(f.SUBNET_NSG, ALLOW),
)
BASTION_NSG = f"{s.NET}/networkSecurityGroups/nsg-bastion"


def own_nsg(*rules: JsonObject) -> f.Change:
    """Puts an NSG on AzureBastionSubnet."""

    def change(data: JsonObject) -> None:
        subnets = data["resources"][f.VNET.lower()]["properties"]["subnets"]
        subnets[-1]["properties"]["networkSecurityGroup"] = {"id": BASTION_NSG}
        listed = {"securityRules": list(rules), "provisioningState": "Succeeded"}
        s.resource(BASTION_NSG, "Microsoft.Network/networkSecurityGroups", listed)(data)

    return change


def test_a_deny_of_the_target_catches_bastions_sessions() -> None:
    broken = (*BEHIND, f.security_rules(f.NIC_NSG, DENY, ALLOW))
    one = finding(CHECK, *broken)
    assert (one.status, one.fault) == (FindingStatus.FAIL, "bastion-target-nsg-blocks")
    assert "--source-address-prefixes 10.0.9.0/26" in (one.by_hand or "")
    assert faults(*broken) == {"bastion-target-nsg-blocks"}


def test_an_admitted_bastion_is_healthy() -> None:
    assert finding(CHECK, *BEHIND).status is FindingStatus.PASS
    assert faults(*BEHIND) == set()


def test_bastions_own_nsg_must_admit_its_control_plane() -> None:
    one = finding(CHECK, *BEHIND, own_nsg(f.rule("Allow-Web", 100, source="203.0.113.0/24", ports="443")))
    assert one.fault == "bastion-target-nsg-blocks"
    assert "GatewayManager" in (one.reason or "")
    closed = own_nsg(
        f.rule("Allow-GM", 100, source="GatewayManager", ports="443"),
        s.outbound("Deny-Out", 200, "Deny", "VirtualNetwork"),
    )
    assert "port 3389" in (finding(CHECK, *BEHIND, closed).reason or "")


def test_bastions_own_nsg_as_documented_is_healthy() -> None:
    documented = own_nsg(
        f.rule("Allow-GM", 100, source="GatewayManager", ports="443"),
        s.outbound("Allow-VNet", 200, "Allow", "VirtualNetwork"),
        s.outbound("Allow-Azure", 210, "Allow", "AzureCloud", "443"),
    )
    assert finding(CHECK, *BEHIND, documented).status is FindingStatus.PASS


def test_a_gateways_default_route_takes_azure_from_bastion() -> None:
    one = finding(CHECK, *BEHIND, s.routed("0.0.0.0/0", "VirtualNetworkGateway", source="VirtualNetworkGateway"))
    assert (one.fault, one.confidence) == ("bastion-forced-tunnel-or-dns", Confidence.LIKELY)


def test_an_unread_nsg_of_bastions_subnet_is_unknown() -> None:
    hidden = (*BEHIND, own_nsg(), f.hide("resource", BASTION_NSG))
    assert finding(CHECK, *hidden).status is FindingStatus.UNKNOWN


def test_without_a_bastion_the_question_does_not_arise() -> None:
    assert finding(CHECK).status is FindingStatus.SKIPPED


def linked(zone: str) -> f.Change:
    """Links a private DNS zone to the network that Bastion stands in."""
    link = f"{f.GROUP}/providers/Microsoft.Network/privateDnsZones/{zone}/virtualNetworkLinks/to-app"
    return f.operation("private_dns_links", f.VNET, {"value": [{"id": link, "name": "to-app"}]})


@pytest.mark.parametrize("zone", ["management.azure.com", "Vault.Azure.NET", "core.windows.net"])
def test_a_private_zone_named_like_azure_takes_bastions_names_away(zone: str) -> None:
    one = finding(CHECK, *BEHIND, linked(zone))
    assert (one.fault, one.confidence) == ("bastion-forced-tunnel-or-dns", Confidence.LIKELY)
    assert zone.lower() in (one.reason or "")


@pytest.mark.parametrize("zone", ["privatelink.blob.core.windows.net", "corp.example.com", "privatelink.azure.com"])
def test_other_private_zones_do_no_harm(zone: str) -> None:
    assert finding(CHECK, *BEHIND, linked(zone)).status is FindingStatus.PASS


@pytest.mark.parametrize(
    "change",
    [
        f.hide("private_dns_links", f.VNET),
        f.operation("private_dns_links", f.VNET, {"value": [{"id": "no zone"}]}),
        f.put("operations", "private_dns_links", value={}),
    ],
)
def test_zones_that_were_not_read_are_unknown(change: f.Change) -> None:
    assert finding(CHECK, *BEHIND, change).status is FindingStatus.UNKNOWN
