"""A run as a state machine, schema rdp-remediate/run/1: frozen JSON that any process can pick up."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from rdp_remediate.models.base import Document, UtcTime
from rdp_remediate.models.bundle import Mode, Policy, Target
from rdp_remediate.models.incident import Incident
from rdp_remediate.models.plan import Plan
from rdp_remediate.models.report import Delivery


class Phase(StrEnum):
    """Where a run stands."""

    COLLECT = "collect"
    JUDGE = "judge"
    ACT = "act"
    WAIT = "wait"
    DONE = "done"


class Wait(Document):
    """What a parked run waits for."""

    kind: Literal["operation", "until", "approval"]
    operation_id: str | None = Field(default=None, description="row in the store that holds the poll state")
    purpose: (
        Literal[
            "collect",
            "slice",
            "repair",
            "start_vm",
            "restart_vm",
            "redeploy_vm",
            "reapply_vm",
            "deallocate_vm",
            "vm_access",
            "delete_extension",
            "settle",
            "busy",
            "neighbour",
        ]
        | None
    ) = None
    until: UtcTime | None = None
    step_ids: list[str] = []


class Done(Document):
    """How a run ended."""

    kind: Literal["judged", "not_applicable", "failed"]
    reason: str | None = None


class Run(Document):
    """One diagnosis and, where allowed, repair of one VM."""

    schema_: Literal["rdp-remediate/run/1"] = Field(alias="schema", default="rdp-remediate/run/1")
    run_id: str
    target: Target
    incident: Incident
    joined: list[str] = Field(default=[], description="event ids of further incidents that joined this run")
    looked: int = Field(default=0, description="how many of them had come when a person was last asked")
    policy: Policy
    mode: Mode = Field(description="lowest of setting, tags and request")
    mode_because: str | None = None
    ceiling: Mode = Field(default=Mode.OBSERVE, description="the highest mode that this run was started with")
    untagged: Mode = Field(default=Mode.OBSERVE, description="the mode where no tag speaks, when the run was started")
    phase: Phase = Phase.COLLECT
    pass_number: int = Field(default=1, ge=1, le=4)
    wait: Wait | None = None
    resume: Phase | None = Field(default=None, description="the phase to go on with when the wait ends")
    tier: int = Field(default=1, description="2: Run Command is wanted")
    bundles: list[str] = Field(default=[], description="store references, one a pass, in order")
    guest_answer: str | None = Field(default=None, description="reference of the answer that repair ended with")
    managed_because: str | None = Field(
        default=None, description="why Windows is asked through managed Run Commands; null: through the action"
    )
    plan: Plan | None = None
    approved: dict[str, str] = Field(default={}, description="step id to the person who approved it")
    replans: int = Field(default=0, description="how often a stale step was planned again; at most five times")
    busy_tries: int = Field(default=0, description="how often another Run Command was in the way")
    waits: int = Field(default=0, description="how often it looked again at something that ends by itself")
    reported: bool = Field(default=False, description="the summary of the present state was delivered")
    seq: int = 0
    created_at: UtcTime
    due_at: UtcTime | None = None
    claimed_until: UtcTime | None = None
    deliveries: list[Delivery] = []
    done: Done | None = None

    def attempt(self, purpose: Literal["collect", "slice2", "repair"]) -> str:
        """What sets one request to Windows apart from the others of this run; the same again after a crash."""
        return f"{self.pass_number}-{purpose}-{self.replans}-{self.busy_tries}"


class RunMessage(Document):
    """The queue message that asks for one advance."""

    run_id: str
    seq: int
