"""Runs and journal rows for the ledger's tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from rdp_remediate.models.bundle import Mode, Policy, Target
from rdp_remediate.models.incident import Clue, ClueKind, Incident, Kind, Source, run_id
from rdp_remediate.models.plan import JournalEntry, Outcome, Risk, Step
from rdp_remediate.models.run import Run

START = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
VM = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/vm1"
NSG = VM.replace("Microsoft.Compute/virtualMachines/vm1", "Microsoft.Network/networkSecurityGroups/nsg1")


def make_run(event_id: str = "event-1", vm_id: str = VM, kind: Kind = Kind.FAILED_RDP, **changes: Any) -> Run:
    clue = None if vm_id else Clue(kind=ClueKind.VM_NAME, value="vm1")
    incident = Incident(
        source=Source.ALERT,
        kind=kind,
        event_id=event_id,
        occurred_at=START,
        vm_id=vm_id or None,
        clue=clue,
        summary="RDP fails",
    )
    run = Run(
        run_id=run_id(vm_id or "vm1", event_id),
        target=Target(vm_id=vm_id),
        incident=incident,
        policy=Policy(),
        mode=Mode.AUTO,
        created_at=START,
    )
    return run.model_copy(update=changes)


def make_step(kind: str = "registry", **changes: Any) -> Step:
    step = Step(
        step_id=f"step-{kind}",
        fix="enable_rdp_connections",
        faults=["rdp-disabled-local"],
        group="enable_rdp_connections",
        layer="guest",
        kind=kind,
        target={"path": "TS\\fDenyTSConnections"},
        expected=1,
        desired=0,
        title="Let Windows accept RDP",
        postcondition="fDenyTSConnections is 0",
        risk=Risk.SAFE,
    )
    return step.model_copy(update=changes)


def make_rule_step(name: str = "rdp-remediate-3389", description: str = "rdp-remediate") -> Step:
    return make_step(
        "security_rule",
        layer="network",
        target={"nsg_id": NSG, "name": name},
        expected=None,
        desired={"properties": {"access": "Allow", "description": description}},
    )


def make_entry(step: Step | None = None, run: str = "run-1", at: datetime = START, **changes: Any) -> JournalEntry:
    entry = JournalEntry(
        run_id=run,
        vm_id=VM,
        number=0,
        pass_number=1,
        step=step or make_step(),
        outcome=Outcome.INTENDED,
        started_at=at,
    )
    return entry.model_copy(update=changes)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)
