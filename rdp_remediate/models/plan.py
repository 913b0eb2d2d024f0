"""A change as data before it is an act: steps, refusals and the journal of what was done."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from rdp_remediate.models.base import Document, JsonObject, UtcTime

WAIT = "wait"
"""The kind of a step that changes nothing: the run looks again later. It has no journal row."""


class Risk(StrEnum):
    """What a step may cost; DESIGN section 4."""

    SAFE = "safe"
    DISRUPTIVE = "disruptive"
    EXPOSING = "exposing"
    SENSITIVE = "sensitive"


RESTARTS = ("restart_vm", "redeploy_vm", "deallocate_vm")
"""Kinds of step that end everything that runs on the VM: at most one of them is sent in a run, whatever its answer."""


class Step(Document):
    """One compare-and-set: it runs only if `expected` is still what is there, and aims at `desired`.

    The inverse of a step is the same step with `expected` and `desired` exchanged; a null value means absent.
    """

    step_id: str = Field(description="stable within a run: fix, kind and target")
    fix: str
    faults: list[str]
    group: str = Field(description="steps of one fix; a failed step undoes its group in reverse")
    layer: Literal["guest", "network", "platform"]
    kind: str
    target: JsonObject
    expected: Any
    desired: Any
    sessions: list[int] | None = Field(default=None, description="people's sessions seen when the step was planned")
    title: str
    postcondition: str
    risk: Risk
    permissions: list[str] = []
    approval: str | None = Field(default=None, description="why a person must decide; null: may run in mode auto")
    undoable: bool = True


class Refusal(Document):
    """Why a fault is not repaired here, and whom to ask."""

    fault: str
    code: str
    why: str
    owner: str | None = None


class Plan(Document):
    """What would be changed, in the order in which it would be done (inside-out, the network last)."""

    steps: list[Step] = []
    refusals: list[Refusal] = []


class Outcome(StrEnum):
    """How one step ended."""

    INTENDED = "intended"
    APPLIED = "applied"
    ALREADY_TRUE = "already_true"
    STALE = "stale"
    FAILED = "failed"
    OUTCOME_UNKNOWN = "outcome_unknown"
    UNDONE = "undone"
    NOT_STARTED = "not_started"
    REFUSED = "refused"


class JournalEntry(Document):
    """One step of one run, written before the call and completed after it. Nothing is changed without its row."""

    run_id: str
    vm_id: str
    number: int = Field(description="position in the run's journal, from 1")
    pass_number: int
    step: Step
    outcome: Outcome
    before: Any = None
    after: Any = None
    detail: str | None = None
    started_at: UtcTime
    ended_at: UtcTime | None = None
    approved_by: str | None = None
    expires_at: UtcTime | None = Field(default=None, description="when an expiring NSG rule ends")
