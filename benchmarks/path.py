"""Path decisions per second on one core, with 200 rules in each of two NSGs that are compiled once."""

import random
import time
from collections.abc import Callable
from typing import Any

from benchmarks.pattern import DEFAULTS, Resource, Rule
from benchmarks.tables import Section
from rdp_remediate.facts.network import parse_network
from rdp_remediate.facts.network_addresses import address_number
from rdp_remediate.facts.network_model import NetworkFacts
from rdp_remediate.network.decision import Flow
from rdp_remediate.network.explain import explain
from rdp_remediate.network.path import decide, network

RULES, FLOWS, EXPLAINED = 200, 50_000, 500
WANTED_PER_S = 20_000
_GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-bench/providers"
_NET = f"{_GROUP}/Microsoft.Network"
_VM, _NIC = f"{_GROUP}/Microsoft.Compute/virtualMachines/vm1", f"{_NET}/networkInterfaces/nic1"
_VNET, _IP = f"{_NET}/virtualNetworks/vnet1", f"{_NET}/publicIPAddresses/pip1"
_ADDRESS = "20.50.1.4"


def bundle(rules: int, seed: int) -> Resource:
    """A VM with a public address behind two NSGs of so many random rules each."""
    chance = random.Random(seed)  # noqa: S311 - no secret, the same rules in every run
    groups = {f"{_NET}/networkSecurityGroups/{name}": _nsg(f"{_NET}/networkSecurityGroups/{name}", rules, chance)
              for name in ("of-subnet", "of-nic")}  # fmt: skip
    subnet, nic_group = f"{_VNET}/subnets/snet1", f"{_NET}/networkSecurityGroups/of-nic"
    configuration = {
        "privateIPAddress": "10.0.0.4", "primary": True, "subnet": {"id": subnet}, "publicIPAddress": {"id": _IP},
    }  # fmt: skip
    found: dict[str, dict[str, Any]] = {
        _VM: {"networkProfile": {"networkInterfaces": [{"id": _NIC}]}},
        _NIC: {
            "virtualMachine": {"id": _VM},
            "networkSecurityGroup": {"id": nic_group},
            "ipConfigurations": [{"id": f"{_NIC}/ipConfigurations/one", "name": "one", "properties": configuration}],
        },
        _VNET: {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            "subnets": [
                {
                    "id": subnet,
                    "name": "snet1",
                    "properties": {
                        "addressPrefix": "10.0.0.0/24",
                        "networkSecurityGroup": {"id": f"{_NET}/networkSecurityGroups/of-subnet"},
                    },
                }
            ],
            "virtualNetworkPeerings": [],
        },
        _IP: {"ipAddress": _ADDRESS, "ipConfiguration": {"id": f"{_NIC}/ipConfigurations/one"}},
        **groups,
    }
    resources = {key: {"id": key, "properties": properties} for key, properties in found.items()}
    resources[_IP]["sku"] = {"name": "Standard"}
    return {
        "target": {"vm_id": _VM},
        "resources": resources,
        "operations": {"effective_admin_rules": {_VNET: {"value": []}}},
    }


def _nsg(own_id: str, rules: int, chance: random.Random) -> Resource:
    made = [
        Rule(
            f"r{k}",
            100 + k,
            chance.choice(("Allow", "Allow", "Deny")),
            f"{chance.randrange(1, 224)}.{chance.randrange(256)}.0.0/{chance.choice((16, 20, 24))}",
            chance.choice(("3389", "443", "*", "3000-4000", "22")),
        ).resource(own_id)
        for k in range(rules - 1)
    ]
    made.append(Rule("wide", 4000, "Allow", "128.0.0.0/2", "3389").resource(own_id))
    return {
        "securityRules": made,
        "defaultSecurityRules": [rule.resource(own_id, default=True) for rule in DEFAULTS],
    }


def _flows(count: int) -> list[Flow]:
    chance = random.Random(7)  # noqa: S311 - no secret
    clients = [".".join(str(chance.randrange(1, 224)) for _ in range(4)) for _ in range(count)]
    return [Flow(client, _ADDRESS, 3389, vm_id=_VM) for client in clients]


def _timed(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def measure() -> Section:
    """Measures and compares in one run; three rounds, the best counts."""
    raw = bundle(RULES, 1)
    parse_s = min(_timed(lambda: parse_network(raw)) for _ in range(3))
    flows = _flows(FLOWS)

    def first(facts: NetworkFacts) -> float:
        return _timed(lambda: decide(facts, flows[0]))

    compile_s = min(first(parse_network(raw)) for _ in range(3))
    decided, explained = [], []
    verdicts: dict[str, int] = {}
    for _ in range(3):
        facts = parse_network(raw)
        network(facts)
        decide(facts, flows[0])
        verdicts.clear()
        address_number.cache_clear()  # the text of every client is read anew in every round
        began = time.process_time()
        for flow in flows:
            verdict = decide(facts, flow).verdict.value
            verdicts[verdict] = verdicts.get(verdict, 0) + 1
        decided.append(FLOWS / (time.process_time() - began))
        began = time.process_time()
        for flow in flows[:EXPLAINED]:
            explain(facts, flow)
        explained.append(EXPLAINED / (time.process_time() - began))
    per_s, told_per_s = max(decided), max(explained)
    section = Section(
        "Path decisions",
        f"{FLOWS:,} flows from random clients to one VM behind two NSGs of {RULES} rules each, one core, CPU "
        "time, best of three.",
        [
            ("what", "per second", "µs each", "of decide()"),
            ("decide()", f"{per_s:,.0f}", f"{1e6 / per_s:,.1f}", "1.0"),
            (
                "explain(), the whole trace",
                f"{told_per_s:,.0f}",
                f"{1e6 / told_per_s:,.1f}",
                f"{per_s / told_per_s:,.0f}",
            ),
            (
                "reading the JSON of both NSGs",
                f"{1 / parse_s:,.0f}",
                f"{1e6 * parse_s:,.0f}",
                f"{per_s * parse_s:,.0f}",
            ),
            (
                "compiling and the first decision",
                f"{1 / compile_s:,.0f}",
                f"{1e6 * compile_s:,.0f}",
                f"{per_s * compile_s:,.0f}",
            ),
        ],
        [f"Verdicts: {', '.join(f'{name} {count:,}' for name, count in sorted(verdicts.items()))}."],
    )
    section.target(f"at least {WANTED_PER_S:,} decisions per second", met=per_s >= WANTED_PER_S)
    return section
