"""What a person pastes when no channel into Windows works, or when the repair is theirs: the way in, then the commands.

Nothing is given for a VM that is off, for what somebody closed on purpose, and for a setting that a policy owns. Where the
cause could not be seen, looking comes first and each repair says what has to be seen before it is typed.

Sources: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/remote-tools-troubleshoot-azure-vm-issues,
https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/serial-console-windows and
https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/repair-windows-vm-using-azure-virtual-machine-repair-commands
"""

import shlex
from collections.abc import Sequence

from rdp_remediate.facts import references
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.plan import JournalEntry, Outcome, Plan, Step
from rdp_remediate.models.report import Diagnosis, Finding, FindingStatus, PasteBlock
from rdp_remediate.models.run import Run
from rdp_remediate.network.classic import is_classic
from rdp_remediate.report.classic_session import classic_blocks
from rdp_remediate.report.paste_lines import FAULTS, LOOK, OFFLINE, step_block
from rdp_remediate.report.temporary_neighbour import temporary_neighbour

_NO_CHANNEL = ("unreachable", "forbidden", "locked", "not_configured", "not_supported", "server_error", "malformed",
               "truncated", "timeout")  # fmt: skip
"""Why a guest's answer is missing although the VM runs; busy is waited for, and off is switched on."""

_UNSEEN = ("termservice-disabled", "termservice-stopped", "rdp-disabled-local", "fw-rdp-rule-disabled")
_LOST = (Outcome.FAILED, Outcome.OUTCOME_UNKNOWN)
_BY_HAND = ("by_hand", "domain_controller")
_ROLES_OF_CONTROLLERS = "On a domain controller the directory team decides."


def paste_blocks(
    run: Run, bundles: Sequence[Bundle], diagnoses: Sequence[Diagnosis], journal: Sequence[JournalEntry]
) -> list[PasteBlock]:
    """The blocks of a report, in the order in which they are used."""
    if not bundles or not diagnoses or diagnoses[-1].verdict.status in ("reachable", "by_design"):
        return []
    bundle, findings = bundles[-1], diagnoses[-1].findings
    facts = read_facts(bundle)
    vm_key = bundle.target.vm_id.rstrip("/").lower()
    if is_classic(facts.network, vm_key):
        return classic_blocks(bundle, facts.network.classic_vms.get(vm_key))
    machine = bundle.resources.get(bundle.target.vm_id.lower(), {})
    if not references.is_running(machine) or run.tier < 2:
        return []
    missing = next((one for one in bundle.unavailable if one.fact == "guest"), None)
    beside = temporary_neighbour(bundle)
    if missing is None:
        return [*_of_causes(diagnoses[-1], run.plan or Plan()), *beside]
    if missing.reason not in _NO_CHANNEL:
        return beside
    lost = [made for step in _lost_steps(journal) if (made := step_block(step))]
    faults = [f.fault for f in findings if f.status is FindingStatus.FAIL and f.fault in FAULTS]
    inside = lost or [LOOK, *(FAULTS[one] for one in _UNSEEN)]
    known = [FAULTS[str(one)].model_copy(update={"faults": [str(one)]}) for one in dict.fromkeys(faults)]
    offline = _offline(bundle) if missing.reason == "unreachable" else []
    return [*_ways_in(bundle), *inside, *known, *offline, *beside]


def _of_causes(diagnosis: Diagnosis, plan: Plan) -> list[PasteBlock]:
    """The commands of causes that were seen and that no step repairs; refused for another reason, they have none."""
    covered = {fault for step in plan.steps for fault in step.faults}
    refused = {one.fault: one.code for one in plan.refusals}
    named: dict[str, Finding] = {str(one.fault): one for one in diagnosis.findings if one.status is FindingStatus.FAIL}
    out = []
    for fault in diagnosis.verdict.causes:
        if fault in FAULTS and fault in named and fault not in covered and refused.get(fault, "by_hand") in _BY_HAND:
            note = _ROLES_OF_CONTROLLERS if refused.get(fault) == "domain_controller" else FAULTS[fault].note
            # Seen already: nothing has to be looked at before.
            out.append(FAULTS[fault].model_copy(update={"faults": [fault], "only_if": None, "note": note}))
    return out


def _lost_steps(journal: Sequence[JournalEntry]) -> list[Step]:
    """The steps inside Windows that were begun and of which nobody knows that they took effect."""
    last = {entry.step.step_id: entry for entry in journal}
    return [one.step for one in last.values() if one.step.layer == "guest" and one.outcome in _LOST]


def _ways_in(bundle: Bundle) -> list[PasteBlock]:
    machine = bundle.resources.get(bundle.target.vm_id.lower(), {})
    nics = [bundle.resources.get(one.lower(), {}) for one in references.next_resources(machine)]
    addresses = [one for nic in nics for one in references.private_addresses(nic)]
    blocks = []
    if addresses:
        blocks.append(
            PasteBlock(
                title="A way in: remote PowerShell over HTTPS, from a computer in the virtual network",
                prompt="powershell",
                note="Windows must have a WinRM listener on 5986. Its certificate is mostly self-signed and is not checked "
                "here: only where you trust the network",
                lines=[
                    f"Enter-PSSession -ComputerName {addresses[0]} -Port 5986 -UseSSL -Credential (Get-Credential) "
                    "-SessionOption (New-PSSessionOption -SkipCACheck -SkipCNCheck)"
                ],
            )
        )
    off = references.boot_diagnostics(machine) is False
    need = "needs boot diagnostics, which are off on this VM, and an account of Windows" if off else (
        "needs boot diagnostics and an account of Windows"
    )  # fmt: skip
    blocks.append(
        PasteBlock(
            title="A way in: the serial console; the second and third line are typed at its SAC> prompt",
            prompt="azure_cli",
            note=f"{need}; works without network and without the agent",
            lines=[f"az serial-console connect {_of_vm(bundle)}", "cmd", "ch -si 1"],
        )
    )
    return blocks


def _offline(bundle: Bundle) -> list[PasteBlock]:
    copied = PasteBlock(
        title="When neither way in opens: repair a copy of the OS disk on another VM",
        prompt="azure_cli",
        note="makes and bills a second VM and a disk, asks for a password of the repair VM, and what Windows writes "
        "after the copy is lost with the old disk",
        lines=[
            "az extension add --name vm-repair",
            f"az vm repair create {_of_vm(bundle)} --verbose",
        ],
    )
    back = PasteBlock(
        title="Give the VM the repaired disk, when the registry of it is unloaded again",
        prompt="azure_cli",
        note="stops the VM, exchanges its OS disk and starts it",
        lines=[f"az vm repair restore {_of_vm(bundle)} --verbose"],
    )
    return [copied, *OFFLINE, back]


def _of_vm(bundle: Bundle) -> str:
    parts = bundle.target.vm_id.strip("/").split("/")
    named = {parts[i].lower(): parts[i + 1] for i in range(0, len(parts) - 1, 2)}
    words = ["--resource-group", named.get("resourcegroups", ""), "--name", parts[-1]]
    if "subscriptions" in named:
        words = ["--subscription", named["subscriptions"], *words]
    return shlex.join(words)
