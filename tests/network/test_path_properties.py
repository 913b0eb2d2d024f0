"""Properties of the path engine over random networks; the lab's own literal walk is the oracle."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rdp_remediate.facts.network import parse_network
from rdp_remediate.lab.packets import walk
from rdp_remediate.network.decision import Flow, Verdict
from rdp_remediate.network.explain import explain
from rdp_remediate.network.path import decide
from tests.network.arm_network import (
    NIC_NSG,
    PRIVATE,
    PUBLIC,
    SUBNET_NSG,
    VM,
    bundle,
    lab_evidence,
    route,
    rule,
    system_routes,
)
from tests.network.strategies import admin_rules, clients, layers, rules, thorough

skus = st.sampled_from(["Standard", "Basic"])
more_routes = st.lists(
    st.sampled_from(
        [
            route("203.0.113.0/24", "VirtualNetworkGateway", "VirtualNetworkGateway"),
            route("203.0.113.0/25", "Internet", "User"),
            route("203.0.113.7/32", "VirtualAppliance", "User"),
            route("10.1.3.0/24", "None", "User"),
            route("192.168.50.0/24", "VirtualNetworkGateway", "VirtualNetworkGateway"),
            route("198.51.100.0/24", "None", "User"),
        ]
    ),
    max_size=3,
    unique_by=lambda one: one["addressPrefix"][0],
)


def _dial(client: str) -> str:
    """Clients inside dial the private address, those outside the public one."""
    return PRIVATE if client.startswith(("10.", "172.")) else PUBLIC


@thorough
@given(nsgs=st.tuples(layers, layers), sku=skus, admin=admin_rules(), routes=more_routes, client=clients)
def test_agrees_with_the_labs_walk(
    nsgs: tuple[Any, Any], sku: str, admin: list[Any], routes: list[Any], client: str
) -> None:
    raw = bundle(
        subnet_rules=nsgs[0], nic_rules=nsgs[1], sku=sku, admin=admin, effective_routes=[*system_routes(), *routes]
    )
    landing = walk(lab_evidence(raw), VM, client, _dial(client), 3389)
    decision = decide(parse_network(raw), Flow(client, _dial(client), 3389))
    if landing.verdict.value == "INDETERMINATE":
        assert decision.verdict is not Verdict.ALLOW
    elif decision.verdict is not Verdict.INDETERMINATE:
        assert decision.verdict.value == landing.verdict.value
    else:
        # AlwaysAllow on a Standard address without any NSG is not documented: the engine says so.
        assert any(one.rule == "standard-no-nsg" for one in decision.deciders)


@thorough
@given(subnet=layers, nic=layers, admin=admin_rules(), client=clients, port=st.sampled_from([3389, 22, 3390, 443]))
def test_trace_agrees_with_the_decision(
    subnet: list[Any] | None, nic: list[Any] | None, admin: list[Any], client: str, port: int
) -> None:
    network = parse_network(bundle(subnet_rules=subnet, nic_rules=nic, admin=admin))
    flow = Flow(client, _dial(client), port)
    told, quick = explain(network, flow).decision, decide(network, flow)
    assert (told.verdict, set(told.deciders)) == (quick.verdict, set(quick.deciders))


@thorough
@given(data=st.data(), nic=rules(), client=clients)
def test_the_order_of_rules_in_the_answer_is_irrelevant(data: st.DataObject, nic: list[Any], client: str) -> None:
    shuffled = data.draw(st.permutations(nic))
    flow = Flow(client, _dial(client))
    first = decide(parse_network(bundle(nic_rules=nic)), flow)
    second = decide(parse_network(bundle(nic_rules=shuffled)), flow)
    assert (first.verdict, first.deciders) == (second.verdict, second.deciders)


@thorough
@given(nic=rules(directions=("Inbound",)), client=clients, access=st.sampled_from(["Allow", "Deny"]))
def test_a_rule_below_the_decider_changes_nothing(nic: list[Any], client: str, access: str) -> None:
    flow = Flow(client, _dial(client))
    before = decide(parse_network(bundle(nic_rules=nic)), flow)
    deciding = [row.priority or 0 for row in explain(parse_network(bundle(nic_rules=nic)), flow).trace if row.decides]
    lowest = max(deciding, default=0)
    free = [p for p in range(lowest + 1, 4097) if p not in {one["properties"]["priority"] for one in nic}]
    if lowest >= 4096 or not free:
        return
    after = decide(
        parse_network(bundle(nic_rules=[*nic, rule("Below", free[-1], access, protocol="*", port="*")])), flow
    )
    assert (before.verdict, before.deciders) == (after.verdict, after.deciders)


def _other_spelling(one: dict[str, Any]) -> dict[str, Any]:
    """The same rule with every singular field written as a plural one and the other way round."""
    out = copy.deepcopy(one)
    p = out["properties"]
    for singular in ("sourceAddressPrefix", "destinationAddressPrefix", "destinationPortRange", "sourcePortRange"):
        plural = f"{singular}es" if singular.endswith("Prefix") else f"{singular}s"
        if p.get(singular):
            p[plural], p[singular] = [p[singular]], ""
        elif len(p.get(plural) or ()) == 1:
            p[singular], p[plural] = p[plural][0], []
        elif p.get(plural):
            p[singular], p[plural] = p[plural][0], p[plural][1:]
    return out


@thorough
@given(nic=rules(), client=clients)
def test_singular_and_plural_spellings_are_equal(nic: list[Any], client: str) -> None:
    flow = Flow(client, _dial(client))
    first = decide(parse_network(bundle(nic_rules=nic)), flow)
    second = decide(parse_network(bundle(nic_rules=[_other_spelling(one) for one in nic])), flow)
    assert (first.verdict, first.deciders) == (second.verdict, second.deciders)


@thorough
@given(data=st.data(), nsgs=st.tuples(layers, layers), admin=admin_rules(), routes=more_routes, client=clients)
def test_hiding_evidence_never_allows(
    data: st.DataObject, nsgs: tuple[Any, Any], admin: list[Any], routes: list[Any], client: str
) -> None:
    raw = bundle(subnet_rules=nsgs[0], nic_rules=nsgs[1], admin=admin, effective_routes=[*system_routes(), *routes],
                 gateway=True)  # fmt: skip
    flow = Flow(client, _dial(client))
    before = decide(parse_network(raw), flow)
    if before.verdict not in (Verdict.DENY, Verdict.INDETERMINATE):
        return
    keys = [("resources", key) for key in raw["resources"]]
    keys += [(name, key) for name, answers in raw["operations"].items() for key in answers]
    hidden = copy.deepcopy(raw)
    for where, key in data.draw(st.lists(st.sampled_from(keys), min_size=1, max_size=3, unique=True)):
        del (hidden["resources"] if where == "resources" else hidden["operations"][where])[key]
    assert decide(parse_network(hidden), flow).verdict is not Verdict.ALLOW


@thorough
@given(nic=rules(directions=("Inbound",)), client=clients)
def test_the_same_nsg_on_both_layers_decides_as_on_one(nic: list[Any], client: str) -> None:
    flow = Flow(client, _dial(client))
    one = decide(parse_network(bundle(nic_rules=nic)), flow)
    raw = bundle(subnet_rules=nic)
    raw["resources"][SUBNET_NSG.lower()]["id"] = SUBNET_NSG
    both = bundle(subnet_rules=nic, nic_rules=nic)
    assert NIC_NSG.lower() in both["resources"]
    assert decide(parse_network(both), flow).verdict is one.verdict
    assert decide(parse_network(raw), flow).verdict is one.verdict
