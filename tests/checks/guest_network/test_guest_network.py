"""The hop guest-network: each row, what is near it, its variants, and what cannot be read."""

from datetime import timedelta
from typing import Any

import pytest

from rdp_remediate.diagnosis import diagnose
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.report import Diagnosis, Finding
from rdp_remediate.planning import plan
from tests import factories as f
from tests.factories import Change, healthy_bundle, hide

OWN = "10.0.0.4"


def _diagnosis(*changes: Change) -> Diagnosis:
    return diagnose(read_facts(healthy_bundle(*changes)))


def _faults(*changes: Change) -> dict[str, Finding]:
    found = [one for one in _diagnosis(*changes).findings if one.fault and one.status.value == "fail"]
    return {str(one.fault): one for one in found}


def _of(check: str, *changes: Change) -> str:
    return next(one.status.value for one in _diagnosis(*changes).findings if one.check == check)


def nic(**fields: Any) -> Change:
    def change(data: JsonObject) -> None:
        data["guest"]["adapters"]["nics"][0].update(fields)

    return change


def adapters(**fields: Any) -> Change:
    def change(data: JsonObject) -> None:
        data["guest"]["adapters"].update(fields)

    return change


def addresses(*texts: str, origin: str = "Manual", length: int = 24) -> Change:
    rows = [{"address": one, "prefix_length": length, "interface": "Ethernet", "origin": origin} for one in texts]
    return f.guest("addresses", value=rows)


def event(event_id: int, ago: timedelta, *data: str, provider: str = "Tcpip") -> Change:
    def change(document: JsonObject) -> None:
        at = (f.at(document) - ago).strftime("%Y-%m-%dT%H:%M:%SZ")
        row = {"at": at, "log": "System", "provider": provider, "id": event_id, "count": 1, "data": list(data)}
        document["guest"]["events"].append(row)

    return change


def member(data: JsonObject) -> None:
    data["guest"]["os"].update(part_of_domain=True, domain="contoso.com", domain_role=3)
    data["target"]["user"] = "CONTOSO\\alice"


STATIC = nic(dhcp=False)
NO_ADDRESS = (addresses(), nic(gateways=[]))

FAULTS: list[tuple[str, tuple[Change, ...], str]] = [
    ("nic-disabled", (nic(status="Disabled", dhcp=None), *NO_ADDRESS), "blocks"),
    ("nic-disabled", (nic(status="Disabled", dhcp=None),), "degrades"),
    ("netvsc-driver-bad", (nic(status="Disconnected"), adapters(netvsc="10.0.14393.594"), *NO_ADDRESS), "blocks"),
    ("static-ip-in-guest-mismatch", (STATIC, addresses("10.0.0.40")), "blocks"),
    ("static-ip-in-guest-mismatch", (STATIC, addresses("192.168.10.50", "192.168.10.51")), "blocks"),
    ("dhcp-client-disabled", (f.service("Stopped", "Disabled", "Dhcp"), *NO_ADDRESS), "blocks"),
    ("dhcp-client-disabled", (f.service("Stopped", "Auto", "Dhcp"),), "degrades"),
    ("nsi-not-running", (f.service("Stopped", "Disabled", "nsi"), f.service("Stopped", "Auto", "Dhcp")), "blocks"),
    ("default-gateway-missing", (STATIC, nic(gateways=[])), "blocks"),
    ("default-gateway-missing", (STATIC, nic(gateways=["192.168.1.1"])), "blocks"),
    ("default-gateway-missing", (nic(routes=["203.0.113.0/24 192.168.1.1"]),), "blocks"),
    ("default-gateway-missing", (nic(routes=["0.0.0.0/1 192.168.1.1", "128.0.0.0/1 192.168.1.1"]),), "blocks"),
    ("ghost-nics", (adapters(ghosts=2),), "degrades"),
    ("mellanox-driver-crash", (adapters(crashed_driver="mlx5"),), "degrades"),
    ("tcp-port-exhaustion", (event(4231, timedelta(minutes=6)), member), "blocks"),
    ("tcp-port-exhaustion", (event(4231, timedelta(minutes=6)),), "degrades"),
    ("guest-dns-broken", (member, nic(static_dns=["10.0.0.53"]), adapters(domain_lookup="ERROR_TIMEOUT")), "blocks"),
    ("guest-dns-broken", (f.service("Stopped", "Auto", "Dnscache"),), "degrades"),
    ("guest-dns-broken", (member, f.service("Stopped", "Disabled", "Dnscache")), "blocks"),
    ("winhttp-proxy-blocks-wireserver", (adapters(proxy={"server": "proxy:8080", "bypass": ""}),), "blinds"),
    ("winhttp-proxy-blocks-wireserver", (adapters(proxy={"server": "p:8080", "bypass": "<local>;10.*"}),), "blinds"),
    ("duplicate-or-conflicting-ip", (event(4199, timedelta(minutes=7), "", OWN, "00-15-5D-0A-22-07"),), "blocks"),
    ("duplicate-or-conflicting-ip", (STATIC, addresses(OWN, "10.0.0.77"), nic(sources=[OWN])), "degrades"),
]


@pytest.mark.parametrize(
    ("fault", "changes", "effect"), FAULTS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_fault_is_named_with_its_effect(fault: str, changes: tuple[Change, ...], effect: str) -> None:
    found = _faults(*changes)
    assert fault in found
    assert found[fault].effect == effect
    assert found[fault].hop.value == "guest-network"
    others = {name for name, one in found.items() if one.hop.value == "guest-network"} - {fault}
    assert others == set()


NEAR: list[tuple[str, tuple[Change, ...]]] = [
    ("an adapter without a link", (nic(status="Disconnected"), adapters(netvsc=None))),
    ("the same typed-in address", (STATIC, addresses(OWN))),
    ("DHCP stopped, but nothing asks for an address", (STATIC, addresses(OWN), f.service("Stopped", "Auto", "Dhcp"))),
    ("an odd route to elsewhere", (nic(routes=["172.16.0.0/12 192.168.1.1"]),)),
    ("a wrong gateway inside the subnet", (nic(gateways=["10.0.0.9"]),)),
    ("one adapter left over", (adapters(ghosts=1),)),
    ("ports ran out hours ago", (event(4231, timedelta(hours=5)), member)),
    ("a single 4227", (event(4227, timedelta(minutes=5)), member)),
    ("typed-in servers that answer", (member, nic(static_dns=["10.0.0.53"]))),
    ("the VNet's servers do not know the domain", (member, adapters(domain_lookup="ERROR_TIMEOUT"))),
    ("a proxy that spares it", (adapters(proxy={"server": "p:8080", "bypass": "*.corp;168.63.129.16"}),)),
    ("a conflict over another address", (event(4199, timedelta(minutes=7), "", "10.0.0.99", ""),)),
    ("a conflict two days ago", (event(4199, timedelta(days=2), "", OWN, ""),)),
    ("the bad driver, but the adapter is up", (adapters(netvsc="10.0.14393.594"),)),
]  # fmt: skip


@pytest.mark.parametrize(("why", "changes"), NEAR, ids=[why for why, _ in NEAR])
def test_what_is_near_is_no_fault(why: str, changes: tuple[Change, ...]) -> None:
    assert why
    assert [one for one in _faults(*changes).values() if one.hop.value == "guest-network"] == []


def ports(used: int, process: str = "OrderSync") -> Change:
    counted = {"range": 16384, "used": used, "held": used - 200, "pid": 6120, "process": process}
    return f.guest("system", "ports", value=counted)


def test_ports_in_use_now_make_certain_what_an_event_said_and_warn_before_one() -> None:
    said = event(4231, timedelta(minutes=6)), member
    likely, certain = _faults(*said)["tcp-port-exhaustion"], _faults(*said, ports(16300))["tcp-port-exhaustion"]
    assert (likely.effect, likely.confidence, certain.effect, certain.confidence) == (
        "blocks",
        "likely",
        "blocks",
        "confirmed",
    )
    assert "OrderSync (PID 6120)" in str(certain.by_hand)
    freed = _faults(*said, ports(9000, ""))["tcp-port-exhaustion"]
    assert freed.confidence == "likely"
    assert "a process that ended (PID 6120)" in str(freed.by_hand)
    warned = _faults(member, ports(16300))["tcp-port-exhaustion"]
    assert (warned.effect, warned.confidence) == ("risk", "confirmed")
    assert "tcp-port-exhaustion" not in _faults(member, ports(9000))
    uncounted = _faults(*said, f.hide("guest.system.ports"))["tcp-port-exhaustion"]
    assert uncounted.confidence == "likely", "the events decide, and counting may fail"


def test_what_the_wireserver_answers_from_inside_is_told_beside_the_agent() -> None:
    silent = adapters(wireserver={"32526": "timeout"})
    told = {one.check: one for one in _diagnosis(silent).findings}["vm_agent_is_ready"]
    assert (told.status, "168.63.129.16" in str(told.reason)) == ("pass", True)
    unseen = {one.check: one for one in _diagnosis(f.hide("guest.adapters.wireserver")).findings}["vm_agent_is_ready"]
    assert (unseen.status, "168.63.129.16" in str(unseen.reason)) == ("pass", False)
    proxy = adapters(proxy={"server": "p:8080", "bypass": ""}, wireserver={"80": "refused"})
    assert "80 (refused)" in str(_faults(proxy)["winhttp-proxy-blocks-wireserver"].reason)


def test_ports_that_ran_out_before_the_last_start_are_over() -> None:
    def restarted(data: JsonObject) -> None:
        data["guest"]["os"]["last_boot"] = (f.at(data) - timedelta(minutes=3)).strftime("%Y-%m-%dT%H:%M:%SZ")

    assert "tcp-port-exhaustion" in _faults(event(4231, timedelta(minutes=6)))
    assert "tcp-port-exhaustion" not in _faults(event(4231, timedelta(minutes=6)), restarted)


def test_the_lowest_address_that_may_be_a_source_decides() -> None:
    def second(address: str) -> Change:
        def change(data: JsonObject) -> None:
            configurations = data["resources"][f.NIC.lower()]["properties"]["ipConfigurations"]
            configurations.append({"name": "ipconfig2", "properties": {"privateIPAddress": address, "primary": False}})

        return change

    lower, higher = "10.0.0.3", "10.0.0.30"
    both = (STATIC, addresses(lower, OWN))
    found = _faults(second(lower), *both, nic(sources=[lower, OWN]))
    assert found["primary-ip-order-wrong"].evidence["skip"] == [lower]
    assert _faults(second(lower), *both, nic(sources=[OWN])) == {}
    assert _faults(second(higher), STATIC, addresses(OWN, higher), nic(sources=[OWN, higher])) == {}


def test_an_address_of_a_cluster_is_not_taken_for_a_mistake() -> None:
    def cluster(data: JsonObject) -> None:
        row = {"address": "10.0.0.77", "prefix_length": 32, "interface": "Ethernet", "origin": "Manual"}
        data["guest"]["addresses"].append(row)

    assert _faults(cluster, nic(sources=[OWN, "10.0.0.77"])) == {}


def blocked(source: str, origin: str = "ESET Personal Firewall filter", event_id: int = 5157) -> Change:
    def change(data: JsonObject) -> None:
        row = {"at": data["collected_at"], "event_id": event_id, "source": source, "origin": origin}
        data["guest"]["adapters"]["blocked"].append(row)

    return change


def test_only_an_audited_block_of_the_client_proves_a_foreign_filter() -> None:
    client = healthy_bundle().target.client_address
    assert client is not None
    found = _faults(blocked(client))["third-party-filter-driver"]
    assert found.confidence is not None
    assert found.confidence.value == "likely"
    assert _faults(blocked("198.51.100.9")) == {}
    assert _faults(blocked(client, origin="")) == {}
    off = _faults(blocked(client), *(f.profile(name, enabled=False) for name in ("Domain", "Private", "Public")))
    assert "third-party-host-firewall" in off
    assert "third-party-filter-driver" not in off


@pytest.mark.parametrize(
    ("check", "fact"),
    [
        ("network_store_service_runs", "guest.services.nsi"),
        ("dhcp_client_runs", "guest.services.Dhcp"),
        ("network_adapter_is_enabled", "guest.adapters.nics"),
        ("guest_has_the_nic_address", "guest.events.Tcpip"),
        ("default_route_leads_out", "guest.adapters.routes"),
        ("primary_address_is_the_source", "guest.addresses"),
        ("left_over_adapters_are_few", "guest.adapters.ghosts"),
        ("network_driver_does_not_crash", "guest.adapters.crashed_driver"),
        ("outgoing_ports_are_left", "guest.events"),
        ("guest_resolves_its_domain", "guest.services.Dnscache"),
        ("proxy_spares_the_platform", "guest.adapters.proxy"),
        ("no_filter_driver_drops_rdp", "guest.adapters.blocked"),
    ],
)
def test_what_cannot_be_read_is_unknown(check: str, fact: str) -> None:
    assert _of(check) == "pass"
    assert _of(check, hide(fact)) == "unknown"
    if fact.startswith("guest.adapters"):
        assert _of(check, hide("guest.adapters")) == "unknown"


def _steps(*changes: Change) -> dict[str, list[tuple[str, Any, Any, bool]]]:
    facts = read_facts(healthy_bundle(*changes))
    found: dict[str, list[tuple[str, Any, Any, bool]]] = {}
    for step in plan(facts, diagnose(facts).findings).steps:
        found.setdefault(step.fix, []).append((step.kind, step.expected, step.desired, step.approval is not None))
    return found


def test_what_fell_with_nsi_is_started_after_it() -> None:
    names = ("nsi", "Dhcp", "Dnscache")
    steps = _steps(*(f.service("Stopped", "Disabled" if one == "nsi" else "Auto", one) for one in names))
    assert steps["start_network_services"] == [
        ("service_start", "Disabled", "Auto", False),
        *[("service_state", "Stopped", "Running", False)] * 3,
    ]


def test_changes_of_addresses_wait_for_a_person() -> None:
    assert _steps(STATIC, addresses("10.0.0.40"))["use_dhcp"] == [
        ("adapter_ipv4", "static 10.0.0.40/24 10.0.0.1", "dhcp", True)
    ]
    assert _steps(STATIC, nic(gateways=[]))["use_dhcp"] == [("adapter_ipv4", f"static {OWN}/24 -", "dhcp", True)]
    assert "use_dhcp" not in _steps(STATIC, addresses("10.0.0.40", "10.0.0.41"))
    assert _steps(adapters(proxy={"server": "p:80", "bypass": "10.*"}))["spare_the_platform"] == [
        ("winhttp_proxy", "p:80 10.*", "p:80 10.*;168.63.129.16", True)
    ]
    assert "spare_the_platform" not in _steps(adapters(proxy={"server": "a b", "bypass": ""}))
    assert _steps(member, nic(static_dns=["10.0.0.53"]), adapters(domain_lookup="ERROR_TIMEOUT"))[
        "restore_name_resolution"
    ] == [("adapter_dns", "10.0.0.53", None, True)]


def test_the_nics_own_address_is_never_removed() -> None:
    assert "remove_unassigned_address" not in _steps(event(4199, timedelta(minutes=7), "", OWN, ""))
    assert _steps(STATIC, addresses(OWN, "10.0.0.77"))["remove_unassigned_address"] == [
        ("unassigned_address", True, False, True)
    ]
