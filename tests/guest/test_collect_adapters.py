"""The collector's section adapters and what it says about the firewall beyond its rules, on simulated Windows."""

from typing import Any

import pytest

from rdp_remediate.guest.protocol import decode_answer
from rdp_remediate.guest.scripts import collect_script
from tests.guest.on_winps import collect, set_
from tests.winps import Winps, vectors

pytestmark = pytest.mark.slow

USUAL = {"name": "Ethernet", "status": "Up", "dhcp": True, "gateways": ["10.0.0.1"], "routes": [], "static_dns": [],
         "sources": None}  # fmt: skip


def of_vector(file: str, name: str) -> dict[str, Any]:
    scenario = next((one for one in vectors(file) if one["name"] == name), None)
    if scenario is None:
        pytest.skip("the vectors are in ../shared/vectors, which is not part of the repository")
    return {"base": scenario["base"], "ops": scenario["guest"]}


def test_a_healthy_computer_tells_little(winps: Winps) -> None:
    for base in ("server2022", "server2022-domain", "win11"):
        answer = collect(winps, winps.state(base)).answer
        section = answer["adapters"]
        assert section.pop("nics") == [USUAL]
        assert section == {
            "ghosts": 0, "proxy": None, "domain_lookup": None, "netvsc": None, "crashed_driver": None, "blocked": [],
            "wireserver": {},
        }  # fmt: skip
        assert (answer["firewall"]["ipsec"], answer["firewall"]["outbound"], answer["firewall"]["products"]) == (
            [],
            [],
            [],
        )


def test_constrained_language_reads_all_but_events(winps: Winps) -> None:
    answer = collect(winps, winps.state("server2022"), slice_=2, constrained=True).answer
    assert answer["adapters"]["nics"] == [USUAL]
    assert {"fact": "adapters.blocked", "reason": "not_supported"}.items() <= next(
        one for one in answer["unavailable"] if one["fact"] == "adapters.blocked"
    ).items()


@pytest.mark.parametrize(
    ("file", "name", "told"),
    [
        ("guest_network", "GN01a", {"nics": [{**USUAL, "status": "Disabled", "dhcp": None, "gateways": []}]}),
        ("guest_network", "GN01n", {"nics": [{**USUAL, "status": "Disconnected", "gateways": []}]}),
        ("guest_network", "GN05a", {"nics": [{**USUAL, "dhcp": False, "gateways": []}]}),
        ("guest_network", "GN05n", {"nics": [{**USUAL, "routes": ["172.16.0.0/12 192.168.1.1"]}]}),
        ("guest_network", "GN06a", {"nics": [{**USUAL, "dhcp": False, "sources": ["10.0.0.20", "10.0.0.4"]}]}),
        ("guest_network", "GN07a", {"netvsc": "10.0.14393.594"}),
        ("guest_network", "GN07n", {"netvsc": None}),
        ("guest_network", "GN08a", {"ghosts": 8}),
        ("guest_network", "GN08n", {"ghosts": 0}),
        ("compound", "CC09", {"ghosts": 2}),
        ("guest_network", "GN09a", {"crashed_driver": "mlx5"}),
        ("guest_network", "GN12a", {"proxy": {"server": "proxy.contoso.com:8080", "bypass": ""}}),
        ("guest_network", "GN11a", {"domain_lookup": "DNS_ERROR_RCODE_NAME_ERROR"}),
        ("guest_network", "GN11n", {"domain_lookup": None, "nics": [{**USUAL, "static_dns": ["10.0.0.53"]}]}),
        ("guest_network", "GN13n", {"blocked": []}),
    ],
)
def test_what_is_wrong_is_told(winps: Winps, file: str, name: str, told: dict[str, Any]) -> None:
    answer = collect(winps, of_vector(file, name)).answer
    assert told.items() <= answer["adapters"].items()


def test_a_blocked_connection_to_the_rdp_port_is_told_with_its_filter(winps: Winps) -> None:
    state = of_vector("guest_network", "GN13n")
    event = state["ops"][-1]["append"]
    event["data"] = {**event["data"], "DestPort": "3389"}
    blocked = collect(winps, state).answer["adapters"]["blocked"]
    assert [(one["event_id"], one["source"], one["origin"]) for one in blocked] == [
        (5157, "203.0.113.7", "ESET Personal Firewall filter")
    ]
    event["data"] = {**event["data"], "FilterOrigin": "RemoteDesktop-UserMode-In-TCP"}
    assert collect(winps, state).answer["adapters"]["blocked"][0]["origin"] == ""
    event["data"] = {**event["data"], "Direction": "%%14593"}
    assert collect(winps, state).answer["adapters"]["blocked"] == []


def test_rules_that_require_authentication_and_outbound_rules_are_told(winps: Winps) -> None:
    required = collect(winps, of_vector("guest_firewall", "GF11a")).answer
    assert [rule["remote_addresses"] for rule in required["firewall"]["ipsec"]] == [["Any"]]
    assert [one["event_id"] for one in required["adapters"]["blocked"]] == [4653]
    assert collect(winps, of_vector("guest_firewall", "GF11n")).answer["firewall"]["ipsec"] == []
    outbound = collect(winps, of_vector("guest_firewall", "GF14a")).answer["firewall"]["outbound"]
    assert [rule["name"] for rule in outbound if "lsass" in rule["program"]] == []
    assert collect(winps, of_vector("guest_firewall", "GF10a")).answer["firewall"]["products"] == ["Norton 360"]


def test_what_fails_is_named_and_the_rest_arrives(winps: Winps) -> None:
    script = collect_script()
    for command, fact in (("Get-NetRoute", "adapters.nics"), ("Get-NetIPsecRule", "firewall.ipsec")):
        broken = script.replace(
            "\nInitialize-Answer\n", f"\nfunction {command} {{ throw 'no' }}\nInitialize-Answer\n", 1
        )
        answer = decode_answer(winps.run(broken, winps.state("server2022"), {})["stdout"])
        assert isinstance(answer, dict)
        assert [one["fact"] for one in answer["unavailable"]] == [fact]
        assert answer["adapters"]["ghosts"] == 0


def test_a_proxy_is_read_in_another_language(winps: Winps) -> None:
    state = {"base": "server2022-de", "ops": [set_("proxy:8080", "network", "winhttp_proxy"),
                                              set_("*.corp;168.63.129.16", "network", "winhttp_bypass")]}  # fmt: skip
    assert collect(winps, state).answer["adapters"]["proxy"] == {
        "server": "proxy:8080", "bypass": "*.corp;168.63.129.16",
    }  # fmt: skip
