"""A saved bundle is judged offline as it was judged live; what it holds is primitive facts, and each of them counts."""

import asyncio
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.checks.check import all_checks
from rdp_remediate.cli.diagnose import read_bundle, report_of_bundle
from rdp_remediate.cli.lab_services import environment_of, open_lab
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import FindingStatus, Report
from tests import factories as f
from tests.acceptance.command_line import Answer, beside, command
from tests.acceptance.playing import options
from tests.factories import Change

pytestmark = pytest.mark.slow

NOT_COMPARED = {"timings", "created_at", "incident_id", "run_id"}
"""Timings and ids: when the run was made and how long it took, the id of the event and the run that follows from it."""

RISKS = (Risk.SAFE, Risk.DISRUPTIVE, Risk.EXPOSING, Risk.SENSITIVE)


@dataclass(frozen=True)
class Saved:
    """A live observe run and the text of the bundle that it saved."""

    live: Answer
    text: str


@cache
def saved(name: str) -> Saved:
    """Diagnoses a scenario live, once for all tests, and keeps its bundle."""

    async def diagnose(folder: Path) -> Saved:
        async with open_lab(options(name, "modelled")) as lab, environment_of(lab, str(folder / "runs.sqlite3")):
            ask, file = lab.scenario.ask, folder / "saved.json"
            words = ["diagnose", lab.vm_id, "--client", str(ask.client), "--dialled", f"20.50.1.4:{ask.dialled_port}"]
            live = await beside(*words, "--save-bundle", str(file), "--mode", "observe", "--output", "json")
            changed = [one.path for one in lab.requests.entries if one.method in ("PUT", "PATCH", "DELETE")]
            assert changed == []
            return Saved(live, file.read_text(encoding="utf-8"))

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("rdp_remediate.cli.lab_services.lab_environment", _without_sinks())
        return asyncio.run(diagnose(Path(folder)))


def _without_sinks() -> Callable[..., dict[str, str]]:
    """The lab's settings without the webhook: a replay posts nothing, so that the live run must not either."""
    from rdp_remediate.cli.lab_services import lab_environment

    def quiet(*arguments: Any) -> dict[str, str]:
        return {key: value for key, value in lab_environment(*arguments).items() if "WEBHOOK" not in key}

    return quiet


def replayed(text: str, folder: Path, *changes: Change) -> Answer:
    """Judges the saved bundle after edits of its file."""
    document = json.loads(text)
    for change in changes:
        change(document)
    file = folder / "edited.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return command("diagnose", "--bundle", str(file), "--mode", "observe", "--output", "json")


@pytest.mark.parametrize("name", ["healthy", "fw-rdp-rule-disabled+nsg-no-allow-rule", "vm-deallocated-by-person"])
def test_a_replay_equals_the_live_report(name: str, tmp_path: Path) -> None:
    live, again = saved(name).live, replayed(saved(name).text, tmp_path)
    assert (live.code, live.err) == (again.code, again.err)
    assert again.err == ""

    def shown(answer: Answer) -> dict[str, Any]:
        return {key: value for key, value in answer.document.items() if key not in NOT_COMPARED}

    assert shown(again) == shown(live)
    assert again.document["run_id"] == live.document["run_id"]  # the bundle knows which run it was


@pytest.mark.parametrize("name", ["fw-rdp-rule-disabled+nsg-no-allow-rule", "jit-closed", "vm-deallocated-by-person"])
def test_a_bundle_holds_evidence_and_no_conclusion(name: str) -> None:
    text = saved(name).text
    document = json.loads(text)
    for record in document["probes"]:
        del record["result"]  # the wire probe's own words (rdp-probe.md 1.3) say what one endpoint answered
    assert not {"findings", "verdict", "causes", "plan", "fault", "faults"} & _every_key(document)
    named = [fault for check in all_checks() for fault in check.faults if f'"{fault}' in text]
    assert named == []


def _every_key(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for part in value.values() for key in _every_key(part)}
    return {key for part in value for key in _every_key(part)} if isinstance(value, list) else set()


def effective(rule: str, change: Callable[[list[dict[str, Any]], int], None]) -> Change:
    """Edits one effective rule: the rules that Azure applies, which is what counts while the VM runs."""

    def edit(document: dict[str, Any]) -> None:
        (answer,) = document["operations"]["effective_security_rules"].values()
        for group in answer["value"]:
            rules = group["effectiveSecurityRules"]
            for index in [i for i, one in enumerate(rules) if one["name"] == f"securityRules/{rule}"]:
                change(rules, index)

    return edit


def gone(rules: list[dict[str, Any]], index: int) -> None:
    """Removes the rule."""
    del rules[index]


def turned(access: str) -> Callable[[list[dict[str, Any]], int], None]:
    """Turns the rule into an allow or a deny."""
    return lambda rules, index: rules[index].update(access=access)


def power(state: str) -> Change:
    """Sets the power state in the instance view."""
    return f.resource(f.VM, "properties", "instanceView", "statuses", 1, "code", value=f"PowerState/{state}")


_AGENT = ("properties", "instanceView", "vmAgent", "statuses", 0, "code")
_JIT_RULE = "SecurityCenter-JITRule_-1329742345_6BC3B21C6DDF44C59D02C5A7A4E3B8F7"
_PUBLIC = f.resource(
    f.NIC, "properties", "ipConfigurations", 0, "properties", "publicIPAddress", value={"id": f.PUBLIC_IP}
)

BROKEN_BY_ONE_FACT: tuple[tuple[str, str, Change], ...] = (
    ("vm-deallocated", "healthy", power("deallocated")),
    ("vm-stopped-allocated", "healthy", power("stopped")),
    ("client-wrong-port", "healthy", f.put("target", "dialled_port", value=3390)),
    ("edge-caller-ip-not-allowed", "healthy", f.put("target", "client_address", value="198.51.100.9")),
    ("nsg-no-allow-rule", "healthy", effective("Allow-RDP", gone)),
    ("nsg-explicit-deny-wins", "healthy", effective("Allow-RDP", turned("Deny"))),
    ("nsg-second-layer-deny", "healthy", effective("Allow-Office", gone)),
    ("rdp-disabled-local", "healthy", f.registry(f.DENY_LOCAL, 1)),
    ("rdp-disabled-policy", "healthy", f.registry(f.DENY_POLICY, 1)),
    ("rdp-port-unmatched", "healthy", f.registry(f.PORT, 3390)),
    ("termservice-stopped", "healthy", f.guest("services", "TermService", "state", value="Stopped")),
    ("termservice-disabled", "termservice-stopped", f.guest("services", "TermService", "start_type", value="Disabled")),
    ("fw-rdp-rule-disabled", "healthy", f.guest("firewall", "rules", 0, "enabled", value=False)),
    ("fw-block-all-inbound", "healthy", f.guest("firewall", "profiles", "Public", "allow_inbound_rules", value=False)),
)
MENDED_BY_ONE_FACT: tuple[tuple[str, Change], ...] = (
    ("public-ip-standard-no-nsg", f.resource(f.PUBLIC_IP, "sku", "name", value="Basic")),
    ("no-public-ip", _PUBLIC),
    ("jit-closed", effective(_JIT_RULE, turned("Allow"))),
    ("fw-gpo-enforced-block", f.guest("firewall", "profiles", "Domain", "allow_local_rules", value=True)),
)


@pytest.mark.parametrize(("fault", "name", "edit"), BROKEN_BY_ONE_FACT, ids=[one[0] for one in BROKEN_BY_ONE_FACT])
def test_one_fact_in_the_file_brings_the_cause(fault: str, name: str, edit: Change, tmp_path: Path) -> None:
    assert fault not in saved(name).live.document["verdict"]["causes"]
    broken = replayed(saved(name).text, tmp_path, edit)
    causes = broken.document["verdict"]["causes"]
    # A caller whom neither NSG expects is kept out by the second layer too, whatever the first one does.
    assert causes[0] == fault
    assert set(causes) - {fault} <= ({"nsg-second-layer-deny"} if fault == "edge-caller-ip-not-allowed" else set())
    assert broken.code == 1


@pytest.mark.parametrize(("fault", "edit"), MENDED_BY_ONE_FACT, ids=[one[0] for one in MENDED_BY_ONE_FACT])
def test_one_fact_in_the_file_takes_the_cause_away(fault: str, edit: Change, tmp_path: Path) -> None:
    assert saved(fault).live.document["verdict"]["causes"] == [fault]
    mended = replayed(saved(fault).text, tmp_path, edit).document["verdict"]
    assert fault not in mended["causes"]
    assert mended["status"] != saved(fault).live.document["verdict"]["status"]


def test_a_silent_agent_in_the_file_is_found_and_blocks_nobody(tmp_path: Path) -> None:
    edited = replayed(
        saved("healthy").text, tmp_path, f.resource(f.VM, *_AGENT, value="ProvisioningState/Unavailable")
    ).document
    found = {one["fault"]: one["effect"] for one in edited["findings"] if one["status"] == "fail"}
    assert found == {"agent-not-ready": "blinds"}
    assert edited["verdict"]["status"] == "reachable"


def test_an_nsg_that_contradicts_the_effective_rules_proves_nothing(tmp_path: Path) -> None:
    text = saved("healthy").text
    edited = replayed(text, tmp_path, f.resource(f.NIC_NSG, "properties", "securityRules", value=[])).document
    assert edited["verdict"]["status"] == "not_proven"
    assert edited["plan"]["steps"] == []


def test_without_any_one_fact_the_plan_is_a_part_of_the_whole_and_no_bolder(tmp_path: Path) -> None:
    file = tmp_path / "saved.json"
    file.write_text(saved("fw-rdp-rule-disabled+nsg-no-allow-rule").text, encoding="utf-8")
    bundle = read_bundle(file)
    whole = report_of_bundle(bundle)
    assert len(whole.plan.steps) == 2
    steps = {step.step_id: step for step in whole.plan.steps}
    for fact, key in f.every_fact(bundle):
        less = report_of_bundle(f.altered(bundle, f.hide(fact, key)))
        where = f"without {fact} {key or ''}"
        assert set(less.verdict.causes) <= set(whole.verdict.causes), where
        for step in less.plan.steps:
            assert step.step_id in steps, where
            assert RISKS.index(step.risk) >= RISKS.index(steps[step.step_id].risk), where
            assert step.approval is not None or steps[step.step_id].approval is None, where


@pytest.mark.parametrize(
    ("fact", "check"),
    [
        (("guest.firewall", None), "guest_firewall_admits_rdp"),
        (("guest.registry", None), "rdp_connections_are_allowed"),
        (("guest.services", None), "term_service_is_running"),
        (("guest", None), "guest_firewall_admits_rdp"),
        (("resource", f.VM), "vm_is_running"),
    ],
    ids=lambda one: one[0] if isinstance(one, tuple) else one,
)
def test_without_its_fact_a_check_is_unknown_and_says_why(
    fact: tuple[str, str | None], check: str, tmp_path: Path
) -> None:
    answer = replayed(saved("fw-rdp-rule-disabled+nsg-no-allow-rule").text, tmp_path, f.hide(*fact))
    report = Report.model_validate(answer.document)
    found = {one.check: one for one in report.findings}
    mine = found[check]
    assert mine.status is FindingStatus.UNKNOWN
    # A check that requires another one names that one, which names the reason.
    while mine.because in found:
        mine = found[mine.because]
    assert "forbidden" in f"{mine.reason} {mine.because}"
