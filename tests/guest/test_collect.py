"""collect.ps1 on simulated Windows: what is wrong is visible, nothing is changed, what cannot be read is named."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from rdp_remediate.guest.protocol import decode_answer
from rdp_remediate.guest.scripts import collect_script
from tests.guest.on_winps import FWP, POL, RT, RULE, TS, collect, set_
from tests.winps import BASES, Winps, vectors

SECTIONS = {
    "os", "registry", "services", "listener", "firewall", "sessions", "sign_ins", "certificate", "addresses",
    "self_probe", "changes", "events", "accounts", "system", "adapters", "remote_desktop",
}  # fmt: skip
PLAIN_SECTIONS = SECTIONS - {"self_probe", "changes", "events", "system", "adapters"}
HEALTHY: dict[str, dict[str, Any]] = {
    "server2022": {"build": 20348, "product_type": 3, "installation_type": "Server", "domain_role": 2},
    "server2022-domain": {"build": 20348, "product_type": 3, "installation_type": "Server", "domain_role": 3},
    "server2022-core": {"build": 20348, "product_type": 3, "installation_type": "Server Core", "domain_role": 2},
    "server2022-de": {"build": 20348, "product_type": 3, "installation_type": "Server", "domain_role": 2},
    "server2016": {"build": 14393, "product_type": 3, "installation_type": "Server", "domain_role": 2},
    "win11": {"build": 22631, "product_type": 1, "installation_type": "Client", "domain_role": 0},
}


def rules_of(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {rule["name"]: rule for rule in answer["firewall"]["rules"]}


def broken(base: str, ops: list[dict[str, Any]]) -> dict[str, Any]:
    return {"base": base, "ops": ops}


def missing(answer: dict[str, Any]) -> dict[str, str]:
    return {entry["fact"]: entry["reason"] for entry in answer["unavailable"]}


@pytest.mark.parametrize("base", BASES)
def test_healthy_windows_fits_one_slice(winps: Winps, base: str) -> None:
    state = winps.state(base)
    answer = collect(winps, state).answer
    assert answer.keys() >= SECTIONS
    assert answer["unavailable"] == []
    assert HEALTHY[base].items() <= answer["os"].items()
    assert answer["os"]["computer_name"] == state["os"]["computer_name"]
    since = datetime.fromisoformat(answer["collected_at"]) - datetime.fromisoformat(state["now"])
    assert timedelta() <= since < timedelta(seconds=30)
    assert answer["registry"]["TS\\fDenyTSConnections"] == 0
    assert answer["registry"]["POL\\fDenyTSConnections"] is None
    assert answer["registry"]["RT\\PortNumber"] == 3389
    assert answer["registry"]["RT\\MaxInstanceCount"] == 0xFFFFFFFF
    service = answer["services"]["TermService"]
    assert (service["state"], service["start_type"], service["account"]) == (
        "Running", "Manual", "NT AUTHORITY\\NetworkService",
    )  # fmt: skip
    assert answer["listener"]["term_service_pid"] == service["pid"] == state["services"]["TermService"]["pid"]
    assert {row["address"] for row in answer["listener"]["rows"]} == {"0.0.0.0", "::"}
    assert rules_of(answer)[RULE]["enabled"] is True
    assert answer["firewall"]["profiles"].keys() == {"Domain", "Private", "Public"}
    assert answer["self_probe"] == {
        "address": "10.0.0.4", "port": 3389, "tcp": "open", "x224": "answered", "selected_protocol": 2,
        "negotiation_failure": None,
    }  # fmt: skip
    assert [session["state"] for session in answer["sessions"]] == ["Disc", "Conn", "Listen"]
    certificate = state["certificates"]["LocalMachine\\Remote Desktop"][0]
    assert answer["certificate"]["bound_thumbprint"] == certificate["thumbprint"]
    if state["os"]["time_zone"] == "UTC":  # elsewhere winps takes local times for UTC
        assert answer["certificate"]["not_after"] == certificate["not_after"]


@pytest.mark.parametrize("base", BASES)
def test_constrained_language_answers_what_repairs_decide_on(winps: Winps, base: str) -> None:
    full = collect(winps, winps.state(base)).answer
    plain = collect(winps, winps.state(base), constrained=True).answer
    assert plain["language_mode"] == "ConstrainedLanguage"
    assert missing(plain) == {
        "self_probe": "not_supported", "changes": "not_supported", "events": "not_supported",
    }  # fmt: skip
    assert plain.keys() >= PLAIN_SECTIONS
    for section in PLAIN_SECTIONS - {"registry", "services"}:
        assert plain[section] == full[section]
    assert plain["registry"].items() <= full["registry"].items()
    assert plain["services"].items() <= full["services"].items()
    assert {"TS\\fDenyTSConnections", "POL\\fDenyTSConnections", "RT\\PortNumber"} <= plain["registry"].keys()


def test_second_plain_slice_brings_what_the_first_left_out(winps: Winps) -> None:
    state = winps.state("server2022")
    full, first = collect(winps, state).answer, collect(winps, state, constrained=True).answer
    second = collect(winps, state, slice_=2, constrained=True).answer
    assert missing(second) == {"adapters.blocked": "not_supported", "adapters.wireserver": "not_supported"}
    for section in ("os", "system", "adapters"):
        assert second[section] == full[section]
    for section in ("registry", "services"):
        assert first[section].keys() & second[section].keys() == set()
    both = first["registry"] | second["registry"]
    policies = {name for name in full["registry"] if name.startswith("FWP") and "RemoteDesktop" not in name}
    assert both == {name: value for name, value in full["registry"].items() if name not in policies}
    services = first["services"] | second["services"]
    assert services.items() <= full["services"].items()
    assert {"TermService", "Dhcp", "Netlogon", "RdAgent"} <= services.keys()


@pytest.mark.slow
def test_long_answer_drops_what_is_needed_least(winps: Winps) -> None:
    users = [
        {"id": number, "name": "", "user": f"person{number * 7919:07}", "state": "Disc"} for number in range(2, 400)
    ]
    state = broken("server2022", [{"path": ["sessions"], "append": user} for user in users])
    answer = collect(winps, state).answer
    dropped = {fact for fact, reason in missing(answer).items() if reason == "truncated"}
    assert "sessions" in dropped
    assert not {"os", "registry", "services", "firewall"} & dropped
    assert {"os", "registry", "services", "firewall", "listener"} <= answer.keys()
    second = collect(winps, state, slice_=2).answer
    assert dropped - {"sessions"} <= second.keys()


@pytest.mark.parametrize("base", BASES)
def test_connections_denied_locally(winps: Winps, base: str) -> None:
    answer = collect(winps, broken(base, [set_(["DWord", 1], "registry", TS, "fDenyTSConnections")])).answer
    assert answer["registry"]["TS\\fDenyTSConnections"] == 1
    assert answer["registry"]["POL\\fDenyTSConnections"] is None
    assert answer["listener"]["rows"] == []
    assert answer["self_probe"]["tcp"] == "refused"


@pytest.mark.parametrize("base", BASES)
def test_connections_denied_by_policy(winps: Winps, base: str) -> None:
    answer = collect(winps, broken(base, [set_(["DWord", 1], "registry", POL, "fDenyTSConnections")])).answer
    assert answer["registry"]["TS\\fDenyTSConnections"] == 0
    assert answer["registry"]["POL\\fDenyTSConnections"] == 1


@pytest.mark.parametrize("base", BASES)
def test_service_stopped_and_disabled(winps: Winps, base: str) -> None:
    state = broken(
        base,
        [
            set_("Disabled", "services", "TermService", "start_type"),
            set_("Stopped", "services", "TermService", "state"),
        ],
    )
    answer = collect(winps, state).answer
    service = answer["services"]["TermService"]
    assert (service["state"], service["start_type"], service["pid"]) == ("Stopped", "Disabled", 0)
    assert answer["listener"] == {"rows": [], "term_service_pid": None}


@pytest.mark.parametrize("base", BASES)
def test_other_port(winps: Winps, base: str) -> None:
    answer = collect(winps, broken(base, [set_(["DWord", 3390], "registry", RT, "PortNumber")])).answer
    assert answer["registry"]["RT\\PortNumber"] == 3390
    assert {row["port"] for row in answer["listener"]["rows"]} == {3390}
    assert answer["self_probe"]["port"] == 3390
    assert rules_of(answer)[RULE]["local_ports"] == ["3389"]


@pytest.mark.parametrize("base", BASES)
def test_rule_disabled(winps: Winps, base: str) -> None:
    off = set_(False, "firewall", "rules", {"name": RULE}, "enabled")
    answer = collect(winps, broken(base, [off])).answer
    rules = rules_of(answer)
    assert rules[RULE]["enabled"] is False
    assert rules["RemoteDesktop-UserMode-In-UDP"]["enabled"] is True


@pytest.mark.parametrize("base", BASES)
def test_all_inbound_blocked(winps: Winps, base: str) -> None:
    off = [set_(False, "firewall", "profiles", name, "allow_inbound_rules") for name in ("Domain", "Private", "Public")]
    answer = collect(winps, broken(base, off)).answer
    for profile in answer["firewall"]["profiles"].values():
        assert profile["allow_inbound_rules"] is False
        assert profile["source"] == "Local"


@pytest.mark.parametrize("base", BASES)
def test_policy_ignores_local_rules(winps: Winps, base: str) -> None:
    key = f"{FWP}\\PublicProfile"
    ops = [
        set_(["DWord", 1], "registry", key, "EnableFirewall"),
        set_(["DWord", 0], "registry", key, "AllowLocalPolicyMerge"),
    ]
    answer = collect(winps, broken(base, ops)).answer
    profile = answer["firewall"]["profiles"]["Public"]
    assert (profile["allow_local_rules"], profile["source"]) == (False, "GroupPolicy")
    assert answer["firewall"]["profiles"]["Domain"]["source"] == "Local"
    assert answer["registry"]["FWP\\PublicProfile\\AllowLocalPolicyMerge"] == 0
    assert answer["registry"]["FWP\\DomainProfile\\AllowLocalPolicyMerge"] is None


def rule(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name, "display_name": name, "group": "", "enabled": True, "direction": "Inbound", "action": "Block",
        "profiles": ["Public"], "protocol": "TCP", "local_ports": ["3389"], "remote_ports": ["Any"],
        "local_addresses": ["Any"], "remote_addresses": ["Any"], "program": "Any", "service": "Any", "edge": "Block",
        "interface_types": ["Any"], "store": "PersistentStore", "owner": None, "description": "", **more,
    }  # fmt: skip


def test_rules_that_touch_rdp_and_no_others(winps: Winps) -> None:
    touching = [
        rule("named-port"),
        rule("range", local_ports=["80", "3000-4000"], remote_addresses=["203.0.113.0/24", "LocalSubnet"]),
        rule("any-port", local_ports=["Any"]),
        rule("any-protocol", protocol="Any", local_ports=["Any"]),
        rule("of-the-service", service="TermService", local_ports=["5000"], action="Allow"),
        rule("other-program", program="C:\\x\\x.exe"),
    ]
    others = [
        rule("other-port", local_ports=["3390"]),
        rule("udp", protocol="UDP"),
        rule("outbound", direction="Outbound"),
        rule("disabled", enabled=False),
        rule("other-program-any-port", program="C:\\x\\x.exe", local_ports=["Any"]),
        rule("other-service-any-port", service="EventLog", local_ports=["Any"]),
    ]
    state = broken("server2022", [{"path": ["firewall", "rules"], "append": one} for one in touching + others])
    rules = rules_of(collect(winps, state).answer)
    assert rules.keys() == {RULE, "RemoteDesktop-UserMode-In-UDP"} | {one["name"] for one in touching}
    assert rules["range"]["remote_addresses"] == ["203.0.113.0/255.255.255.0", "LocalSubnet"]
    assert rules["range"]["profiles"] == ["Public"]
    assert rules["named-port"]["action"] == "Block"


def test_rule_of_many_addresses_is_named_not_cut(winps: Winps) -> None:
    many = rule("guard", remote_addresses=[f"198.51.100.{number}" for number in range(60)])
    state = broken("server2022", [{"path": ["firewall", "rules"], "append": many}])
    answer = collect(winps, state).answer
    assert "guard" not in rules_of(answer)
    assert missing(answer) == {"firewall.rules.guard": "truncated"}


def test_stopped_firewall_service_leaves_the_rest(winps: Winps) -> None:
    answer = collect(winps, broken("server2022", [set_("Stopped", "services", "mpssvc", "state")])).answer
    assert missing(answer) == {"firewall": "server_error"}
    assert answer["services"]["mpssvc"]["state"] == "Stopped"
    assert SECTIONS - {"firewall"} <= answer.keys()


@pytest.mark.parametrize("base", ["server2022", "server2022-de"])
def test_sessions_in_any_language(winps: Winps, base: str) -> None:
    people = [
        {"id": 3, "name": "", "user": "bob", "state": "Disc"},
        {"id": 2, "name": "rdp-tcp#4", "user": "alice", "state": "Active"},
    ]
    state = broken(base, [{"path": ["sessions"], "append": one} for one in people])
    sessions = collect(winps, state).answer["sessions"]
    assert [s for s in sessions if s["user"]] == [people[1], people[0]]


def event(log: str, id_: int, time: str, data: dict[str, str], **more: Any) -> dict[str, Any]:
    entry = {
        "log": log,
        "provider": "x",
        "id": id_,
        "level": 4,
        "time": time,
        "record_id": 9,
        "message": "",
        "data": data,
    }
    return {"path": ["events"], "append": {**entry, "user_sid": None, **more}}


def test_failed_sign_ins_of_the_last_quarter_of_an_hour(winps: Winps) -> None:
    unnamed = [f"x{number}" for number in range(19)]  # Windows has 19 values before the address
    names = [*unnamed, "IpAddress", "IpPort"]
    provider = "Microsoft-Windows-Security-Auditing"

    def failed(time: str, address: str) -> dict[str, Any]:
        data = {**dict.fromkeys(names, "-"), "IpAddress": address}
        return event("Security", 4625, time, data, provider=provider)

    ops = [
        failed("2026-01-15T09:40:00Z", "198.51.100.1"),
        failed("2026-01-15T09:50:00Z", "198.51.100.2"),
        failed("2026-01-15T09:51:00Z", "198.51.100.2"),
        failed("2026-01-15T09:52:00Z", "198.51.100.3"),
        failed("2026-01-15T09:53:00Z", "-"),
    ]
    answer = collect(winps, broken("server2022", ops)).answer
    counted = {"window_s": 900, "failed": 4, "sources": 2, "not_guessed": 0, "asked": None}
    assert answer["sign_ins"] == counted


def test_changes_name_who_made_them(winps: Winps) -> None:
    scm = "Service Control Manager"
    firewall = "Microsoft-Windows-Windows Firewall With Advanced Security"
    person = "S-1-5-21-1-2-3-1001"
    start_type = {"param1": "Remote Desktop Services", "param2": "demand start", "param3": "disabled"}
    stopped = {"param1": "Remote Desktop Services", "param2": "stopped"}
    rule_data = {"RuleId": RULE, "RuleName": "x", "Active": "0", "ModifyingUser": person}
    setting = {"Profiles": "4", "SettingType": "3", "SettingValueString": "Yes", "ModifyingUser": person}
    log = f"{firewall}/Firewall"
    ops = [
        event("System", 7040, "2026-01-01T09:00:00Z", {**start_type, "param4": "TermService"}, provider=scm),
        event(
            "System",
            7040,
            "2026-01-14T09:00:00Z",
            {**start_type, "param4": "TermService"},
            provider=scm,
            user_sid=person,
        ),
        event("System", 7040, "2026-01-14T09:00:01Z", {**start_type, "param4": "Spooler"}, provider=scm),
        event("System", 7036, "2026-01-14T09:01:00Z", stopped, provider=scm),
        event("System", 7036, "2026-01-14T09:01:30Z", {**stopped, "param2": "running"}, provider=scm),
        event(log, 2005, "2026-01-14T09:02:00Z", rule_data, provider=firewall),
        event(log, 2005, "2026-01-14T09:02:30Z", {**rule_data, "RuleId": "other"}, provider=firewall),
        event(log, 2003, "2026-01-14T09:03:00Z", setting, provider=firewall),
        event("System", 1074, "2026-01-14T09:04:00Z", {"param5": "restart", "param7": "VM\\ops"}, provider="User32"),
    ]
    changes = collect(winps, broken("server2022", ops)).answer["changes"]
    assert [(c["at"], c["what"], c["object"], c["value"], c["user_sid"]) for c in changes] == [
        ("2026-01-14T09:00:00Z", "service_start_type", "TermService", "disabled", person),
        ("2026-01-14T09:01:00Z", "service_state", "TermService", "stopped", None),
        ("2026-01-14T09:02:00Z", "firewall_rule", RULE, "Active=0", person),
        ("2026-01-14T09:03:00Z", "firewall_setting", "4", "3=Yes", person),
        ("2026-01-14T09:04:00Z", "shutdown", "Windows", "VM\\ops", None),
    ]


def test_custom_certificate(winps: Winps) -> None:
    thumbprint = "A1B2C3D4E5F60718293A4B5C6D7E8F9001122334"
    certificate = {
        **winps.state("server2022")["certificates"]["LocalMachine\\Remote Desktop"][0],
        "thumbprint": thumbprint,
    }
    bound = set_(["Binary", "obLD1OX2BxgpOktcbX6PkAESIzQ="], "registry", RT, "SSLCertificateSHA1Hash")
    there = {"path": ["certificates", "LocalMachine\\My"], "append": certificate}
    answer = collect(winps, broken("server2022", [there, bound])).answer
    assert answer["registry"]["RT\\SSLCertificateSHA1Hash"] == {"Binary": thumbprint}
    assert (answer["certificate"]["bound_thumbprint"], answer["certificate"]["custom"]) == (thumbprint, True)
    without = collect(winps, broken("server2022", [bound])).answer
    assert without["certificate"]["custom"] is False


def test_self_probe_goes_where_the_request_says(winps: Winps) -> None:
    answer = collect(winps, winps.state("server2022"), self_address="10.9.9.9").answer
    assert answer["self_probe"]["address"] == "10.9.9.9"
    assert answer["self_probe"]["tcp"] != "open"


def test_unreadable_request_is_named_and_the_rest_collected(winps: Winps) -> None:
    result = winps.run(collect_script(), winps.state("server2022"), {"Request": "not*base64"})
    answer = decode_answer(result["stdout"])
    assert isinstance(answer, dict)
    assert missing(answer) == {"request": "malformed"}


FILES = ("guest_network", "guest_firewall", "guest_rdp_service", "guest_auth", "guest_os", "compound", "traps")
STATES = [one for file in FILES for one in vectors(file) if one.get("guest")]


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(one, id=one["name"], marks=() if number % 16 == 0 else pytest.mark.slow)
        for number, one in enumerate(STATES)
    ],
)
def test_every_scenario_is_collected_without_a_change(winps: Winps, scenario: dict[str, Any]) -> None:
    answer = collect(winps, {"base": scenario["base"], "ops": scenario["guest"]}).answer
    stopped = answer["services"]["mpssvc"]["state"] != "Running"
    addressed = any("." in row["address"] for row in answer["addresses"])
    expected = ({"firewall"} if stopped else set()) | (set() if addressed else {"self_probe"})
    # What a state takes away from the way to the domain, or from a key, is named with its reason.
    assert {fact for fact in missing(answer) if not fact.startswith(("accounts.", "certificate."))} == expected


def test_many_events_do_not_crowd_out_who_disabled_the_service(winps: Winps) -> None:
    scm = "Service Control Manager"
    noise = [
        event(
            "System",
            7036,
            f"2026-01-14T10:{n // 60:02}:{n % 60:02}Z",
            {"param1": "Other", "param2": "stopped"},
            provider=scm,
        )
        for n in range(600)
    ]
    data = {"param1": "x", "param2": "demand start", "param3": "disabled", "param4": "TermService"}
    disabled = event("System", 7040, "2026-01-13T09:00:00Z", data, provider=scm, user_sid="S-1-5-21-1-2-3-1001")
    answer = collect(winps, broken("server2022", [disabled, *noise])).answer
    assert [change["object"] for change in answer["changes"]] == ["TermService"]
    assert missing(answer) == {}
    busy = [
        event(
            "System",
            7036,
            "2026-01-14T10:00:00Z",
            {"param1": "Remote Desktop Services", "param2": "stopped"},
            provider=scm,
        )
    ]
    assert missing(collect(winps, broken("server2022", busy * 60)).answer) == {"changes.older": "truncated"}
