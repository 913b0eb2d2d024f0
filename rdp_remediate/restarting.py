"""One restart of TermService for all the settings that it reads when it starts. Pure.

A setting that waits for a person holds the others and the restart, on purpose. The restart ends people's sessions, and a run
sends one: if the others went ahead, what a person allows an hour later would need a second one. A setting that is written
without its restart is worse still: Windows shows it as repaired, and TermService still works by the old value. The restart
itself asks a person unless the installation runs disruptive steps by itself, so that a group in which one setting asks costs
no second question: whoever says yes to all of it gets one restart, and whoever wants a part makes it by hand.
"""

import hashlib
from collections.abc import Sequence

from rdp_remediate.facts.guest import TERM_SERVICE, GuestFacts
from rdp_remediate.facts.need import need
from rdp_remediate.models.plan import Step

RESTART_GROUP = "restart_term_service"
"""The group of those settings and of the restart: they run together or not at all, and are undone together."""

_STARTS = ("service_state", "service_recovery")


def with_one_restart(steps: Sequence[Step], guest: GuestFacts) -> list[Step]:
    """Returns a plan's steps with one restart after the last setting that needs it.

    A TermService that does not run is not restarted: its settings move before what starts it, and both wait for each other.

    Args:
        steps: In their order; the settings carry `RESTART_GROUP`.
        guest: Where TermService was seen; the settings were planned only if it was.
    """
    grouped = [step for step in steps if step.group == RESTART_GROUP]
    if not grouped:
        return list(steps)
    # What asks for nothing but the restart is part of the one restart.
    settings = [step for step in grouped if step.kind != "service_restart"]
    service = need(guest.service(TERM_SERVICE))
    if service is None or service.state != "Running":
        starting = {step.group for step in steps if step.target.get("service") == TERM_SERVICE and step.kind in _STARTS}
        others = [
            step.model_copy(update={"group": RESTART_GROUP}) if step.group in starting else step
            for step in steps
            if step.group != RESTART_GROUP
        ]
        inner = next((index for index, step in enumerate(others) if step.layer != "platform"), len(others))
        return [*others[:inner], *settings, *others[inner:]]
    last = steps.index(grouped[-1]) + 1
    before = [step for step in steps[:last] if step not in grouped or step in settings]
    return [*before, _restart(grouped, service.pid), *steps[last:]]


def _restart(settings: Sequence[Step], pid: int) -> Step:
    # Other settings are another restart: leave that was given for some is none for others.
    ids = " ".join(step.step_id for step in settings)
    why = "; ".join(dict.fromkeys(reason for step in settings if step.approval for reason in step.approval.split("; ")))
    return settings[-1].model_copy(
        update={
            "step_id": f"{RESTART_GROUP}-{hashlib.sha256(ids.encode()).hexdigest()[:6]}",
            "fix": RESTART_GROUP,
            "faults": list(dict.fromkeys(fault for step in settings for fault in step.faults)),
            "kind": "service_restart",
            "target": {"service": TERM_SERVICE},
            "expected": pid,
            "desired": None,
            "title": "Restart TermService so that it reads its settings",
            "postcondition": "TermService runs in a new process and listens as it is set to",
            "approval": why or None,
            "undoable": False,
        }
    )
