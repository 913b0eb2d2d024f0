"""The hop guest-os, fact by fact: how far Windows got, and what it has left to work with."""

from datetime import timedelta
from typing import Any

import pytest

from tests import factories as f
from tests.checks.judging import diagnosis, faults, finding
from tests.factories import Change

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
START = "Computer is booting, SAC started and initialized.\r\n\r\nSAC>\r\nEVENT: The CMD command is now available.\r\nSAC>\r\n"
CRASH = '<BP>\r\n<INSTANCE CLASSNAME="BLUESCREEN">\r\n<PROPERTY NAME="STOPCODE" TYPE="string"><VALUE>"{}"</VALUE></PROPERTY>\r\n'
BOOT_ERROR = "Windows Boot Manager\r\n\r\n    File: \\Boot\\BCD\r\n\r\n    Status: {}\r\n"
GERMAN_ERROR = "Windows-Start-Manager\r\n\r\n    Datei: \\Boot\\BCD\r\n\r\n    Status: {}\r\n"
CHKDSK = "Scanning and repairing drive (C:): 12% complete.\r\n"
REPORT = '\r\nMicrosoft Azure VM Health Report\r\n{"safeBoot": false}\r\n'


def log(text: str) -> Change:
    return f.operation("boot_log", f.VM, {"text": text})


def silent(text: str = "", screen: str | None = None) -> tuple[Change, ...]:
    """Windows says nothing any more; there is a serial log, and perhaps somebody looked at the picture."""
    return (f.silent, f.agent_not_ready, log(text), f.policy(boot_screen=screen))


def restarted(ago: timedelta, operation: str = "restart") -> Change:
    return f.activity(f"Microsoft.Compute/virtualMachines/{operation}/action", f.VM, "ops@contoso.com", ago)


def event(provider: str, event_id: int, ago: timedelta, count: int = 1, data: tuple[str, ...] = ()) -> Change:
    def change(bundle: dict[str, Any]) -> None:
        at = (f.at(bundle) - ago).strftime("%Y-%m-%dT%H:%M:%SZ")
        row = {"at": at, "log": "System", "provider": provider, "id": event_id, "count": count, "data": list(data)}
        bundle["guest"]["events"].append(row | ({"recent": count} if count > 1 and ago <= 15 * MINUTE else {}))

    return change


def system(**fields: Any) -> Change:
    def change(data: dict[str, Any]) -> None:
        data["guest"]["system"].update(fields)

    return change


def unread(item: str) -> Change:
    def change(data: dict[str, Any]) -> None:
        data["guest"]["unavailable"].append({"fact": item, "reason": "forbidden", "detail": "no"})

    return change


SCREENS = {
    "safe-mode": "boot-safe-mode",
    "blue-screen": "bsod",
    "bitlocker-recovery": "bitlocker-recovery-prompt",
    "windows-update": "windows-update-in-progress",
    "windows-update-undo": "windows-update-in-progress",
    "getting-ready": "getting-windows-ready-stuck",
    "working-on-features": "working-on-features-stuck",
    "checking-disk": "checking-file-system",
    "shutting-down": "shutdown-stuck",
    "restarting": "shutdown-stuck",
    "boot-error": "boot-config-error",
    "group-policy-wait": "group-policy-client-hang",
    "session-manager-wait": "local-session-manager-hang",
    "frozen-clock": "os-unresponsive",
}


@pytest.mark.parametrize(("screen", "fault"), SCREENS.items())
def test_a_screen_that_a_person_saw_names_its_row(screen: str, fault: str) -> None:
    seen = diagnosis(*silent(screen=screen))
    assert seen.verdict.causes == [fault]
    assert seen.verdict.hop == "guest-os"
    assert faults(f.policy(boot_screen=screen)) == set(), "Windows answered: the picture is old"


@pytest.mark.parametrize("screen", ["login", "black", "oobe", "a word of nobody's", None])
def test_other_screens_name_nothing(screen: str | None) -> None:
    assert faults(*silent(screen=screen)) == {"agent-not-ready"}


@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_against_a_port_that_answers_is_a_contradiction(screen: str) -> None:
    seen = diagnosis(f.agent_not_ready, log(""), f.policy(boot_screen=screen))
    assert seen.verdict.causes == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (START + CRASH.format("0xD1"), "bsod"),
        (START + CRASH.format("0x74"), "component-or-hive-corruption"),
        (START + CRASH.format("0x0000007B"), "boot-config-error"),
        (START + CRASH.format("0xC00002E2"), "dsrm-or-directory-init-failure"),
        (START + CRASH.format("0xC00002E1"), "dsrm-or-directory-init-failure"),
        (START + CRASH.format("0xC000021A"), "bsod"),
        (START + CRASH.format("0xD1") + START, None),
        (CRASH.format("0xD1") + REPORT, None),
        (BOOT_ERROR.format("0xc000000f"), "boot-config-error"),
        (GERMAN_ERROR.format("0xC0000225"), "boot-config-error"),
        (BOOT_ERROR.format("0xc0000001"), None),
        (BOOT_ERROR.format("0xc000000f") + START, None),
        ("An operating system wasn't found.", "boot-config-error"),
        (CHKDSK, "checking-file-system"),
        (CHKDSK + START, None),
        (START * 6, "reboot-loop"),
        (START * 3, None),
        (START * 4 + REPORT + START, None),
        (START, None),
        ("", None),
    ],
)
def test_the_serial_log_names_what_nothing_followed(text: str, fault: str | None) -> None:
    assert faults(*silent(text)) == {"agent-not-ready", *({fault} if fault else ())}
    assert faults(log(text)) == set(), "Windows answered"
    assert "pass" not in {
        finding(check, *silent(), f.hide("boot_log", f.VM)).status.value
        for check in ("windows_does_not_crash", "windows_boot_files_are_readable", "windows_finishes_servicing")
    }


def test_a_loop_is_likely_only_and_needs_an_agent_that_once_reported() -> None:
    assert finding("windows_does_not_crash", *silent(START * 6)).confidence == "likely"
    never = f.drop("resources", f.VM.lower(), "properties", "instanceView", "vmAgent")
    assert "reboot-loop" not in faults(*silent(START * 6), never)


@pytest.mark.parametrize("screen", ["shutting-down", "restarting", "group-policy-wait", "session-manager-wait"])
def test_what_lasts_only_minutes_is_not_called_stuck(screen: str) -> None:
    check = "windows_leaves_its_waiting_screens"
    assert finding(check, *silent(screen=screen), restarted(3 * MINUTE)).confidence == "possible"
    assert diagnosis(*silent(screen=screen), restarted(3 * MINUTE)).verdict.status == "not_proven"
    assert finding(check, *silent(screen=screen), restarted(40 * MINUTE)).confidence == "confirmed"
    assert finding(check, *silent(screen=screen), f.hide("changes")).status == "unknown"


def test_the_sick_host_explains_a_frozen_picture() -> None:
    ill = {"availabilityState": "Unavailable", "reasonType": "Unplanned", "context": "Platform Initiated"}
    frozen = silent(screen="frozen-clock")
    assert diagnosis(*frozen, f.operation("resource_health", f.VM, {"properties": ill})).verdict.causes == [
        "platform-unavailable"
    ]
    assert finding("windows_responds", *frozen, f.hide("resource_health", f.VM)).status == "unknown"
    assert finding("windows_responds", *frozen, restarted(MINUTE, "start")).status == "unknown"
    assert finding("windows_responds", *silent()).status == "unknown"


def test_an_unread_serial_log_is_unknown_and_a_ready_agent_needs_none() -> None:
    hidden = (f.silent, f.agent_not_ready)
    assert finding("windows_boots_in_normal_mode", *hidden).status == "unknown"
    assert finding("windows_does_not_crash", f.hide("guest", reason="timeout")).status == "pass"


@pytest.mark.parametrize(
    ("mode", "pending", "expected"),
    [
        ("Minimal", None, ("boot-safe-mode", "blocks")),
        ("Network", None, ("boot-safe-mode", "degrades")),
        ("DsRepair", None, ("dsrm-or-directory-init-failure", "degrades")),
        (None, "Minimal", ("boot-safe-mode", "risk")),
        (None, None, (None, None)),
    ],
)
def test_safe_mode(mode: str | None, pending: str | None, expected: tuple[str | None, str | None]) -> None:
    one = finding("windows_boots_in_normal_mode", f.guest("os", "safe_mode", value=mode), system(safe_boot=pending))
    assert (one.fault, one.effect) == expected


def test_a_crash_of_today_is_told_and_one_of_yesterday_is_not() -> None:
    crash = "Microsoft-Windows-WER-SystemErrorReporting"
    one = finding("windows_does_not_crash", event(crash, 1001, HOUR, data=("0x000000d1 (0x0, 0x2)", "C:\\MEMORY.DMP")))
    assert (one.fault, one.effect, one.evidence["stop_code"]) == ("bsod", "risk", "0x000000d1")
    assert faults(event(crash, 1001, 2 * DAY)) == set()
    assert faults(event("Microsoft-Windows-Kernel-Power", 41, HOUR)) == set()
    assert finding("windows_does_not_crash", f.hide("guest.events")).status == "unknown"


@pytest.mark.parametrize(
    ("free", "fault", "effect"),
    [
        (0, "os-disk-full", "degrades"),
        (99, "os-disk-full", "degrades"),
        (900, "os-disk-full", "risk"),
        (1024, None, None),
    ],
)
def test_free_space(free: int, fault: str | None, effect: str | None) -> None:
    one = finding("system_drive_has_space", system(disk=free))
    assert (one.fault, one.effect) == (fault, effect)


@pytest.mark.parametrize(("load", "fault"), [(100, "high-cpu"), (95, "high-cpu"), (94, None), (4, None)])
def test_load(load: int, fault: str | None) -> None:
    one = finding("processors_are_not_busy", system(cpu=load, top_cpu="ReportBuilder"))
    assert one.fault == fault
    assert fault is None or (one.confidence == "likely" and "ReportBuilder" in str(one.reason))


@pytest.mark.parametrize(
    ("memory", "warned", "fault"),
    [
        ([8192, 40, 9536, 6000], None, "low-memory"),
        ([8192, 5000, 9536, 100], None, "low-memory"),
        ([8192, 600, 9536, 6000], None, None),
        ([8192, 600, 9536, 6000], 12 * MINUTE, "low-memory"),
        ([8192, 3900, 9536, 6000], 12 * MINUTE, None),
        ([8192, 600, 9536, 6000], 2 * HOUR, None),
    ],
)
def test_memory(memory: list[int], warned: timedelta | None, fault: str | None) -> None:
    logged = [event("Microsoft-Windows-Resource-Exhaustion-Detector", 2004, warned)] if warned else []
    assert finding("memory_is_not_exhausted", system(memory=memory), *logged).fault == fault


def test_scarce_memory_is_unknown_where_the_events_are() -> None:
    scarce = system(memory=[8192, 600, 9536, 6000])
    assert finding("memory_is_not_exhausted", scarce, f.hide("guest.events")).status == "unknown"


@pytest.mark.parametrize(
    ("ago", "count", "fault"),
    [
        (MINUTE, 30, "disk-throttled-or-offline"),
        (MINUTE, 10, "disk-throttled-or-offline"),
        (MINUTE, 9, None),
        (MINUTE, 1, None),
        (HOUR, 200, None),
    ],
)
def test_retried_disk_requests(ago: timedelta, count: int, fault: str | None) -> None:
    assert finding("system_disk_keeps_up", event("disk", 153, ago, count)).fault == fault


def test_a_missing_module_stops_a_service() -> None:
    def stopped(code: int, start_type: str = "Manual") -> tuple[Change, ...]:
        return f.service("Stopped", start_type), f.guest("services", "TermService", "exit_code", value=code)

    assert "component-or-hive-corruption" in faults(*stopped(126))
    assert "component-or-hive-corruption" not in faults(*stopped(1077))
    assert "component-or-hive-corruption" not in faults(*stopped(126, "Disabled"))
    assert "component-or-hive-corruption" not in faults(f.guest("services", "TermService", "exit_code", value=126))
    assert finding("windows_components_are_intact", f.hide("guest.services.TermService")).status == "unknown"


def test_ems_is_judged_on_servers_only() -> None:
    assert finding("serial_console_has_sac", system(ems="No")).fault == "emergency-access-missing"
    assert diagnosis(system(ems="absent")).verdict.status == "reachable"
    assert (
        finding("serial_console_has_sac", system(ems="absent"), f.guest("os", "product_type", value=1)).status
        == "skipped"
    )
    assert finding("serial_console_has_sac", f.service("Stopped", "Manual", "sacsvr")).status == "pass"


@pytest.mark.parametrize(
    ("item", "check"),
    [
        ("system.disk", "system_drive_has_space"),
        ("system.memory", "memory_is_not_exhausted"),
        ("system.cpu", "processors_are_not_busy"),
        ("system.boot", "serial_console_has_sac"),
    ],
)
def test_an_item_that_could_not_be_read_is_unknown(item: str, check: str) -> None:
    assert finding(check, unread(item)).status == "unknown"
    assert finding(check, f.hide("guest.system")).status == "unknown"
    assert finding(check, system(disk=None, memory=None, cpu=None, ems=None)).status == "unknown"


def stopped_inside(ago: timedelta, name: str = "VirtualMachineStoppedInternally") -> Change:
    def change(data: dict[str, Any]) -> None:
        at = (f.at(data) - ago).strftime("%Y-%m-%dT%H:%M:%SZ")
        row = {"annotationName": name, "context": "Customer Initiated", "occurredTime": at}
        data["operations"]["resource_annotations"][f.VM.lower()]["value"].append({"properties": row})

    return change


def test_a_shutdown_from_inside() -> None:
    off = f.powered("stopped")
    both = {"vm-stopped-allocated", "guest-initiated-shutdown"}
    assert faults(off, stopped_inside(HOUR)) == both
    assert diagnosis(off, stopped_inside(HOUR)).verdict.hop == "platform"
    assert faults(off, stopped_inside(HOUR, "VirtualMachineStopInitiatedByControlPlane")) == {"vm-stopped-allocated"}
    assert faults(off, stopped_inside(HOUR), restarted(MINUTE, "powerOff")) == {"vm-stopped-allocated"}
    assert faults(f.powered("deallocated"), stopped_inside(HOUR)) == {"vm-deallocated"}
    assert faults(stopped_inside(HOUR)) == set()
    hidden = finding("windows_was_not_shut_down_inside", off, stopped_inside(HOUR), f.hide("changes"))
    assert hidden.status == "unknown"
