"""The quick steps that change the VM itself: network interface, password, restart and redeploy.

They are offered where the diagnosis calls for them and never while Windows works on itself; a password is a command for
the VM's owner and nothing else.
"""

from rdp_remediate.facts.arm_names import group_of, name_of
from rdp_remediate.facts.platform import HANDS_SCREENS
from rdp_remediate.models.plan import Outcome
from rdp_remediate.models.report import Hop, QuickStep
from rdp_remediate.report.quick_evidence import Seen, approval, by_sight, open_steps, untried
from rdp_remediate.report.wording import plain

NIC_FAULTS = ("nic-disabled",)
"""Faults whose catalogue remedy is the NIC reset; a static address or a stopped DHCP client has a narrower one."""
PASSWORD_FAULTS = ("auth-bad-password", "auth-password-expired", "auth-must-change-password")
REDEPLOY_FAULTS = ("platform-unavailable", "platform-degraded-hardware", "accelnet-unhealthy")
DOMAIN_CONTROLLER_ROLES = (4, 5)

RESTART_COST = "Every session and everything that runs on the VM ends, for some minutes; disks and addresses stay."
REDEPLOY_COST = (
    "The VM moves to another host: it restarts, the temporary disk D: is lost, and dynamic addresses may change."
)
NIC_COST = (
    "The NIC gets another private address and another MAC, Windows takes it for a new one, and open sessions end."
)
RESET_COST = (
    "The old password is gone, and a name that does not exist becomes a new local administrator: check its spelling."
)


def nic(seen: Seen) -> QuickStep:
    """Reset the network interface: only where the adapter is off and nothing inside Windows can mend it."""
    title = "Reset the network interface"
    fault = seen.failed(*NIC_FAULTS)
    if fault is None:
        good = QuickStep(
            step="reset_nic", title=title, status="not_needed", why="No fault of the VM's network adapter was found."
        )
        return by_sight(seen, good, (Hop.GUEST_NETWORK,))
    reason = plain(fault.reason or fault.title)
    if open_steps(seen, str(fault.fault)):
        why = f"{reason} A step inside Windows mends that without a new address."
        return QuickStep(step="reset_nic", title=title, status="not_needed", why=why, cost=NIC_COST)
    if seen.update:
        return QuickStep(step="reset_nic", title=title, status="refused", why=seen.update, cost=NIC_COST)
    return QuickStep(
        step="reset_nic",
        title=title,
        status="offered",
        why=f"{reason} Only its owner may decide on this, and a person chooses the free address.",
        evidence=[str(fault.fault)],
        cost=NIC_COST,
        command=(
            f"az network nic ip-config update -g {group_of(seen.run.target.vm_id)} --nic-name NIC -n IPCONFIG "
            "--private-ip-address FREE_ADDRESS"
        ),
    )


def password(seen: Seen) -> QuickStep:
    """Reset the password: only where a sign-in shows that the password is what is wrong; a command, never a step."""
    title = "Reset the password"
    vm_id = seen.run.target.vm_id
    fault = seen.failed(*PASSWORD_FAULTS)
    if fault is None:
        good = QuickStep(
            step="reset_password",
            title=title,
            status="not_needed",
            why="Nothing shows that a password is what is wrong.",
        )
        return good
    reason, user = plain(fault.reason or fault.title), seen.run.target.user or ""
    os_section = (seen.bundle.guest or {}).get("os")
    role = os_section.get("domain_role") if isinstance(os_section, dict) else None
    if role in DOMAIN_CONTROLLER_ROLES:
        why = f"{reason} This is a domain controller: it has no local accounts, and VMAccess refuses."
        return QuickStep(step="reset_password", title=title, status="refused", why=why)
    if "@" in user or user.lower().startswith("azuread\\"):
        why = f"{reason} The account is not the VM's own; its directory resets it."
        return QuickStep(step="reset_password", title=title, status="refused", why=why)
    return QuickStep(
        step="reset_password",
        title=title,
        status="offered",
        why=f"{reason} A password is set by the VM's owner only, for a local account and after proof of identity.",
        evidence=[str(fault.fault)],
        cost=RESET_COST,
        command=f"az vm user update -g {group_of(vm_id)} -n {name_of(vm_id)} -u USER -p NEW_PASSWORD",
    )


def restart(seen: Seen) -> QuickStep:
    """Restart the VM: where the plan holds a restart."""
    made = _power(seen, QuickStep(
        step="restart_vm",
        title="Restart the VM",
        status="not_needed",
        why="Nothing that was found is mended by a restart.",
        cost=RESTART_COST,
    ))  # fmt: skip
    screen = seen.bundle.policy.boot_screen
    if made.status == "not_needed" and screen in HANDS_SCREENS and not seen.reachable:
        return made.model_copy(
            update={
                "status": "refused",
                "why": f"The boot picture shows {screen}, which is there again after a restart.",
            }
        )
    return made


def redeploy(seen: Seen) -> QuickStep:
    """Redeploy the VM: where Azure says that its host is failing."""
    good = QuickStep(
        step="redeploy_vm",
        title="Redeploy the VM",
        status="not_needed",
        why="Nothing points at the host that the VM runs on.",
        cost=REDEPLOY_COST,
    )
    made = _power(seen, good)
    fault = seen.failed(*REDEPLOY_FAULTS)
    if made.status == "not_needed" and fault is not None:
        command = f"az vm redeploy --ids {plain(seen.run.target.vm_id)}"
        why = f"{plain(fault.reason or fault.title)} Only its owner may decide on this."
        return made.model_copy(
            update={"status": "offered", "why": why, "evidence": [str(fault.fault)], "command": command}
        )
    return made


def _power(seen: Seen, good: QuickStep) -> QuickStep:
    """A step that restarts the VM, by what the plan and the journal say of its kind."""
    mine = [entry for entry in seen.journal if entry.step.kind == good.step]
    done = next((entry for entry in mine if entry.outcome is Outcome.APPLIED), None)
    if done is not None:
        who = f", approved by {plain(done.approved_by)}" if done.approved_by else ""
        return good.model_copy(update={"status": "done", "why": f"It was done in this run{who}."})
    if any(entry.outcome in (Outcome.OUTCOME_UNKNOWN, Outcome.INTENDED) for entry in mine):
        why = "It was sent, and its answer was lost; it is not sent again in this run."
        return good.model_copy(update={"status": "refused", "why": why})
    if seen.update:
        return good.model_copy(update={"status": "refused", "why": seen.update})
    if mine and any(one.kind == good.step for one in seen.plan.steps):
        why = f"It was tried and not done: {plain(mine[-1].detail or mine[-1].outcome.value)}"
        return good.model_copy(update={"status": "refused", "why": why})
    step = next((one for one in untried(seen) if one.kind == good.step), None)
    if step is not None:
        answers = " RDP answers: this mends nothing of it." if seen.reachable else ""
        reasons = [plain(f.reason or f.title) for f in seen.last.findings if f.fault in step.faults]
        return good.model_copy(
            update={
                "status": "offered",
                "why": f"{reasons[0] if reasons else plain(step.title)}{answers}",
                "evidence": [*dict.fromkeys(reasons), *([plain(step.approval)] if step.approval else [])],
                "command": approval(seen, step)
                or f"az vm {step.kind.removesuffix('_vm')} --ids {plain(seen.run.target.vm_id)}",
            }
        )
    if good.step == "restart_vm":
        refusal = next((r for r in seen.plan.refusals if r.code in _RESTART_REFUSALS), None)
        if refusal is not None:
            return good.model_copy(update={"status": "refused", "why": plain(refusal.why)})
    return good


_RESTART_REFUSALS = ("windows_busy", "needs_hands", "just_started", "restarted_once")
