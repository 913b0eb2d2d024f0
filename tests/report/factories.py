"""Reports, runs and diagnoses made by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

from rdp_remediate.models.bundle import Bundle, Mode, Policy, Target, UnavailableFact
from rdp_remediate.models.incident import Incident, Kind, Source
from rdp_remediate.models.plan import JournalEntry, Outcome, Plan, Refusal, Risk, Step
from rdp_remediate.models.report import (
    Confidence,
    Diagnosis,
    Effect,
    Finding,
    FindingStatus,
    Hop,
    PathDecider,
    PathView,
    ProbeView,
    Proof,
    Report,
    Verdict,
)
from rdp_remediate.models.run import Done, Phase, Run, Wait

AT = datetime(2026, 5, 4, 3, 0, tzinfo=UTC)
GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-pay"
VM_ID = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/pay-01"
NSG_ID = f"{GROUP}/providers/Microsoft.Network/networkSecurityGroups/pay-nsg"
RUN_ID = "0123456789abcdef0123"
BLOCK = "No rule of pay-nsg allows 203.0.113.7 to port 3389; DenyAllInBound drops it."
BY_HAND = "add one inbound allow rule for the client's address."


def later(seconds: float) -> datetime:
    """The moment `seconds` after the run began."""
    return AT + timedelta(seconds=seconds)


def rule_step(**changes: Any) -> Step:
    """An expiring NSG rule."""
    body = {
        "properties": {
            "direction": "Inbound",
            "access": "Allow",
            "protocol": "Tcp",
            "priority": 310,
            "sourcePortRange": "*",
            "destinationPortRange": "3389",
            "destinationAddressPrefix": "10.0.0.4",
            "sourceAddressPrefix": "203.0.113.7/32",
            "description": f"rdp_remediate id={RUN_ID} exp=2026-05-04T11:00Z h=0a1b2c3d",
        }
    }
    step = Step(
        step_id="allow_rdp_in_nsg-a1b2c3",
        fix="allow_rdp_in_nsg",
        faults=["nsg-no-allow-rule"],
        group="allow_rdp_in_nsg",
        layer="network",
        kind="security_rule",
        target={"nsg_id": NSG_ID, "name": "rdpr-00aa11bb22cc33dd"},
        expected=None,
        desired=body,
        title="Allow 203.0.113.7/32 to 10.0.0.4:3389 in the NSG pay-nsg",
        postcondition="pay-nsg allows it",
        risk=Risk.SAFE,
    )
    return step.model_copy(update=changes)


def registry_step(**changes: Any) -> Step:
    """A registry value inside Windows."""
    step = Step(
        step_id="enable_rdp_connections-d4e5f6",
        fix="enable_rdp_connections",
        faults=["rdp-disabled-local"],
        group="enable_rdp_connections",
        layer="guest",
        kind="registry",
        target={"path": r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server\fDenyTSConnections"},
        expected=1,
        desired=0,
        title="Set fDenyTSConnections to 0",
        postcondition="fDenyTSConnections is 0",
        risk=Risk.SAFE,
    )
    return step.model_copy(update=changes)


def entry(step: Step, outcome: Outcome = Outcome.APPLIED, number: int = 1, **changes: Any) -> JournalEntry:
    """A journal row that took 2.5 seconds."""
    row = JournalEntry(
        run_id=RUN_ID,
        vm_id=VM_ID,
        number=number,
        pass_number=1,
        step=step,
        outcome=outcome,
        before=step.expected,
        started_at=later(10),
        ended_at=later(12.5),
    )
    return row.model_copy(update=changes)


def passed(check: str, hop: Hop) -> Finding:
    """A check that passed."""
    return Finding(check=check, hop=hop, title=f"{check} is healthy.", status=FindingStatus.PASS)


def failing(**changes: Any) -> Finding:
    """The NSG that lets nobody in."""
    finding = Finding(
        check="nsg_layers_allow_client",
        hop=Hop.NETWORK,
        title="The NSG next to the VM allows the client to the RDP port.",
        status=FindingStatus.FAIL,
        fault="nsg-no-allow-rule",
        reason=BLOCK,
        effect=Effect.BLOCKS,
        confidence=Confidence.CONFIRMED,
        by_hand=BY_HAND,
    )
    return finding.model_copy(update=changes)


def row(rule: str, priority: int, **changes: Any) -> dict[str, Any]:
    """One row of a trace; matches in every dimension unless told otherwise."""
    return {
        "layer": "nic",
        "rule": rule,
        "resource_id": f"{NSG_ID}/securityRules/{rule}",
        "priority": priority,
        "access": "Allow",
        "protocol": "yes",
        "source": "yes",
        "source_port": "yes",
        "destination": "yes",
        "destination_port": "yes",
        "decides": False,
        "reached": True,
        **changes,
    }


def path_view(**changes: Any) -> PathView:
    """The client's packet, dropped by the default rule."""
    view = PathView(
        entry="public",
        client="203.0.113.7",
        dialled="20.50.1.4:3389",
        verdict="DENY",
        deciders=[
            PathDecider(
                layer="nic",
                rule="DenyAllInBound",
                priority=65500,
                resource_id=f"{NSG_ID}/defaultSecurityRules/DenyAllInBound",
            )
        ],
        trace=[
            row("Allow-Web", 200, destination_port="no"),
            row("Allow-Old-Office", 300, source="no", destination_port="no"),
            row("DenyAllInBound", 65500, access="Deny", decides=True),
        ],
    )
    return view.model_copy(update=changes)


def probe(outcome: str = "filtered", **changes: Any) -> ProbeView:
    """A probe of the app."""
    view = ProbeView(
        vantage="app",
        source_address="203.0.113.200",
        address="20.50.1.4",
        port=3389,
        outcome=outcome,
        verdict=outcome,
        path_verdict="DENY",
        proves="expected_filtered",
        detail="our probe got filtered, as expected",
    )
    return view.model_copy(update=changes)


def broken() -> Diagnosis:
    """The first pass: an NSG without an allow rule."""
    return Diagnosis(
        findings=[passed("client_dials_the_rdp_port", Hop.CLIENT), failing(), passed("vm_is_running", Hop.PLATFORM)],
        verdict=Verdict(
            status="broken",
            hop=Hop.NETWORK,
            headline=f"RDP is broken at network: {BLOCK}",
            causes=["nsg-no-allow-rule"],
            proof_detail="no endpoint could be probed",
        ),
        paths=[path_view()],
        probes=[probe()],
    )


def reachable() -> Diagnosis:
    """The second pass: everything is well."""
    detail = "X.224 and TLS handshake with 20.50.1.4:3389"
    return Diagnosis(
        findings=[
            passed("nsg_layers_allow_client", Hop.NETWORK),
            passed("term_service_is_running", Hop.GUEST_RDP_SERVICE),
        ],
        verdict=Verdict(
            status="reachable",
            headline=f"RDP is reachable: {detail}",
            proof=Proof.END_TO_END,
            proof_detail=detail,
        ),
        probes=[probe("rdp_tls", proves="end_to_end", path_verdict="ALLOW", detail="the answer is the VM's own")],
    )


def run(**changes: Any) -> Run:
    """A finished run in mode auto."""
    made = Run(
        run_id=RUN_ID,
        target=Target(vm_id=VM_ID, client_address="203.0.113.7"),
        incident=Incident(
            source=Source.ALERT,
            kind=Kind.FAILED_RDP,
            event_id="alert-77",
            occurred_at=AT,
            vm_id=VM_ID,
            summary="The alert failed-rdp fired for pay-01.",
        ),
        policy=Policy(sources=["203.0.113.0/24"]),
        mode=Mode.AUTO,
        phase=Phase.DONE,
        done=Done(kind="judged"),
        created_at=AT,
    )
    return made.model_copy(update=changes)


def waiting_run(*step_ids: str) -> Run:
    """A run that waits for a person."""
    wait = Wait(kind="approval", until=later(3600), step_ids=list(step_ids))
    return run(phase=Phase.WAIT, done=None, wait=wait)


def bundle(seconds: float = 1, **changes: Any) -> Bundle:
    """What a pass saw; nothing but the policy unless told otherwise."""
    made = Bundle(
        run_id=RUN_ID,
        target=Target(vm_id=VM_ID, client_address="203.0.113.7"),
        policy=Policy(sources=["203.0.113.0/24"]),
        collected_at=later(seconds),
    )
    return made.model_copy(update=changes)


def report(**changes: Any) -> Report:
    """A report of a broken VM: one step waits, one fault is refused, something could not be seen."""
    diagnosis = broken()
    step = rule_step(risk=Risk.SENSITIVE, approval="it would stand above a deny that somebody wrote")
    made = Report(
        incident_id="alert-77",
        run_id=RUN_ID,
        created_at=AT,
        target=Target(vm_id=VM_ID),
        vm_name="pay-01",
        mode=Mode.AUTO,
        trigger="The alert failed-rdp fired for pay-01.",
        verdict_before=diagnosis.verdict,
        verdict=diagnosis.verdict,
        findings=diagnosis.findings,
        findings_before=diagnosis.findings,
        path=diagnosis.paths,
        plan=Plan(
            steps=[step],
            refusals=[
                Refusal(
                    fault="rdp-disabled-policy",
                    code="policy_owned",
                    why="Group policy sets fDenyTSConnections=1.",
                    owner="the owner of that group policy",
                )
            ],
        ),
        waiting=[step.step_id],
        probes={"before": diagnosis.probes},
        notes=["Author unknown: nothing names who closed it."],
        timings={"total": 42.0},
        unavailable=[
            UnavailableFact(fact="locks", resource_id=VM_ID, reason="forbidden", detail="403 AuthorizationFailed")
        ],
    )
    return made.model_copy(update=changes)
