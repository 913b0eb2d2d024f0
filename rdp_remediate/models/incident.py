"""What starts a run, schema rdp-remediate/incident/1: who says what about which VM.

An incident is made of claims: intake asks nobody. Addresses and users in it are evidence at most, never the source of
a rule. The only model module that intake imports, so it stays light.
"""

from enum import StrEnum
from hashlib import sha256
from typing import Literal, Self

from pydantic import Field, model_validator

from rdp_remediate.models.base import Document, JsonObject, UtcTime


class Source(StrEnum):
    """Which door the incident came in by."""

    ALERT = "alert"
    EVENT_GRID = "event_grid"
    MANUAL = "manual"
    SWEEP = "sweep"


class Kind(StrEnum):
    """What the incident may lead to. Only `failed_rdp` and `manual` may use Run Command and write."""

    FAILED_RDP = "failed_rdp"
    HINT = "hint"
    MANUAL = "manual"


class ClueKind(StrEnum):
    """What a clue's value is: a name that one VM has, or the ARM id of a resource on the way to one or more VMs."""

    COMPUTER_NAME = "computer_name"
    VM_NAME = "vm_name"
    NETWORK_INTERFACE = "network_interface"
    NETWORK_SECURITY_GROUP = "network_security_group"
    PUBLIC_IP_ADDRESS = "public_ip_address"
    SUBNET = "subnet"
    VIRTUAL_NETWORK = "virtual_network"
    ROUTE_TABLE = "route_table"
    LOAD_BALANCER = "load_balancer"
    APPLICATION_SECURITY_GROUP = "application_security_group"


ONE_VM_CLUES = frozenset({ClueKind.COMPUTER_NAME, ClueKind.VM_NAME})
"""Clues that name one machine; all others may lead to many, which no payload may have repaired at once."""

RequestedMode = Literal["observe", "approve", "auto"]
"""The words of `models.bundle.Mode` that a request may say; it can only lower the mode."""


class Clue(Document):
    """What the worker resolves to VM ids when the payload names no VM."""

    kind: ClueKind
    value: str = Field(min_length=1, description="a name, or an ARM id as it was written")
    subscription_id: str | None = Field(default=None, description="where to look, if the payload shows it")
    resource_group: str | None = None


class Incident(Document):
    """One reason to look at one VM, or at the VMs behind one clue."""

    schema_: Literal["rdp-remediate/incident/1"] = Field(alias="schema", default="rdp-remediate/incident/1")
    source: Source
    kind: Kind
    event_id: str = Field(min_length=1, description="alert, event or request id; the same payload twice has the same")
    occurred_at: UtcTime
    vm_id: str | None = Field(default=None, description="ARM id as it was written; compare `vm_key`")
    clue: Clue | None = None
    client_address: str | None = Field(default=None, description="claim: the computer that could not connect")
    user: str | None = Field(default=None, description="claim: the account that could not connect")
    principal_id: str | None = Field(default=None, description="claim: the account's object id in Microsoft Entra ID")
    dialled_address: str | None = Field(default=None, description="claim: the address or name that was dialled")
    dialled_port: int | None = Field(default=None, ge=1, le=65535)
    client_check: JsonObject | None = Field(
        default=None, description="claim: what the user's computer saw, schema rdp-remediate/client-check/1"
    )
    requested_mode: RequestedMode | None = None
    requested_by: str | None = None
    rule_id: str | None = Field(default=None, description="ARM id of the alert rule that fired")
    summary: str = Field(description="what happened, one sentence for people")

    @model_validator(mode="after")
    def _names_a_target(self) -> Self:
        if (self.vm_id is None) == (self.clue is None):
            raise ValueError("an incident names either a VM or a clue")
        if self.clue is not None and self.kind is not Kind.HINT and self.clue.kind not in ONE_VM_CLUES:
            raise ValueError(f"a clue of kind {self.clue.kind} may lead to many VMs, so it can only be a hint")
        return self

    @property
    def vm_key(self) -> str | None:
        """The VM id in lower case, for keys and comparison."""
        return None if self.vm_id is None else vm_key(self.vm_id)


def vm_key(vm_id: str) -> str:
    """An ARM id in the form that keys use: ARM compares ids without case and answers in any case."""
    return vm_id.strip().rstrip("/").lower()


def run_id(vm_id: str, event_id: str) -> str:
    """The id of the run that this VM and this event start: stable, 20 hex digits, whatever the case of the VM id."""
    return sha256(f"{vm_key(vm_id)}\n{event_id}".encode()).hexdigest()[:20]
