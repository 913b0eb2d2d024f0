"""Commands for a person: when they are given, for which cause, and what they do in Windows, line by line."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.cli.classic_export import bundle_of_export, read_export
from rdp_remediate.cli.diagnose import report_of_bundle
from rdp_remediate.diagnosis import diagnose_bundle
from rdp_remediate.models.bundle import Bundle, Mode, Policy, Target
from rdp_remediate.models.plan import JournalEntry, Outcome, Risk, Step
from rdp_remediate.models.report import PasteBlock, Report
from rdp_remediate.models.run import Run
from rdp_remediate.report import card, html, text
from rdp_remediate.report.paste_lines import FAULTS, LOOK, OFFLINE, step_block
from rdp_remediate.report.ready_to_paste import paste_blocks
from tests import factories as f
from tests.stage import incident
from tests.winps import Winps, shared_winps

DENY = r"TS\fDenyTSConnections"
NOT_RUN = {
    "Enter-PSSession": "remoting",
    "Exit-PSSession": "remoting",
    "Get-AzureVM": "the retired Azure module",
    "Get-AzureCertificate": "the retired Azure module",
    "Restart-AzureVM": "the retired Azure module",
    "Import-Certificate": "needs the certificate of the line before",
    "$certificate.Data": "needs the certificate of the line before",
}
"""What winps does not simulate: these lines are shown and were never run."""


@pytest.fixture(scope="module")
def winps() -> Winps:
    return shared_winps()


def report(*changes: f.Change) -> Report:
    return report_of_bundle(f.healthy_bundle(*changes))


def unseen(reason: str = "unreachable") -> f.Change:
    def change(data: dict[str, Any]) -> None:
        data["guest"] = None
        data["probes"] = []
        data["unavailable"].append({"fact": "guest", "resource_id": None, "reason": reason, "detail": "why"})

    return change


def titles(blocks: list[PasteBlock]) -> list[str]:
    return [block.title for block in blocks]


# When


@pytest.mark.parametrize("reason", ["unreachable", "forbidden", "not_configured", "timeout", "malformed"])
def test_without_a_channel_the_way_in_comes_first_then_looking_then_repairs_under_conditions(reason: str) -> None:
    blocks = report(unseen(reason)).paste
    assert blocks[0].title.startswith("A way in: remote PowerShell")
    assert "10.0.0.4" in blocks[0].lines[0]
    assert blocks[1].lines[0].startswith("az serial-console connect --subscription ")
    assert blocks[2] == LOOK
    assert blocks[-1].title.startswith("Give the VM the repaired disk") is (reason == "unreachable")
    repairs = [block for block in blocks[3:] if block.prompt != "azure_cli" and block not in (OFFLINE[0], OFFLINE[-1])]
    assert repairs
    assert all(block.only_if for block in repairs), "the cause was not seen: nothing is typed unlooked"
    assert any("az vm repair create" in line for block in blocks for line in block.lines) is (reason == "unreachable")


@pytest.mark.parametrize("reason", ["busy", "not_running", "throttled"])
def test_what_is_waited_for_or_switched_on_needs_nobody_to_type(reason: str) -> None:
    assert report(unseen(reason)).paste == []


def test_a_reachable_a_stopped_and_a_deliberately_closed_vm_get_nothing() -> None:
    assert report().paste == []
    assert report(f.powered("deallocated")).paste == []


def test_a_cause_that_a_step_repairs_needs_nobody_to_type() -> None:
    assert report(f.registry(DENY, 1)).paste == []


def test_a_setting_that_a_policy_owns_has_no_commands() -> None:
    found = report(f.registry(r"POL\fDenyTSConnections", 1))
    assert found.verdict.causes == ["rdp-disabled-policy"]
    assert found.paste == []


def test_on_a_domain_controller_the_exact_cause_has_its_commands_and_names_who_decides() -> None:
    found = report(f.registry(DENY, 1), f.guest("os", "domain_role", value=5))
    [block] = found.paste
    assert block.faults == ["rdp-disabled-local"]
    assert block.only_if is None
    assert "directory team" in str(block.note)


def test_an_agent_that_is_not_ready_gets_its_own_lines() -> None:
    blocks = report(f.agent_not_ready, unseen()).paste
    [agent] = [block for block in blocks if block.faults == ["agent-not-ready"]]
    assert agent.lines == FAULTS["agent-not-ready"].lines


def test_boot_diagnostics_that_are_off_are_said() -> None:
    off = f.resource(f.VM, "properties", "diagnosticsProfile", value={"bootDiagnostics": {"enabled": False}})
    assert "off on this VM" in str(report(unseen(), off).paste[1].note)


def step(kind: str, target: dict[str, Any], desired: Any, **more: Any) -> Step:
    return Step(
        step_id=f"x-{kind}", fix="x", faults=["x"], group="x", layer="guest", kind=kind, target=target, expected=None,
        desired=desired, title=f"Do {kind}", postcondition="done", risk=Risk.SAFE, **more,
    )  # fmt: skip


def entry(one: Step, outcome: Outcome) -> JournalEntry:
    at = datetime(2026, 1, 15, 10, 0, tzinfo=UTC)
    return JournalEntry(
        run_id="r", vm_id=f.VM, number=1, pass_number=1, step=one, outcome=outcome, started_at=at, ended_at=at
    )


@pytest.mark.parametrize(
    ("outcome", "given"),
    [(Outcome.OUTCOME_UNKNOWN, True), (Outcome.FAILED, True), (Outcome.APPLIED, False), (Outcome.NOT_STARTED, False)],
)
def test_a_repair_whose_channel_was_lost_is_given_as_commands_for_exactly_its_cause(
    outcome: Outcome, given: bool
) -> None:
    bundle = f.healthy_bundle(unseen())
    run = Run(run_id="r", target=bundle.target, incident=incident(), policy=bundle.policy, mode=Mode.AUTO, tier=2,
              created_at=bundle.collected_at)  # fmt: skip
    lost = step("registry", {"path": DENY}, 0, approval="exposing: open to everybody")
    blocks = paste_blocks(run, [bundle], [diagnose_bundle(bundle)], [entry(lost, outcome)])
    assert ("Do registry" in titles(blocks)) is given
    assert (LOOK in blocks) is not given
    if given:
        assert "exposing" in str(next(b.note for b in blocks if b.title == "Do registry"))
    hint = run.model_copy(update={"tier": 1})
    assert paste_blocks(hint, [bundle], [diagnose_bundle(bundle)], []) == []


@pytest.mark.parametrize(
    "strange",
    [
        step("registry", {"path": r"XX\Value"}, 0),
        step("registry", {"path": r'TS\a" & calc'}, 0),
        step("registry", {"path": DENY}, "text"),
        step("service_state", {"service": "x; calc"}, "Running"),
        step("firewall_rule", {"rule": "x'y"}, True),
        step("certificate_bind", {"x": 1}, "y"),
    ],
)
def test_what_is_no_plain_name_or_kind_is_not_made_into_a_command(strange: Step) -> None:
    assert step_block(strange) is None


# Every line in Windows


def everywhere() -> list[str]:
    """Every line that this program can give for inside Windows, but those of NOT_RUN."""
    return [line for block in (LOOK, *FAULTS.values()) for line in block.lines]


@pytest.mark.slow
@pytest.mark.parametrize("base", ["server2022", "server2016", "server2022-de", "win11", "server2022-core"])
def test_every_line_runs_and_looking_changes_nothing(base: str, winps: Winps) -> None:
    for line in everywhere():
        done = winps.run(line, {"base": base})
        assert done["errors"] == [], (base, line)
        assert done["not_simulated"] == [], (base, line)
        if line in LOOK.lines:
            assert done["mutations"] == [], (base, line)


def prepared(winps: Winps, script: str, base: str = "server2022") -> dict[str, Any]:
    """The state that a script of the test makes of a healthy Windows."""
    done = winps.run(script, {"base": base})
    assert done["errors"] == []
    state: dict[str, Any] = done["state"]
    return state


BREAKS = {
    "rdp-disabled-local": r"Set-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal Server' fDenyTSConnections 1",
    "termservice-disabled": "Stop-Service TermService -Force; Set-Service TermService -StartupType Disabled",
    "termservice-stopped": "Stop-Service TermService -Force",
    "fw-rdp-rule-disabled": "Disable-NetFirewallRule -Name RemoteDesktop-UserMode-In-TCP",
}


def deciding(state: dict[str, Any]) -> Any:
    rules = {rule["name"]: rule["enabled"] for rule in state["firewall"]["rules"]}
    service = state["services"]["TermService"]
    return rules["RemoteDesktop-UserMode-In-TCP"], service["state"], service["start_type"]


@pytest.mark.slow
@pytest.mark.parametrize("base", ["server2022", "server2022-de"])
@pytest.mark.parametrize("fault", sorted(BREAKS))
def test_the_lines_of_a_fault_repair_it(fault: str, base: str, winps: Winps) -> None:
    broken = prepared(winps, BREAKS[fault], base)
    done = winps.run("\n".join(FAULTS[fault].lines), broken)
    assert (done["errors"], done["not_simulated"]) == ([], [])
    assert done["mutations"]
    look = r"(Get-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal Server').fDenyTSConnections"
    assert winps.run(look, done["state"])["stdout"].strip() == "0"
    assert deciding(done["state"]) == deciding(winps.state(base))


@pytest.mark.slow
def test_the_lines_for_a_copied_disk_run_against_a_registry_that_is_there(winps: Winps) -> None:
    lines = [line for block in OFFLINE for line in block.lines]
    # Loading and unloading a hive is not simulated: the lines between are run on the running registry in its place.
    between = [line for line in lines if not line.startswith(("reg load", "reg unload"))]
    assert len(between) == len(lines) - 2
    script = "\n".join(between).replace(r"HKLM\BROKEN", r"HKLM\SYSTEM").replace("ControlSet001", "CurrentControlSet")
    broken = prepared(winps, f"{BREAKS['rdp-disabled-local']}; {BREAKS['termservice-disabled']}")
    done = winps.run(script, broken)
    assert (done["errors"], done["not_simulated"]) == ([], [])
    names = [one["target"].rsplit("\\", 1)[-1] for one in done["mutations"] if one["op"] == "registry.set"]
    assert names == ["fDenyTSConnections", "Start"]


STEPS = [
    (step("registry", {"path": DENY}, 0), BREAKS["rdp-disabled-local"]),
    (step("registry", {"path": r"RT\PortNumber"}, 3389), "$null"),
    (step("registry", {"path": r"TS\TSServerDrainMode"}, None),
     r"Set-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal Server' TSServerDrainMode 1 -Type DWord"),
    (step("service_start", {"service": "TermService"}, "Manual"), BREAKS["termservice-disabled"]),
    (step("service_state", {"service": "TermService"}, "Running"), BREAKS["termservice-stopped"]),
    (step("service_state", {"service": "SessionEnv"}, "Stopped"), "Start-Service SessionEnv"),
    (step("service_restart", {"service": "TermService"}, None), "$null"),
    (step("firewall_rule", {"rule": "RemoteDesktop-UserMode-In-TCP"}, True), BREAKS["fw-rdp-rule-disabled"]),
    (step("firewall_rule", {"rule": "RemoteDesktop-UserMode-In-TCP"}, False), "$null"),
    (step("firewall_profile", {"profile": "Public", "setting": "allow_inbound_rules"}, True),
     "Set-NetFirewallProfile -Name Public -AllowInboundRules False"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("one", "before"), STEPS, ids=lambda value: value.kind if isinstance(value, Step) else "")
def test_the_lines_of_a_step_do_what_the_step_does(one: Step, before: str, winps: Winps) -> None:
    block = step_block(one)
    assert block is not None
    done = winps.run("\n".join(block.lines), prepared(winps, before))
    assert (done["errors"], done["not_simulated"]) == ([], [])
    assert done["mutations"]


# Classic


ENDPOINTS = [
    {"Name": "RDP", "Port": 57123, "LocalPort": 3389, "Protocol": "tcp", "EndpointAcl": None},
    {"Name": "PowerShell", "Port": 57986, "LocalPort": 5986, "Protocol": "tcp", "EndpointAcl": None},
]
EXPORT = {
    "ServiceName": "shop-svc",
    "DNSName": "http://shop-svc.cloudapp.net/",
    "Name": "old1",
    "VM": {
        "DefaultWinRMCertificateThumbprint": "A" * 40,
        "ConfigurationSets": [{"InputEndpoints": ENDPOINTS}],
    },
}


def classic(export: Any, tmp_path: Path) -> Report:
    file = tmp_path / "export.json"
    file.write_text(json.dumps(export), encoding="utf-8")
    target = Target(vm_id="old1", client_address="203.0.113.7")
    bundle: Bundle = bundle_of_export(read_export(file), "old1", target, Policy(), datetime(2026, 1, 15, tzinfo=UTC))
    return report_of_bundle(bundle)


def test_a_whole_export_names_service_certificate_and_endpoint(tmp_path: Path) -> None:
    found = classic(EXPORT, tmp_path)
    assert found.verdict.causes == ["classic-endpoint-wrong-port"]
    lines = [line for block in found.paste for line in block.lines]
    assert lines[:3] == ["$service = 'shop-svc'", "$vm = 'old1'", f"$thumbprint = '{'A' * 40}'"]
    assert any(
        line.startswith("Enter-PSSession -ComputerName 'shop-svc.cloudapp.net' -Port 57986 -UseSSL") for line in lines
    )
    assert [line.split()[0] for line in lines[3:]] == [
        "$certificate", "$certificate.Data", "Import-Certificate", "Enter-PSSession", "Get-ItemProperty",
        "Set-ItemProperty", "Exit-PSSession", "Get-AzureVM", "Restart-AzureVM",
    ]  # fmt: skip
    assert "SkipCACheck" not in " ".join(lines)


def test_endpoints_alone_leave_the_service_to_be_asked(tmp_path: Path) -> None:
    lines = [line for block in classic(ENDPOINTS, tmp_path).paste for line in block.lines]
    assert lines[0].startswith("$service = Read-Host")
    assert any("Get-AzureWinRMUri" in line for line in lines)


@pytest.mark.parametrize("name", ["x'; calc; '", "\u2019; calc", "a b", "-"])
def test_words_of_an_export_that_are_none_are_left_out(name: str, tmp_path: Path) -> None:
    found = classic({**EXPORT, "ServiceName": name, "DNSName": f"http://{name}/"}, tmp_path)
    assert not any("calc" in line for block in found.paste for line in block.lines)


@pytest.mark.slow
def test_the_lines_of_the_session_run_in_windows_but_those_that_are_named_as_not_run(
    tmp_path: Path, winps: Winps
) -> None:
    lines = [line for block in classic(EXPORT, tmp_path).paste for line in block.lines]
    skipped = [line for line in lines if line.startswith(tuple(NOT_RUN)) or "Get-AzureCertificate" in line]
    ran = [line for line in lines if line not in skipped]
    done = winps.run("\n".join(ran), {"base": "server2022"})
    assert (done["errors"], done["not_simulated"]) == ([], [])
    assert [one["target"].rsplit("\\", 1)[-1] for one in done["mutations"]] == ["PortNumber"]
    checked = tmp_path / "lines.ps1"
    checked.write_text("\n".join(ran), encoding="ascii")
    assert [one for one in winps.check(checked) if one["severity"] == "error"] == []


# Everywhere shown


def test_every_rendering_holds_the_commands_whole() -> None:
    found = report(unseen())
    lines = [line for block in found.paste for line in block.lines]
    said = text.lines(found)
    assert all(f"    {line}" in said for line in lines)
    page = html.page(found)
    assert all(line.split('"')[0].split("'")[0] in page for line in lines)
    shown = json.loads(card.message(found))
    words = json.dumps(shown, ensure_ascii=False)
    assert "Ready to paste" in words
    assert json.loads(found.model_dump_json(by_alias=True))["paste"]


def test_no_line_holds_a_secret_or_asks_for_one_on_the_command_line() -> None:
    lines = [line for block in report(f.agent_not_ready, unseen()).paste for line in block.lines] + everywhere()
    assert not [line for line in lines if "password" in line.lower() or "pwd" in line.lower()]
