"""Licenses, policies, TermService's size, its damaged key, ports, the wireserver and pending restarts, on simulated Windows."""

import pytest

from tests.guest.on_winps import POL, TS, Op, collect, set_
from tests.winps import Winps

pytestmark = pytest.mark.slow

KEY = (
    "C:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys\\"
    "f686aace6942fb7f7ceb231212eef4a4_b0d1f9f0-5a3a-4f5e-9a43-6c1a6f0b7f11"
)
LICENSES = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\TermService\\Parameters\\LicenseServers"
HOST: list[Op] = [
    set_(True, "licensing", "rdsh_installed"),
    set_(["DWord", 1], "registry", TS, "TSAppCompat"),
    set_(12, "licensing", "grace_days"),
    set_(["DWord", 2], "registry", f"{TS}\\RCM\\Licensing Core", "LicensingMode"),
]


def servers(*names: str) -> Op:
    return set_(["MultiString", list(names)], "registry", LICENSES, "SpecifiedLicenseServers")


def answers(host: str, *ports: int) -> Op:
    return {"path": ["network", "reachable"], "append": {"host": host, "ports": list(ports), "ms": 1}}


def refuses(host: str, *ports: int) -> Op:
    return {"path": ["network", "reachable"], "append": {"host": host, "ports": [], "refused": list(ports), "ms": 1}}


def test_a_session_host_tells_mode_grace_and_what_its_license_servers_do(winps: Winps) -> None:
    listed = servers("10.0.0.30", "10.0.0.31", "10.0.0.32", "10.0.0.33")
    ops = [*HOST, listed, answers("10.0.0.30", 135), refuses("10.0.0.31", 135)]
    ran = collect(winps, winps.prepare("server2022-domain", ops))
    told = ran.answer["remote_desktop"]["licensing"]
    assert (told["mode"], told["grace_days"]) == (2, 12)
    assert told["servers"] == {
        "10.0.0.30": "open", "10.0.0.31": "refused", "10.0.0.32": "timeout", "10.0.0.33": "not_tried"
    }  # fmt: skip
    assert ran.answer["unavailable"] == []


def test_a_server_for_administration_is_not_asked_about_licenses(winps: Winps) -> None:
    assert (
        collect(winps, winps.prepare("server2022", [servers("10.0.0.30")])).answer["remote_desktop"]["licensing"]
        is None
    )


def test_constrained_language_tries_no_license_server(winps: Winps) -> None:
    ops = [*HOST, servers("10.0.0.30"), answers("10.0.0.30", 135)]
    ran = collect(winps, winps.prepare("server2022-domain", ops), constrained=True)
    section = ran.answer.get("remote_desktop")
    if section is None:
        assert "remote_desktop" in {one["fact"] for one in ran.answer["unavailable"]}
    else:
        assert section["licensing"]["servers"] == {"10.0.0.30": "not_tried"}


def test_settings_that_a_policy_owns_are_named(winps: Winps) -> None:
    ops = [
        set_(["DWord", 0], "registry", POL, "fDenyTSConnections"),
        set_(["DWord", 1], "registry", POL, "UserAuthentication"),
        set_(["String", "ls.contoso.com"], "registry", POL, "LicenseServers"),
    ]
    owned = collect(winps, winps.prepare("server2022", ops)).answer["remote_desktop"]["policy_owned"]
    assert owned == ["AllowTSConnections", "ConfiguredLicenseServers", "UserAuthenticationRequired"]


@pytest.mark.parametrize(("size", "told"), [(1023, None), (6210, 6210)])
def test_the_size_of_term_service_is_told_when_it_is_large(winps: Winps, size: int, told: int | None) -> None:
    process = {"pid": 7788, "name": "svchost", "path": "C:\\Windows\\System32\\svchost.exe", "session_id": 0,
               "services": ["TermService"], "working_set_mb": size, "start_time": "2026-01-11T10:00:00Z"}  # fmt: skip
    ops: list[Op] = [
        set_(7788, "services", "TermService", "pid"),
        {"path": ["processes"], "append": process},
    ]
    assert collect(winps, winps.prepare("server2022", ops)).answer["remote_desktop"]["memory"] == told


def key_file(sddl: str, *, damaged: bool) -> Op:
    return set_({"type": "file", "size": 0 if damaged else 2325, "sddl": sddl, "corrupt": damaged}, "files", KEY)


def test_a_key_that_does_not_open_is_told_with_its_file_and_access_list(winps: Winps) -> None:
    usual = "O:SYG:SYD:PAI(A;;FA;;;SY)(A;;FR;;;NS)(A;;FA;;;BA)"
    damaged = collect(winps, winps.prepare("server2022", [key_file(usual, damaged=True)])).answer
    assert damaged["certificate"]["key_error"].startswith("0x8")
    assert (damaged["certificate"]["key_file"], damaged["certificate"]["key_acl"]) == (KEY, usual)
    assert damaged["unavailable"] == []
    whole = collect(winps, winps.prepare("server2022", [key_file(usual, damaged=False)])).answer["certificate"]
    assert (whole["key_error"], whole["key_file"], whole["key_acl"]) == (None, None, None)


def test_constrained_language_does_not_open_keys(winps: Winps) -> None:
    usual = "O:SYG:SYD:PAI(A;;FA;;;SY)(A;;FR;;;NS)(A;;FA;;;BA)"
    answer = collect(winps, winps.prepare("server2022", [key_file(usual, damaged=True)]), constrained=True).answer
    assert "key_error" not in (answer.get("certificate") or {}) or answer["certificate"]["key_error"] is None
    assert {one["fact"] for one in answer["unavailable"]} & {"certificate", "certificate.key"}


@pytest.mark.parametrize("base", ["server2022", "server2022-de"])
def test_ports_in_use_are_counted_from_half_of_the_range_on(winps: Winps, base: str) -> None:
    # The range 49152 to 49251 of 100 ports; one process holds 60 of it, once in two rows.
    rows = [
        {"local_address": "10.0.0.4", "local_port": 49152 + number, "remote_address": "10.0.0.9", "remote_port": 1433,
         "state": ("Bound", "TimeWait", "Established")[number % 3], "pid": 6120}
        for number in range(20, 80)
    ]  # fmt: skip
    holder = {"pid": 6120, "name": "OrderSync", "path": "C:\\Apps\\OrderSync.exe", "session_id": 0, "services": [],
              "working_set_mb": 41, "start_time": "2026-01-15T06:00:00Z"}  # fmt: skip
    ops: list[Op] = [
        set_({"start": 49152, "count": 100}, "network", "dynamic_port"),
        {"path": ["processes"], "append": holder},
        *({"path": ["tcp"], "append": row} for row in [*rows, rows[0] | {"remote_port": 1434}]),
    ]
    ports = collect(winps, winps.prepare(base, ops)).answer["system"]["ports"]
    assert (ports["range"], ports["held"], ports["pid"], ports["process"]) == (100, 60, 6120, "OrderSync")
    assert ports["used"] == 60
    few = collect(winps, winps.prepare(base, ops[:-15])).answer["system"]["ports"]
    assert few is None


def test_the_wireserver_is_tried_with_a_short_deadline(winps: Winps) -> None:
    only_80 = {"host": "168.63.129.16", "ports": [53, 80], "refused": [32526], "ms": 1}
    silent = collect(winps, winps.prepare("server2022", [set_([only_80], "network", "reachable")])).answer
    assert silent["adapters"]["wireserver"] == {"32526": "refused"}
    gone = collect(winps, winps.prepare("server2022", [set_([], "network", "reachable")])).answer
    assert gone["adapters"]["wireserver"] == {"80": "timeout", "32526": "timeout"}


@pytest.mark.parametrize("base", ["server2016", "win11"])
def test_what_waits_for_a_restart(winps: Winps, base: str) -> None:
    assert collect(winps, winps.state(base)).answer["system"]["pending_restart"] == []
    manager = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager"
    renames = ["\\??\\C:\\Windows\\Temp\\a.tmp", ""]
    ops = [set_(True, "pending_reboot")]
    assert collect(winps, winps.prepare(base, ops)).answer["system"]["pending_restart"] == ["servicing", "update"]
    ops = [set_(["MultiString", renames], "registry", manager, "PendingFileRenameOperations")]
    assert collect(winps, winps.prepare(base, ops)).answer["system"]["pending_restart"] == ["renames"]
