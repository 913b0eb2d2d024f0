"""The tunnel of the client's network: down, up, one of two, and not seen."""

import pytest

from rdp_remediate.models.base import JsonObject
from tests import factories as f
from tests.checks import surroundings as s
from tests.checks.judging import diagnosis, finding
from tests.factories import Change

CHECK = "gateway_connections_stand"
GATEWAY = f"{s.NET}/virtualNetworkGateways/vpn-app"
OFFICE = "192.168.7.20"
ASKED = (
    f.without_public_address,
    f.target(client_address=OFFICE, entry="vpn"),
    f.policy(sources=["192.168.7.0/24"]),
)


def gateway(*statuses: str | None, kind: str = "IPsec") -> Change:
    """A gateway in the VM's network with connections of these states."""

    def change(data: JsonObject) -> None:
        subnet = {"name": "GatewaySubnet", "id": f"{f.VNET}/subnets/GatewaySubnet"}
        subnet["properties"] = {"addressPrefix": "10.0.8.0/27"}  # type: ignore[assignment]
        data["resources"][f.VNET.lower()]["properties"]["subnets"].append(subnet)
        body = {"ipConfigurations": [{"properties": {"subnet": {"id": subnet["id"]}}}]}
        s.resource(GATEWAY, "Microsoft.Network/virtualNetworkGateways", body)(data)
        ids = [f"{s.NET}/connections/to-office-{number}" for number in range(len(statuses))]
        for one, status in zip(ids, statuses, strict=True):
            shown = {} if status is None else {"connectionStatus": status}
            own = {"connectionType": kind, "virtualNetworkGateway1": {"id": GATEWAY}, **shown}
            s.resource(one, "Microsoft.Network/connections", own)(data)
        f.operation("gateway_connections", GATEWAY, {"value": [{"id": one} for one in ids]})(data)

    return change


def routed(data: JsonObject) -> None:
    """The NIC's effective routes lead to the office by the gateway."""
    way = {
        "source": "VirtualNetworkGateway",
        "state": "Active",
        "addressPrefix": ["192.168.7.0/24"],
        "nextHopType": "VirtualNetworkGateway",
        "nextHopIpAddress": ["10.0.8.4"],
    }
    data["operations"]["effective_routes"][f.NIC.lower()]["value"].append(way)


@pytest.mark.parametrize("statuses", [("NotConnected",), ("Connecting", "NotConnected")])
def test_without_a_connection_that_stands_nobody_comes_through(statuses: tuple[str, ...]) -> None:
    found = diagnosis(*ASKED, gateway(*statuses))
    one = next(one for one in found.findings if one.check == CHECK)
    assert (one.fault, one.confidence) == ("edge-vpn-or-expressroute-down", "confirmed")
    assert (found.verdict.status, found.verdict.hop) == ("broken", "edge")
    assert "to-office-0" in (one.by_hand or "")


def test_a_connection_that_stands_is_healthy() -> None:
    assert finding(CHECK, *ASKED, gateway("Connected")).status == "pass"


def test_one_of_two_that_is_down_explains_only_a_client_that_no_route_leads_to() -> None:
    two = gateway("Connected", "NotConnected")
    one = finding(CHECK, *ASKED, two)
    assert (one.fault, one.confidence) == ("edge-vpn-or-expressroute-down", "likely")
    assert finding(CHECK, *ASKED, two, routed).status == "pass"


@pytest.mark.parametrize(
    "changes",
    [
        (gateway("NotConnected"), f.hide("gateway_connections", GATEWAY)),
        (gateway("NotConnected"), f.hide("resource", f"{s.NET}/connections/to-office-0")),
        (gateway("Connected", "NotConnected"), f.hide("effective_routes", f.NIC)),
        (gateway("Unknown"),),
        (gateway(None),),
        (gateway(),),
        (gateway("NotConnected", kind="VPNClient"),),
    ],
)
def test_what_is_not_seen_is_unknown(changes: tuple[Change, ...]) -> None:
    assert finding(CHECK, *ASKED, *changes).status == "unknown"


@pytest.mark.parametrize(
    "changes",
    [
        (gateway("NotConnected"),),  # the client of the healthy bundle comes over the Internet
        (f.without_public_address, f.target(client_address="10.0.0.77", entry="vnet"), gateway("NotConnected")),
        ASKED,
    ],
)
def test_a_client_that_does_not_come_through_a_gateway_is_no_question(changes: tuple[Change, ...]) -> None:
    assert finding(CHECK, *changes).status == "skipped"
