"""The section system of collect.ps1 on simulated Windows."""

import pytest

from tests.guest.on_winps import collect, set_
from tests.winps import Winps

pytestmark = pytest.mark.slow

REPORT = {"pid": 6012, "name": "ReportBuilder", "path": "C:\\Apps\\ReportBuilder.exe", "session_id": 0, "services": [],
          "working_set_mb": 9000, "start_time": "2026-01-15T06:00:00Z"}  # fmt: skip


def test_what_is_scarce_is_told_with_its_process(winps: Winps) -> None:
    state = {
        "base": "server2022",
        "ops": [
            set_(100, "os", "cpu_load_percent"),
            set_(40, "os", "free_memory_mb"),
            {"path": ["disks"], "value": [{"drive": "C:", "size_gb": 127, "free_gb": 0.03, "file_system": "NTFS"}]},
            {"path": ["boot"], "value": {"ems": "No", "safeboot": "Minimal"}},
            {"path": ["processes"], "append": REPORT},
        ],
    }
    section = collect(winps, state).answer["system"]
    assert section["disk"] == 31
    assert section["memory"][:2] == [8192, 40]
    assert section["top_memory"] == "ReportBuilder"
    assert section["cpu"] == 100
    assert (section["ems"], section["safe_boot"]) == ("No", "Minimal")


@pytest.mark.parametrize("base", ["server2022-de", pytest.param("server2016", marks=pytest.mark.slow)])
def test_a_healthy_system_costs_few_characters(winps: Winps, base: str) -> None:
    ran = collect(winps, winps.state(base))
    assert ran.answer["system"] == {
        "disk": 112026, "memory": [8192, 5210, 9536, 6554], "cpu": 4, "ems": "Yes", "safe_boot": None, "top_cpu": None,
        "top_memory": None, "pending_restart": [], "ports": None,
    }  # fmt: skip
    assert ran.answer["unavailable"] == []


def test_a_boot_entry_without_ems_is_off_and_an_unknown_word_is_not_guessed(winps: Winps) -> None:
    assert collect(winps, winps.state("win11")).answer["system"]["ems"] == "absent"
    odd = collect(winps, {"base": "server2022", "ops": [{"path": ["boot"], "value": {"ems": "Vielleicht"}}]}).answer
    assert odd["system"]["ems"] is None
    assert [row["fact"] for row in odd["unavailable"]] == ["system.boot"]
    assert odd["system"]["disk"] == 112026, "each item fails alone"


def test_retried_disk_requests_are_counted_by_device(winps: Winps) -> None:
    rows = [
        {"log": "System", "provider": "disk", "id": 153, "level": 3, "time": f"2026-01-15T09:{minute:02}:00Z",
         "record_id": 70000 + minute, "message": "retried", "user_sid": None,
         "data": {"DeviceName": "\\Device\\Harddisk0\\DR0", "Block": f"0x{minute:x}"}}
        for minute in (1, 50, 51, 52)
    ]  # fmt: skip
    state = {"base": "server2022", "ops": [{"path": ["events"], "append": row} for row in rows]}
    told = [row for row in collect(winps, state).answer["events"] if row["provider"] == "disk"]
    assert [(row["count"], row["recent"], row["data"]) for row in told] == [(4, 3, ["\\Device\\Harddisk0\\DR0"])]


@pytest.mark.parametrize("mode", ["Minimal", "Network"])
def test_safe_mode_is_told_by_windows_environment_too(winps: Winps, mode: str) -> None:
    answer = collect(winps, {"base": "server2016", "ops": [set_(mode, "os", "safe_mode")]}).answer
    assert answer["os"]["safe_mode"] == mode
