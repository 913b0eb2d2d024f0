"""TermService, its listener and the sessions: what is a fault, what only looks like one, what could not be seen."""

from datetime import timedelta
from typing import Any

import pytest

from rdp_remediate.diagnosis import diagnose
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.plan import Plan
from rdp_remediate.models.report import Finding
from rdp_remediate.planning import plan
from tests import factories as f
from tests.factories import Change, healthy_bundle, hide

SCM = "Service Control Manager"
RCM = "Microsoft-Windows-TerminalServices-RemoteConnectionManager"


def term(**fields: Any) -> Change:
    def change(data: JsonObject) -> None:
        data["guest"]["services"]["TermService"].update(fields)

    return change


def stopped(exit_code: int, **fields: Any) -> Change:
    return term(state="Stopped", pid=0, exit_code=exit_code, **fields)


def seen(**fields: Any) -> Change:
    def change(data: JsonObject) -> None:
        data["guest"]["remote_desktop"].update(fields)

    return change


def logged(
    event_id: int, *values: str, provider: str = SCM, ago: timedelta = timedelta(minutes=20), count: int = 1
) -> Change:
    def change(data: JsonObject) -> None:
        at = (f.at(data) - ago).strftime("%Y-%m-%dT%H:%M:%SZ")
        row = {"at": at, "log": "System", "provider": provider, "id": event_id, "count": count, "data": list(values)}
        data["guest"]["events"].append(row)

    return change


def findings(*changes: Change) -> dict[str, Finding]:
    return {one.check: one for one in diagnose(read_facts(healthy_bundle(*changes))).findings}


def judged(check: str, *changes: Change) -> tuple[str, str | None]:
    one = findings(*changes)[check]
    return one.status.value, one.fault


def planned(*changes: Change) -> Plan:
    facts = read_facts(healthy_bundle(*changes))
    return plan(facts, diagnose(facts).findings)


TAMPERED_DLL = f.registry(r"SVC\TermService\Parameters\ServiceDll", r"C:\Program Files\RDP Wrapper\rdpwrap.dll")
FOREIGN_ACCOUNT = term(account=".\\svc-rdp")
HANG = (term(state="StopPending"), logged(7011, "30000", "TermService"))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ((), None),
        ((stopped(0),), None),
        ((stopped(1077), logged(7023, "Remote Desktop Services", "%%5")), None),
        ((stopped(5),), "termservice-access-denied"),
        ((stopped(1067),), "termservice-hang-or-crash"),
        ((stopped(126), logged(7023, "Remote Desktop Services", "%%126")), "termservice-hang-or-crash"),
        ((stopped(126), logged(7023, "Remote Desktop Services", "%%2")), None),
        ((stopped(126), logged(7023, "Print Spooler", "%%126")), None),
        ((seen(display_name="Remotedesktopdienste"), stopped(126), logged(7023, "Remotedesktopdienste", "%%126")),
         "termservice-hang-or-crash"),
        (HANG, "termservice-hang-or-crash"),
        ((logged(7011, "30000", "TermService"),), None),
        ((logged(7034, "Remote Desktop Services", "3", count=3),), "termservice-hang-or-crash"),
        ((logged(7034, "Remote Desktop Services", "3", count=3, ago=timedelta(days=3)),), None),
        ((stopped(1069), FOREIGN_ACCOUNT, seen(account_sid="none")), "termservice-wrong-account"),
        ((stopped(1069),), None),
        ((term(account="NT-AUTORITÄT\\NETZWERKDIENST"), seen(account_sid="S-1-5-20")), None),
        ((term(account="LocalSystem"), seen(account_sid="S-1-5-18")), "termservice-wrong-account"),
        ((stopped(1075, depends_on=["RPCSS", "TermDD2"]), seen(missing_dependencies=["TermDD2"])),
         "termservice-dependency-failed"),
        ((stopped(1075),), None),
        ((stopped(1068, depends_on=["RPCSS", "KeyIso"]), f.service("Stopped", "Disabled", "KeyIso")),
         "termservice-dependency-failed"),
        ((stopped(0, depends_on=["RPCSS", "KeyIso"]), f.service("Stopped", "Manual", "KeyIso")), None),
    ],
)  # fmt: skip
def test_what_keeps_term_service_from_starting(changes: tuple[Change, ...], fault: str | None) -> None:
    assert judged("term_service_can_start", *changes) == ("fail" if fault else "pass", fault)


@pytest.mark.parametrize(
    "changes",
    [
        (term(state="StopPending"),),
        (term(state="StopPending"), logged(7011, "30000", "TermService", ago=timedelta(hours=5))),
        (*HANG, hide("guest.events")),
        (stopped(126), hide("guest.events")),
        (stopped(1069), FOREIGN_ACCOUNT, hide("guest.remote_desktop")),
        (stopped(1069), FOREIGN_ACCOUNT, hide("guest.remote_desktop.account_sid")),
        (term(account=None),),
        (stopped(1075, depends_on=["RPCSS", "TermDD2"]), hide("guest.remote_desktop.missing_dependencies")),
        (hide("guest.services.TermService"),),
    ],
)
def test_what_is_not_seen_keeps_nothing_from_starting(changes: tuple[Change, ...]) -> None:
    assert judged("term_service_can_start", *changes) == ("unknown", None)
    assert judged("term_service_is_running", *changes)[0] in ("unknown", "pass")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ((stopped(5),), "skipped"),
        ((stopped(1067),), "skipped"),
        ((stopped(0), TAMPERED_DLL), "skipped"),
        ((stopped(0),), "fail"),
    ],
)
def test_a_service_that_cannot_start_is_not_merely_stopped(changes: tuple[Change, ...], status: str) -> None:
    assert judged("term_service_is_running", *changes)[0] == status


@pytest.mark.parametrize(
    ("changes", "expected", "effect"),
    [
        ((), ("pass", None), None),
        (
            (f.registry(r"SVC\TermService\Parameters\ServiceDll", r"%SystemRoot%\System32\termsrv.dll"),),
            ("pass", None),
            None,
        ),
        ((TAMPERED_DLL,), ("fail", "termservice-dll-tampered"), "risk"),
        ((TAMPERED_DLL, stopped(1067)), ("fail", "termservice-dll-tampered"), "blocks"),
        ((seen(file_signature="HashMismatch"),), ("fail", "termservice-dll-tampered"), "risk"),
        ((seen(file_signature="NotSigned"),), ("unknown", None), None),
        ((f.registry(r"SVC\TermService\Parameters\ServiceDll", None),), ("unknown", None), None),
        ((hide("guest.remote_desktop"),), ("unknown", None), None),
    ],
)
def test_the_code_in_term_service(
    changes: tuple[Change, ...], expected: tuple[str, str | None], effect: str | None
) -> None:
    one = findings(*changes)["term_service_loads_its_own_code"]
    assert ((one.status.value, one.fault), one.effect) == (expected, effect)


NO_CERTIFICATE = f.guest("certificate", "bound_thumbprint", value=None)


@pytest.mark.parametrize(
    ("check", "changes", "fault", "effect"),
    [
        ("port_redirector_can_start", (f.service("Stopped", "Manual", "UmRdpService"),), None, None),
        ("port_redirector_can_start", (f.service("Stopped", "Disabled", "UmRdpService"),), "umrdpservice-disabled", "degrades"),
        ("session_environment_can_start", (f.service("Stopped", "Manual", "SessionEnv"),), None, None),
        ("session_environment_can_start", (f.service("Stopped", "Disabled", "SessionEnv"),), "sessionenv-disabled", "degrades"),
        ("session_environment_can_start", (f.service("Stopped", "Disabled", "SessionEnv"), NO_CERTIFICATE),
         "sessionenv-disabled", "blocks"),
        ("crypto_services_can_start", (f.service("Stopped", "Manual", "KeyIso"), NO_CERTIFICATE), None, None),
        ("crypto_services_can_start", (f.service("Stopped", "Disabled", "CryptSvc"), NO_CERTIFICATE),
         "crypto-services-down", "blocks"),
        ("crypto_services_can_start", (f.service("Stopped", "Disabled", "CertPropSvc"),), "crypto-services-down", "degrades"),
    ],
)  # fmt: skip
def test_helper_services(check: str, changes: tuple[Change, ...], fault: str | None, effect: str | None) -> None:
    one = findings(*changes)[check]
    assert (one.status.value, one.fault, one.effect) == ("fail" if fault else "pass", fault, effect)


@pytest.mark.parametrize(
    ("check", "path", "value", "status"),
    [
        ("listener_is_enabled", r"RT\fEnableWinStation", 0, "fail"),
        ("listener_is_enabled", r"RT\fEnableWinStation", None, "unknown"),
        ("listener_is_enabled", r"RT\fEnableWinStation", "0", "unknown"),
        ("listener_takes_logons", r"RT\fLogonDisabled", 1, "fail"),
        ("listener_takes_logons", r"RT\fLogonDisabled", None, "pass"),
        ("listener_takes_logons", r"RT\fLogonDisabled", 2, "unknown"),
        ("terminal_server_is_enabled", r"TS\TSEnabled", 0, "fail"),
        ("terminal_server_is_enabled", r"TS\TSEnabled", None, "pass"),
        ("host_is_not_draining", r"TS\TSServerDrainMode", 1, "by_design"),
        ("host_is_not_draining", r"TS\TSServerDrainMode", 2, "by_design"),
        ("host_is_not_draining", r"TS\TSServerDrainMode", 0, "pass"),
        ("host_is_not_draining", r"TS\TSServerDrainMode", 7, "unknown"),
        ("host_takes_logons", r"TS\TSUserEnabled", 1, "by_design"),
        ("host_takes_logons", r"CV\Winlogon\WinStationsDisabled", "1", "by_design"),
        ("host_takes_logons", r"CV\Winlogon\WinStationsDisabled", "0", "pass"),
        ("host_takes_logons", r"CV\Winlogon\WinStationsDisabled", "x", "unknown"),
        ("listener_is_defined", r"RT\WdName", None, "fail"),
        ("listener_is_defined", r"RT\LoadableProtocol_Object", "", "fail"),
        ("listener_has_room", r"RT\MaxInstanceCount", 0, "fail"),
        ("listener_has_room", r"RT\MaxInstanceCount", 10, "pass"),
        ("listener_has_room", r"RT\MaxInstanceCount", None, "unknown"),
        ("listener_has_room", r"POL\MaxInstanceCount", 0, "fail"),
        ("listener_has_room", r"POL\MaxInstanceCount", 999999, "pass"),
    ],
)
def test_registry_values(check: str, path: str, value: Any, status: str) -> None:
    assert judged(check, f.registry(path, value))[0] == status
    assert judged(check, f.registry(path, value), hide(f"guest.registry.{path}"))[0] == "unknown"


def test_draining_means_nothing_known_on_a_client() -> None:
    client = f.guest("os", "product_type", value=1)
    assert judged("host_is_not_draining", f.registry(r"TS\TSServerDrainMode", 1), client) == ("unknown", None)


@pytest.mark.parametrize(
    ("state", "status"), [("missing", "fail"), ("Up", "pass"), ("Disabled", "unknown"), (None, "unknown")]
)
def test_the_adapter_of_the_listener(state: str | None, status: str) -> None:
    changes = (f.registry(r"RT\LanAdapter", 2), seen(listener_adapter=state))
    assert judged("listener_is_bound_to_a_present_adapter", *changes)[0] == status
    shared_port = logged(1036, "0x2740", provider=RCM)
    assert judged("listener_is_bound_to_a_present_adapter", shared_port)[0] == "pass"


def owner(process: str | None, address: str = "0.0.0.0", pid: int = 5120) -> Change:
    return f.guest("listener", "rows", value=[{"address": address, "port": 3389, "pid": pid, "process": process}])


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ((owner("stunnel"),), "fail"),
        ((owner("stunnel"), stopped(0), f.guest("listener", "term_service_pid", value=None)), "fail"),
        ((owner("nginx", "10.0.0.4"),), "fail"),
        ((owner("ssh", "127.0.0.1"),), "pass"),
        ((owner("svchost"),), "unknown"),
        ((owner("svchost"), seen(port_services=["TermService"])), "unknown"),
        ((owner("svchost"), seen(port_services=["iphlpsvc"])), "fail"),
        ((owner(None),), "fail"),
        ((owner("stunnel"), hide("guest.listener")), "unknown"),
    ],
)
def test_who_has_the_port(changes: tuple[Change, ...], status: str) -> None:
    assert judged("rdp_port_belongs_to_term_service", *changes)[0] == status


TWO = (f.session("ada", 2), f.session("bob", 3, "Disc"))
HOST = seen(session_host=True)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ((f.session("ada", 2),), "pass"),
        ((*TWO, f.target(user="VM1\\carol")), "by_design"),
        ((*TWO, f.target(user="VM1\\Bob")), "pass"),
        ((*TWO, f.target(user="bob@contoso.com")), "pass"),
        ((*TWO, f.target(user="AzureAD\\carol@contoso.com")), "fail"),
        (TWO, "fail"),
        ((*TWO, HOST, f.target(user="carol")), "pass"),
        ((*TWO, HOST, logged(1128, provider=RCM), f.target(user="carol")), "fail"),
        ((*TWO, f.guest("os", "product_type", value=1), f.target(user="carol")), "pass"),
        ((*TWO, hide("guest.remote_desktop"), f.target(user="carol")), "unknown"),
        ((hide("guest.sessions"),), "unknown"),
    ],
)
def test_two_sessions_for_administration(changes: tuple[Change, ...], status: str) -> None:
    one = findings(*changes)["administrators_have_a_free_session"]
    assert one.status == status
    if status == "fail":
        assert one.effect == "degrades", "a limit with a prompt, no failure"


ONE_ALLOWED = f.registry(r"RT\MaxInstanceCount", 1)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ((f.session("ada", 2), f.target(user="carol")), "fail"),
        ((f.session("ada", 2), f.target(user="ada")), "pass"),
        ((f.session("ada", 2),), "unknown"),
        (
            (f.session("ada", 2, "Disc"), f.guest("sessions", {"id": 2}, "name", value=""), f.target(user="carol")),
            "unknown",
        ),
        ((), "pass"),
    ],
)
def test_a_reached_limit_of_connections(changes: tuple[Change, ...], status: str) -> None:
    assert judged("listener_has_room", ONE_ALLOWED, *changes)[0] == status


DROPS = seen(limit_drops={"idle": 2, "time": 0})


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ((f.registry(r"POL\MaxIdleTime", 300000), DROPS), "fail"),
        ((f.registry(r"POL\MaxIdleTime", 300000), seen(limit_drops={"idle": 0, "time": 3})), "pass"),
        ((f.registry(r"RT\MaxIdleTime", 300000), DROPS), "pass"),
        ((f.registry(r"RT\MaxIdleTime", 300000), f.registry(r"RT\fInheritMaxIdleTime", 0), DROPS), "fail"),
        ((f.registry(r"POL\MaxIdleTime", 0), f.registry(r"RT\MaxIdleTime", 9), f.registry(r"RT\fInheritMaxIdleTime", 0), DROPS),
         "pass"),
        ((f.registry(r"POL\MaxConnectionTime", 600000), seen(limit_drops={"idle": 0, "time": 1})), "fail"),
        ((f.registry(r"POL\MaxIdleTime", 300000),), "unknown"),
        ((f.registry(r"POL\MaxIdleTime", 300000), hide("guest.remote_desktop")), "unknown"),
        ((f.registry(r"RT\KeepAliveTimeout", 0),), "pass"),
    ],
)  # fmt: skip
def test_limits_that_end_sessions(changes: tuple[Change, ...], status: str) -> None:
    assert judged("sessions_outlive_their_limits", *changes)[0] == status


# What is planned


def test_one_restart_serves_every_setting_that_needs_it() -> None:
    made = planned(
        f.registry(r"RT\fEnableWinStation", 0), f.registry(r"RT\fLogonDisabled", 1), f.registry(r"RT\LanAdapter", 2),
        seen(listener_adapter="missing"), f.session("ada"),
    )  # fmt: skip
    assert [step.kind for step in made.steps] == ["registry", "registry", "registry", "service_restart"]
    assert {step.group for step in made.steps} == {"restart_term_service"}
    assert all("people are signed in: ada" in (step.approval or "") and step.sessions == [2] for step in made.steps)
    assert len({step.step_id for step in made.steps}) == 4
    restart = made.steps[-1]
    assert not restart.undoable
    assert set(restart.faults) == {"listener-disabled", "listener-logon-disabled", "listener-bound-to-wrong-adapter"}


def test_a_stopped_service_reads_its_settings_when_it_starts() -> None:
    made = planned(f.registry(r"RT\fEnableWinStation", 0), stopped(0))
    assert [step.kind for step in made.steps] == ["registry", "service_state"]
    assert {step.group for step in made.steps} == {"restart_term_service"}, "the start waits for the setting"


def test_settings_that_need_a_restart_wait_for_the_sight_of_the_service() -> None:
    made = planned(f.registry(r"RT\fEnableWinStation", 0), hide("guest.services"))
    assert made.steps == []
    assert {refusal.code for refusal in made.refusals if refusal.fault == "listener-disabled"} == {"unseen"}


@pytest.mark.parametrize(
    ("changes", "fault", "code"),
    [
        ((stopped(1067), TAMPERED_DLL), "termservice-hang-or-crash", "foreign_code"),
        ((stopped(0, start_type="Disabled"), TAMPERED_DLL), "termservice-disabled", "foreign_code"),
        ((stopped(5, start_type="Disabled"),), "termservice-disabled", "other_cause_first"),
        ((f.registry(r"TS\TSServerDrainMode", 2), HOST), "drain-mode", "deliberate"),
        ((f.registry(r"POL\MaxInstanceCount", 0),), "max-instance-count", "policy_owned"),
        ((f.registry(r"POL\MaxIdleTime", 300000), DROPS), "session-timeout-drops", "policy_owned"),
        ((owner("svchost"), seen(port_services=["iphlpsvc"])), "rdp-port-conflict", "part_of_windows"),
        ((owner("System", pid=4),), "rdp-port-conflict", "part_of_windows"),
        ((f.session("ada", 2), f.session("bob", 3), f.target(user="carol")), "admin-session-limit", "sessions_in_use"),
        ((f.registry(r"RT\WdName", None),), "listener-key-missing-or-corrupt", "by_hand"),
        ((stopped(5),), "termservice-access-denied", "by_hand"),
    ],
)
def test_what_is_not_ours_to_repair(changes: tuple[Change, ...], fault: str, code: str) -> None:
    made = planned(*changes)
    assert [step for step in made.steps if fault in step.faults] == []
    assert code in {refusal.code for refusal in made.refusals if refusal.fault == fault}


@pytest.mark.parametrize(
    ("changes", "kinds", "waits"),
    [
        ((stopped(1069), FOREIGN_ACCOUNT, seen(account_sid="none")), ["service_account", "service_state"], False),
        ((f.service("Stopped", "Disabled", "UmRdpService"),), ["service_start", "service_state"], False),
        ((f.service("Stopped", "Disabled", "CertPropSvc"),), ["service_start", "service_state"], True),
        (
            (f.service("Stopped", "Disabled", "CertPropSvc"), NO_CERTIFICATE),
            ["service_start", "service_state", "service_restart"],
            False,
        ),
        ((f.registry(r"RT\MaxInstanceCount", 0),), ["registry"], False),
        ((ONE_ALLOWED, HOST, f.session("ada"), f.target(user="carol")), ["registry"], True),
        (HANG, ["service_recovery"], True),
        ((stopped(1067),), ["service_state"], True),
        ((f.registry(r"TS\TSEnabled", 0),), ["registry"], True),
        ((f.registry(r"TS\TSServerDrainMode", 1),), ["registry"], True),
        ((owner("stunnel"),), ["port_owner", "service_restart"], True),
        ((f.registry(f.DENY_LOCAL, 1), f.registry(f.DENY_POLICY, 0)), ["registry"], False),
    ],
)
def test_what_is_repaired_and_what_waits(changes: tuple[Change, ...], kinds: list[str], waits: bool) -> None:
    made = planned(*changes, f.policy(auto_risks=["disruptive", "exposing", "sensitive"] if waits else []))
    assert [step.kind for step in made.steps] == kinds
    assert all((step.approval is not None) is (waits or step.kind == "service_restart") for step in made.steps)
