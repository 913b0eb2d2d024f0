"""Properties of planned rules over random NSGs.

The oracle of the slot works on the raw JSON with `ipaddress`, rule by rule; the oracle of what a rule opens is the
lab's own walk. Neither shares code with the planner.
"""

import copy
import ipaddress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rdp_remediate.facts.network import parse_network
from rdp_remediate.lab.packets import walk
from rdp_remediate.network.rule_plan import RulePlan, plan_rule
from rdp_remediate.network.rule_request import RuleRequest
from tests.network.arm_network import (
    NET,
    NIC_NSG,
    PRIVATE,
    PUBLIC,
    SUBNET_NSG,
    VM,
    Json,
    bundle,
    ip_configuration,
    lab_evidence,
    resource,
    system_routes,
)
from tests.network.strategies import rules, thorough

OTHER_VM, OTHER_NIC = VM.replace("vm-app", "vm-other"), f"{NET}/networkInterfaces/nic-other"
OTHER_PRIVATE, OTHER_PUBLIC = "10.1.2.5", "52.10.20.31"
SOURCES = ["203.0.113.7/32", "203.0.113.0/24", "203.0.113.128/25", "198.51.100.9/32", "198.51.100.0/24"]
POINTS = ["203.0.113.0", "203.0.113.3", "203.0.113.4", "203.0.113.6", "203.0.113.7", "203.0.113.8", "203.0.113.127",
          "203.0.113.128", "203.0.113.255", "203.0.112.255", "203.0.114.0", "198.51.100.0", "198.51.100.9",
          "198.51.101.0", "8.8.8.8", "10.1.3.7"]  # fmt: skip

sources = st.lists(st.sampled_from(SOURCES), min_size=1, max_size=2, unique=True)


def _neighbour() -> list[Json]:
    """A second VM in the same subnet with a public address of its own."""
    pip = f"{NET}/publicIPAddresses/pip-other"
    own = ip_configuration(OTHER_NIC, "ipconfig1", OTHER_PRIVATE, publicIPAddress={"id": pip})
    return [
        resource(OTHER_NIC, "networkInterfaces", {"virtualMachine": {"id": OTHER_VM}, "ipConfigurations": [own]}),
        resource(
            pip,
            "publicIPAddresses",
            {"ipAddress": OTHER_PUBLIC, "ipConfiguration": {"id": own["id"]}},
            sku={"name": "Standard"},
        ),
        {
            **resource(OTHER_VM, "x", {"networkProfile": {"networkInterfaces": [{"id": OTHER_NIC}]}}),
            "type": "Microsoft.Compute/virtualMachines",
        },
    ]


def _network(subnet: list[Json] | None, nic: list[Json] | None) -> Json:
    routes = system_routes()
    return bundle(
        subnet_rules=subnet,
        nic_rules=nic,
        extra=_neighbour(),
        effective_routes=routes,
        operations={"effective_routes": {OTHER_NIC.lower(): {"value": routes}}},
    )


def _written(raw: Json, plan: RulePlan) -> Json:
    """The evidence after the child PUTs of the plan."""
    out: Json = copy.deepcopy(raw)
    for one in plan.rules:
        listed = out["resources"][one.nsg_id.lower()]["properties"]["securityRules"]
        listed.append({"name": one.name, "id": one.rule_id, "properties": one.body["properties"]})
    return out


def _evidence(raw: Json) -> Any:
    raw["operations"]["effective_routes"][OTHER_NIC.lower()] = {"value": system_routes()}
    return lab_evidence(raw)


@thorough
@given(nsgs=st.tuples(st.none() | rules(6), rules(6)), allow=sources, override=st.booleans())
def test_a_plan_admits_its_sources_and_nothing_else(
    nsgs: tuple[list[Json] | None, list[Json]], allow: list[str], override: bool
) -> None:
    raw = _network(*nsgs)
    plan = plan_rule(parse_network(raw), RuleRequest(tuple(allow), override_deny=override))
    if plan.refusal is not None:
        assert plan.rules == ()
        return
    assert all(proof.holds for proof in plan.proof)
    before, after = _evidence(raw), _evidence(_written(raw, plan))
    networks = [ipaddress.ip_network(text) for text in allow]
    for point in POINTS:
        inside = any(ipaddress.ip_address(point) in network for network in networks)
        for vm, public, private in ((VM, PUBLIC, PRIVATE), (OTHER_VM, OTHER_PUBLIC, OTHER_PRIVATE)):
            dialled = private if point.startswith("10.") else public
            for port in (3389, 22, 3390) if vm == VM else (3389,):
                now = walk(after, vm, point, dialled, port).verdict
                if inside and vm == VM and port == 3389:
                    assert now.value == "ALLOW"
                else:
                    assert now is walk(before, vm, point, dialled, port).verdict, (point, vm, port)


def _covers(values: list[str], network: ipaddress.IPv4Network) -> bool:
    """Whether a rule's addresses have one in common with the network (VirtualNetwork = 10.1/16, 10.9/16)."""
    tags = {
        "*": ["0.0.0.0/0"],
        "Internet": ["203.0.113.0/24", "198.51.100.0/24", "8.0.0.0/8"],
        "VirtualNetwork": ["10.1.0.0/16", "10.9.0.0/16", "168.63.129.16"],
        "AzureLoadBalancer": ["168.63.129.16"],
    }
    spelled = [part for value in values for part in tags.get(value, [value])]
    return any(ipaddress.IPv4Network(part, strict=False).overlaps(network) for part in spelled)


def _both(p: Json, singular: str, plural: str) -> list[str]:
    return [value for value in [p.get(singular), *(p.get(plural) or [])] if value]


def _has_port(values: list[str]) -> bool:
    for value in values:
        first, _, last = ("0-65535" if value == "*" else value).partition("-")
        if int(first) <= 3389 <= int(last or first):
            return True
    return False


def _oracle(listed: list[Json], allow: list[str]) -> tuple[int | None, bool]:
    """The slot of network-semantics §7.3, and whether a written deny is in the way."""
    networks = [ipaddress.IPv4Network(text) for text in allow]
    denies = []
    for one in listed:
        p = one["properties"]
        if p["direction"] != "Inbound" or p["access"] != "Deny" or p["protocol"].lower() not in ("tcp", "*"):
            continue
        if p["sourcePortRange"] == "1-1023" or not _has_port(_both(p, "destinationPortRange", "destinationPortRanges")):
            continue
        if not _covers(_both(p, "destinationAddressPrefix", "destinationAddressPrefixes"),
                       ipaddress.IPv4Network(PRIVATE)):  # fmt: skip
            continue
        named = _both(p, "sourceAddressPrefix", "sourceAddressPrefixes")
        if any(_covers(named, network) for network in networks):
            denies.append(p["priority"])
    top = min(denies, default=4097)
    used = {one["properties"]["priority"] for one in listed if one["properties"]["direction"] == "Inbound"}
    free = [p for p in range(120, top) if p not in used] or [p for p in range(100, min(top, 120)) if p not in used]
    return (max(free) if free else None), bool(denies)


@thorough
@given(nic=rules(8), allow=sources, override=st.booleans())
def test_a_rule_is_found_exactly_when_there_is_a_slot(nic: list[Json], allow: list[str], override: bool) -> None:
    raw = _network(None, nic)
    plan = plan_rule(parse_network(raw), RuleRequest(tuple(allow), override_deny=override))
    evidence = _evidence(raw)
    networks = [ipaddress.ip_network(text) for text in allow]
    closed = [
        point
        for point in POINTS
        if any(ipaddress.ip_address(point) in network for network in networks)
        and walk(evidence, VM, point, PUBLIC, 3389).verdict.value != "ALLOW"
    ]
    slot, deny = _oracle(nic, allow)
    if not closed:
        assert plan.rules == ()
        assert plan.refusal is None
    elif deny and not override:
        assert plan.refusal is not None
        assert plan.refusal.code == "REFUSE_EXPLICIT_DENY"
    elif slot is None:
        assert plan.refusal is not None
        assert plan.refusal.code == "NO_SLOT"
    else:
        assert [one.priority for one in plan.rules] == [slot]


@thorough
@given(nic=rules(4), allow=sources)
def test_planning_twice_gives_the_same_and_then_nothing(nic: list[Json], allow: list[str]) -> None:
    raw = _network(None, nic)
    request = RuleRequest(tuple(allow), override_deny=True, run_id="run-1")
    first, again = plan_rule(parse_network(raw), request), plan_rule(parse_network(raw), request)
    assert first == again
    if first.refusal is None and first.rules:
        settled = plan_rule(parse_network(_written(raw, first)), request)
        assert settled.refusal is None
        assert settled.rules == ()


def test_both_layers_are_written_nic_first() -> None:
    plan = plan_rule(parse_network(_network([], [])), RuleRequest(("203.0.113.7",)))
    assert [one.nsg_id for one in plan.rules] == [NIC_NSG, SUBNET_NSG]
    assert {one.priority for one in plan.rules} == {4096}
    assert [proof.holds for proof in plan.proof] == [True, True]
