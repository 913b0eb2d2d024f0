"""The VMAccess reset: planned only where nothing else can look inside, always a person's decision, never with a name in it."""

import json
from typing import Any

import pytest

from rdp_remediate.diagnosis import diagnose_bundle
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.fixes.last_resort import EXTENSION, NAME
from rdp_remediate.models.bundle import Mode
from rdp_remediate.models.plan import Plan, Risk
from rdp_remediate.planning import History, plan
from tests import factories as f

BOTH_REFUSED = (
    "Run Command on VM vm1: Azure answered 403 AuthorizationFailed: no right to runCommand/action. The managed Run Command "
    "was refused too: Azure answered 403 AuthorizationFailed: no right to runCommands/write"
)
BOTH_BROKEN = "Managed Run Command failed: managed Run Command x on VM vm1: Azure answered VMExtensionProvisioningError: it failed"


def unseen(reason: str = "forbidden", detail: str = BOTH_REFUSED) -> f.Change:
    def change(data: dict[str, Any]) -> None:
        data["guest"] = None
        data["unavailable"].append({"fact": "guest", "resource_id": None, "reason": reason, "detail": detail})

    return change


def extension(name: str, said: str = "", kind: str = "Microsoft.Compute.VMAccessAgent") -> f.Change:
    row = {"name": name, "type": kind, "statuses": [{"code": "ProvisioningState/failed/1", "message": said}]}
    return f.resource(f.VM, "properties", "instanceView", "extensions", value=[row])


def planned(*changes: f.Change, history: History | None = None) -> Plan:
    bundle = f.healthy_bundle(*changes, policy={"mode": Mode.AUTO, "sources": [f.SOURCES]})
    return plan(read_facts(bundle), diagnose_bundle(bundle).findings, history or History())


SILENT = (unseen(), f.silent)


@pytest.mark.parametrize("why", [unseen(), unseen("server_error", BOTH_BROKEN)])
def test_it_is_planned_for_a_cause_that_nobody_could_see_and_a_person_decides(why: f.Change) -> None:
    [step] = planned(why, f.silent).steps
    assert (step.fix, step.kind, step.layer) == (NAME, "vm_access", "platform")
    assert step.risk is Risk.SENSITIVE
    assert not step.undoable
    for named in ("firewall on in every profile", "3389", "domain controller", "group policy"):
        assert named in str(step.approval)


def test_it_never_holds_a_user_name_or_a_password() -> None:
    [step] = planned(*SILENT, f.target(user="CONTOSO\\ada")).steps
    assert step.desired["properties"]["settings"] == {}
    assert "protectedSettings" not in step.desired["properties"]
    assert "ada" not in json.dumps(step.desired).lower()
    assert step.desired["properties"]["forceUpdateTag"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param((), id="healthy"),
        pytest.param((unseen(),), id="RDP answers"),
        pytest.param((f.silent,), id="Run Command works"),
        pytest.param((unseen("busy"), f.silent), id="busy"),
        pytest.param((unseen("unreachable"), f.silent), id="no answer"),
        pytest.param((unseen("locked"), f.silent), id="locked"),
        pytest.param((unseen("not_configured"), f.silent), id="guest_reads never"),
        pytest.param((unseen(detail="403 AuthorizationFailed"), f.silent), id="only the action was tried"),
        pytest.param((unseen(detail=BOTH_REFUSED + " RequestDisallowedByPolicy"), f.silent), id="a policy forbids it"),
        pytest.param((*SILENT, f.agent_not_ready), id="agent not ready"),
        pytest.param((*SILENT, f.powered("deallocated")), id="off"),
        pytest.param((*SILENT, f.security_rules(f.NIC_NSG)), id="the network closes it"),
        pytest.param((*SILENT, f.hide("resource", f.VM)), id="the VM is unread"),
        pytest.param((*SILENT, f.put("probes", value=[])), id="nothing was probed"),
        pytest.param((*SILENT, f.put("probes", 0, "source_address", value=None)), id="the probe proves nothing"),
    ],
)
def test_it_is_not_the_question(changes: tuple[f.Change, ...]) -> None:
    made = planned(*changes)
    assert NAME not in {step.fix for step in made.steps}
    assert NAME not in {refusal.fault for refusal in made.refusals}


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (extension("OldAccess"), "extension_exists", "MultipleExtensionsPerHandlerNotAllowed"),
        (extension(EXTENSION, "VMAccess Extension does not support Domain Controller."), "domain_controller", "domain"),
        (f.tag("rdp-remediate-domain-controller", "allow"), "domain_controller", "domain controllers"),
    ],
)
def test_why_it_is_refused_is_said_exactly(change: f.Change, code: str, said: str) -> None:
    made = planned(*SILENT, change)
    assert NAME not in {step.fix for step in made.steps}
    [refused] = [one for one in made.refusals if one.fault == NAME]
    assert refused.code == code
    assert said in refused.why


def test_another_port_on_purpose_is_a_refusal() -> None:
    other = f.security_rules(f.NIC_NSG, f.rule("Custom", 300, ports="4000"))
    subnet = f.security_rules(f.SUBNET_NSG, f.rule("Custom", 200, ports="4000"))

    def probed(data: dict[str, Any]) -> None:
        data["target"]["dialled_port"] = 4000
        data["probes"][0]["port"] = 4000

    made = planned(*SILENT, other, subnet, probed)
    assert NAME not in {step.fix for step in made.steps}
    assert [(one.fault, one.code) for one in made.refusals] == [(NAME, "port")]


def test_its_own_instance_and_those_of_others_stand_in_no_way() -> None:
    for change in (extension(EXTENSION.upper()), extension("AMA", kind="Microsoft.Azure.Monitor")):
        assert NAME in {step.fix for step in planned(*SILENT, change).steps}


def test_it_is_done_once_in_a_run() -> None:
    made = planned(*SILENT, history=History(done_fixes=frozenset({NAME})))
    assert made.steps == []
    assert [(one.fault, one.code) for one in made.refusals] == [(NAME, "came_back")]
