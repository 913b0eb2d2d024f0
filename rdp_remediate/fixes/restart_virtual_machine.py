"""Restart a VM whose agent does not report; always a person's decision, and once in a run."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.facts.platform import HANDS_SCREENS, UPDATE_SCREENS, power_word
from rdp_remediate.fixes.fix import Draft, Refused, Yielded, fix, locked
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.plan import Risk
from rdp_remediate.models.report import Finding, Proof
from rdp_remediate.network.proof import reachability

_POWER_ACTIONS = ("virtualmachines/start/action", "virtualmachines/restart/action", "virtualmachines/redeploy/action")
_ANSWERS = ("end_to_end", "answered", "engine_disagrees")
_JUST_STARTED = timedelta(minutes=15)


@fix(
    faults=("agent-not-ready", "os-unresponsive"),
    layer="platform",
    order=11,
    permissions=("Microsoft.Compute/virtualMachines/read", "Microsoft.Compute/virtualMachines/restart/action"),
)
def restart_virtual_machine(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Restart the VM.

    Changes: Windows shuts down and starts again on the same host; disks, the temporary disk and addresses stay.
    Undo: none; what was open in memory is gone.
    Refuses when: RDP was proven to answer, the boot picture shows updates or a question that a restart does not answer, the VM was
    started minutes ago, it was restarted once in this run, or a read-only lock forbids it.
    """
    vm = need(facts.vm)
    seen = reachability(facts)
    if not seen.probes:
        yield Refused("unseen", "Nobody has tried whether RDP answers; a restart is offered only where it does not.")
        return
    if seen.proof is Proof.END_TO_END or any(probe.proves in _ANSWERS for probe in seen.probes):
        # A silent agent is no fault of RDP (trap 16).
        by_hand = findings[0].by_hand or "bring the agent back over the serial console."
        yield Refused("by_hand", f"RDP answers, so a restart would only end sessions; {by_hand}")
        return
    refused = _not_now(facts) or locked(facts)
    if refused is not None:
        yield refused
        return
    yield Draft(
        kind="restart_vm",
        target={"vm_id": vm.vm_id},
        expected=power_word(vm),
        desired="restarted",
        title=f"Restart the VM {vm.name}",
        postcondition="PowerState/running, and the agent is ready",
        risk=Risk.DISRUPTIVE,
        opens=False,
        drops_sessions=True,
        always_ask=_ask(facts),
        undoable=False,
    )


def _not_now(facts: Facts) -> Refused | None:
    screen = facts.policy.boot_screen
    if screen in UPDATE_SCREENS:
        why = f"The boot picture shows {screen}: a restart now would damage Windows. Wait until it has ended."
        return Refused("windows_busy", why)
    if screen in HANDS_SCREENS:
        why = f"The boot picture shows {screen}, which is there again after a restart."
        return Refused("needs_hands", why, "the owner of the VM")
    if isinstance(facts.changes, Unavailable):
        return None
    for change in reversed(facts.changes.value):
        mine = change.resource_id.lower() == facts.target.vm_id.lower()
        if mine and change.operation.lower().endswith(_POWER_ACTIONS) and facts.at - change.at < _JUST_STARTED:
            why = f"The VM was started at {change.at:%H:%M}Z; its agent may need some minutes. Ask again later."
            return Refused("just_started", why)
    return None


def _ask(facts: Facts) -> str:
    said = ["a restart ends every session and everything that runs on the VM, for some minutes"]
    if facts.policy.boot_screen is None:
        said.append("nobody has said what the boot picture shows: if it shows updates, do not restart")
    if isinstance(facts.changes, Unavailable):
        said.append(f"whether the VM was started minutes ago could not be read ({facts.changes.detail})")
    return "; ".join(said)
