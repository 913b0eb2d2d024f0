"""Classic VMs: endpoints and their ACLs, in the bundle's shape and as PowerShell exports them."""

from typing import Any

import pytest

from rdp_remediate.facts.network import parse_network
from rdp_remediate.network.decision import Decision, Flow
from rdp_remediate.network.path import decide
from rdp_remediate.network.rule_plan import plan_rule
from rdp_remediate.network.rule_request import RuleRequest

VM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ClassicCompute/virtualMachines/old"
VIP, PRIVATE, CLIENT = "52.1.1.40", "10.1.2.4", "203.0.113.7"


def ask(
    acls: Any, *, dialled: str = VIP, port: int = 50212, client: str = CLIENT, endpoints: Any = None, **profile: Any
) -> Decision:
    listed = [{"endpointName": "RDP", "privatePort": 3389, "publicPort": 50212, "protocol": "tcp"}]
    properties = {
        "instanceView": {"status": "ReadyRole", "publicIpAddresses": [VIP], "privateIpAddress": PRIVATE},
        "networkProfile": {"inputEndpoints": listed if endpoints is None else endpoints, **profile},
    }
    raw = {
        "target": {"vm_id": VM},
        "resources": {
            VM.lower(): {"id": VM, "type": "Microsoft.ClassicCompute/virtualMachines", "properties": properties}
        },
        "operations": {} if acls is None else {"classic_endpoint_acls": {VM.lower(): acls}},
    }
    return decide(parse_network(raw), Flow(client, dialled, port))


def said(decision: Decision) -> tuple[str, list[tuple[str, str]]]:
    return decision.verdict.value, [(one.layer.value, one.rule) for one in decision.deciders]


def row(order: Any, action: str, subnet: str) -> dict[str, Any]:
    return {"order": order, "action": action, "remoteSubnet": subnet}


@pytest.mark.parametrize(
    ("acl", "expected"),
    [
        ([], ("ALLOW", [("acl", "implicit-permit")])),
        ([row(1, "deny", "198.51.100.0/24")], ("ALLOW", [("acl", "implicit-permit")])),
        ([row(1, "permit", "198.51.100.0/24")], ("DENY", [("acl", "implicit-deny")])),
        ([row(2, "deny", "203.0.113.0/24"), row(1, "permit", "203.0.113.7/32")], ("ALLOW", [("acl", "1")])),
        ([row(1, "perhaps", "203.0.113.0/24")], ("INDETERMINATE", [("acl", "1"), ("acl", "implicit-permit")])),
        ([row(1, "deny", "somewhere")], ("INDETERMINATE", [("acl", "1"), ("acl", "implicit-permit")])),
    ],
)
def test_acl(acl: list[dict[str, Any]], expected: tuple[str, list[tuple[str, str]]]) -> None:
    assert said(ask({"RDP": acl})) == expected


def test_exported_endpoints_with_powershell_names() -> None:
    acl = [{"Order": 1, "Action": "Deny", "RemoteSubnet": "203.0.113.0/24", "Description": "office"}]
    exported = [{"Name": "RDP", "LocalPort": 3389, "Port": 50212, "Protocol": "tcp", "Acl": acl}]
    assert said(ask(exported)) == ("DENY", [("acl", "1")])
    assert said(ask({"endpoints": exported}, endpoints="not shown")) == ("DENY", [("acl", "1")])


def test_what_the_evidence_does_not_show_is_not_empty() -> None:
    assert said(ask(None)) == ("INDETERMINATE", [("classic", "acl-not-visible")])
    assert said(ask({"Other": []})) == ("INDETERMINATE", [("classic", "acl-not-visible")])
    assert ask(None, endpoints="not shown").verdict.value == "INDETERMINATE"


def test_public_port_without_endpoint_leads_nowhere() -> None:
    assert said(ask({"RDP": []}, port=3389)) == ("NO_PATH", [("classic", "no-endpoint")])
    assert said(ask({"RDP": []}, dialled="52.9.9.9", port=1)) == ("NO_PATH", [("path", "no-public-entry")])


def test_decision_names_the_private_port() -> None:
    assert ask({"RDP": []}).port == 3389


def test_private_traffic_needs_no_endpoint_and_passes_no_acl() -> None:
    acl = {"RDP": [row(1, "deny", "0.0.0.0/0")]}
    assert said(ask(acl, dialled=PRIVATE, client="10.1.3.7")) == ("ALLOW", [("classic", "private-network")])
    assert said(ask(acl, dialled=PRIVATE)) == ("NO_PATH", [("path", "no-public-entry")])


def test_nsg_or_instance_address_of_the_classic_network_is_not_evaluated() -> None:
    assert ask({"RDP": []}, networkSecurityGroup={"id": "/x/nsg"}).verdict.value == "INDETERMINATE"
    assert ask({"RDP": []}, dialled="52.1.1.50", instanceIps=["52.1.1.50"]).verdict.value == "INDETERMINATE"


def test_no_rule_is_planned_for_a_classic_vm() -> None:
    resource = {"id": VM, "type": "Microsoft.ClassicCompute/virtualMachines", "properties": {}}
    network = parse_network({"target": {"vm_id": VM}, "resources": {VM.lower(): resource}})
    plan = plan_rule(network, RuleRequest((CLIENT,)))
    assert plan.refusal is not None
    assert plan.refusal.code == "REFUSE_NO_PATH"
