"""How far Windows got in its start, as far as the serial log, the agent or a person who looked at the picture tells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.boot import BootLog, Screen
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.fact import Observed, Unavailable
from rdp_remediate.models.report import Confidence, Effect

ORDINARY = timedelta(minutes=10)
"""How long a start or a shutdown may take before it is called stuck."""

_SAYS_NOTHING = (Screen.BLACK, Screen.FROZEN_CLOCK)
_STARTS = ("/start/action", "/restart/action", "/redeploy/action", "/reapply/action", "/poweroff/action")


@dataclass(frozen=True)
class BootView:
    """The last that is known of a start.

    Attributes:
        screen: What a person saw, else what the serial log ends with.
        log: The serial log, where it was read.
        told: A person saw it.
    """

    screen: Screen | None
    log: BootLog | None
    told: bool

    @property
    def source(self) -> str:
        """Where the screen's class comes from."""
        return "the boot picture, as a person sees it," if self.told else "the serial log"


@dataclass(frozen=True)
class Named:
    """A fault that the view proves."""

    fault: str
    reason: str
    confidence: Confidence = Confidence.CONFIRMED
    effect: Effect = Effect.BLOCKS
    evidence: Mapping[str, Any] = field(default_factory=dict)


def boot_outcome(facts: Facts, name: Callable[[BootView], Named | None], *, agent_proves: bool = True) -> Outcome:
    """The outcome of a check that judges the boot screen.

    Args:
        facts: The bundle.
        name: The fault that a view proves, or None.
        agent_proves: An agent that reports is all that the healthy statement needs; else Windows itself must answer.

    Raises:
        UnseenError: What decides could not be read.
    """
    view = boot_view(facts)
    if isinstance(view, str):
        if not agent_proves:
            need(facts.guest.os)
        return passed(view)
    named = name(view)
    if named is not None:
        answered = [probe for probe in facts.probes if probe.answered]
        if answered:
            said = f"{answered[0].address}:{answered[0].port} answered RDP"
            return unknown(f"{named.reason} But {said}, so this may be history.", because="contradiction")
        return failed(named.fault, named.reason, named.effect, named.confidence, **named.evidence)
    if view.screen is None or view.screen in _SAYS_NOTHING:
        return unknown(
            "The agent does not report, and how far Windows got is not known: look at the boot diagnostics picture and ask "
            "again with --boot-screen CLASS.",
            because="boot screen",
        )
    return passed(f"{view.source} shows {view.screen.value}")


def boot_view(facts: Facts) -> BootView | str:
    """The last that is known of the start, or the reason why Windows is up.

    Raises:
        UnseenError: The VM or, where nobody named the picture, the serial log could not be read.
    """
    vm = need(facts.vm)
    if isinstance(facts.guest.os, Observed):
        return "Windows answered through Run Command"
    if facts.boot_screen is not None:
        log = None if isinstance(facts.boot_log, Unavailable) else facts.boot_log.value
        return BootView(facts.boot_screen, log, told=True)
    if vm.agent is not None and vm.agent.ready:
        return "the VM agent reports that Windows is up"
    log = need(facts.boot_log)
    return BootView(log.screen, log, told=False)


def since_start(facts: Facts) -> timedelta | None:
    """How long ago somebody started or restarted the VM through Azure; None: not in the last days.

    Raises:
        UnseenError: The activity log could not be read.
    """
    times = [
        change.at
        for change in need(facts.changes)
        if change.operation.lower().endswith(_STARTS) and change.resource_id.lower() == facts.target.vm_id.lower()
    ]
    return facts.at - max(times) if times else None
