"""The way into Windows through a managed Run Command (PUT virtualMachines/{vm}/runCommands/{name}).

It needs the agent and outbound 443 as the action does, but other rights and another extension in Windows. The script and
its parameter stand in a resource that readers of the VM may read (neither holds a secret) until it is deleted, which is
done as soon as the answer is there; one that a lost process left is deleted by the sweep under its noted name. The last
4,096 bytes of stdout come back, in the instance view, and only `endTime` says that the script has ended.

Source: learn.microsoft.com/azure/virtual-machines/windows/run-command-managed
"""

from datetime import datetime, timedelta
from typing import Any

from rdp_remediate.guest.protocol import decode_answer, encode_request
from rdp_remediate.guest.run_command import checked, preflight, refusal_reason
from rdp_remediate.guest.scripts import collect_script, repair_script
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Fact, Reason, Unavailable
from rdp_remediate.ports import (
    ArmWrites,
    Clock,
    Completed,
    GuestRequest,
    OutcomeUnknown,
    Rejected,
    RunCommandNotes,
    Started,
    WriteOutcome,
)

TIMEOUT_S = 600
"""After this Azure ends the script; ours end within their own deadline of about a minute."""

GIVEN_UP = timedelta(minutes=20)
"""When a resource without an end is given up and may be deleted: the script's time-out and Azure's own work."""

_PAUSE_S = 5.0
_LEFT_PAUSE_S = 30.0
_SOURCE = "guest"
_ENDED = ("succeeded", "failed", "timedout", "canceled")
_EXISTS = "RunCommandExists"


class ManagedRunCommandChannel:
    """Sends the scripts as managed Run Commands; a `rdp_remediate.ports.GuestChannel`."""

    def __init__(self, writes: ArmWrites, clock: Clock, notes: RunCommandNotes) -> None:
        self._writes = writes
        self._clock = clock
        self._notes = notes

    def preflight(self, vm: JsonObject) -> Unavailable | None:
        """Returns why no Run Command can be used now, or None: both kinds need the same of the VM."""
        return preflight(vm)

    async def start(self, vm_id: str, request: GuestRequest) -> WriteOutcome:
        """Creates the resource, noted before; one of this name that is still there is deleted first and not run over."""
        if not request.location:
            return Rejected(Reason.NOT_COLLECTED, 0, "NoLocation", "The VM's region was not read.")
        name = run_command_name(request)
        until = self._clock.now() + GIVEN_UP
        await self._notes.note_run_command(vm_id, name, until)
        outcome = await self._writes.put_run_command(vm_id, name, run_command_body(request))
        if isinstance(outcome, Rejected):
            if outcome.code == _EXISTS:
                await self.delete(vm_id, name)
                return Rejected(Reason.BUSY, outcome.status, outcome.code, outcome.detail, _LEFT_PAUSE_S)
            if outcome.status != 200:
                await self._notes.forget_run_command(vm_id, name)
            return Rejected(
                refusal_reason(outcome), outcome.status, outcome.code, outcome.detail, outcome.retry_after_s
            )
        if isinstance(outcome, Started):
            asked = {"slice": request.slice, "run_id": request.run_id, "vm_id": vm_id, "name": name}
            operation = {**asked, "until": until.isoformat(), "arm": outcome.operation}
            return Started(operation, outcome.retry_after_s)
        return outcome

    async def poll(self, operation: JsonObject) -> Started | Fact[JsonObject]:
        """Returns how the script stands; its end deletes the resource, whatever the end is."""
        outcome = await self._writes.poll(operation["arm"])
        if isinstance(outcome, Started):
            outcome = Started({**operation, "arm": outcome.operation}, outcome.retry_after_s)
        elif isinstance(outcome, Completed) and not _over(_view(outcome.value)):
            # A provisioning that succeeded says nothing about the script.
            outcome = Started(operation, _PAUSE_S)
        if isinstance(outcome, Started):
            if self._clock.now() < datetime.fromisoformat(operation["until"]):
                return outcome
            answer: Fact[JsonObject] = Unavailable(
                Reason.TIMEOUT, "The managed Run Command did not end within its time.", _SOURCE
            )
        elif isinstance(outcome, Completed):
            answer = checked(
                interpret_view(_view(outcome.value), operation["slice"]), operation["run_id"], self._clock.now()
            )
        elif isinstance(outcome, OutcomeUnknown):
            answer = Unavailable(
                Reason.SERVER_ERROR, f"The managed Run Command's end is not known: {outcome.detail}", _SOURCE
            )
            # It may still run or only now come about: the sweep deletes it when its time is over.
            return answer
        else:
            answer = Unavailable(refusal_reason(outcome), f"Managed Run Command failed: {outcome.detail}", _SOURCE)
        await self.delete(operation["vm_id"], operation["name"])
        return answer

    async def delete(self, vm_id: str, name: str) -> WriteOutcome:
        """Deletes a managed Run Command of ours; it stays noted until Azure says that there is none."""
        deleted = await self._writes.delete_run_command(vm_id, name)
        if isinstance(deleted, Completed):
            await self._notes.forget_run_command(vm_id, name)
        else:
            await self._notes.note_run_command(vm_id, name, self._clock.now())
        return deleted


def run_command_name(request: GuestRequest) -> str:
    """The name of a request's resource: the same for the same attempt of the same run, and no other."""
    return f"rdp-remediate-{request.run_id}-{request.attempt or request.script}"


def run_command_body(request: GuestRequest) -> JsonObject:
    """Returns the body of the PUT: the script whole, the request as its only parameter, no secrets to protect."""
    return {
        "location": request.location,
        "properties": {
            "source": {"script": collect_script() if request.script == "collect" else repair_script()},
            "parameters": [{"name": "Request", "value": encode_request(request)}],
            "asyncExecution": False,
            "treatFailureAsDeploymentFailure": False,
            "timeoutInSeconds": TIMEOUT_S,
        },
    }


def interpret_view(view: JsonObject, slice_: int = 1) -> JsonObject | Unavailable:
    """Returns the answer in the instance view of a script that has ended.

    The answer carries its own length and checksum, so a whole one counts whatever the state says.
    """
    answer = decode_answer(str(view.get("output") or ""), slice_)
    if not isinstance(answer, Unavailable):
        return answer
    state = str(view.get("executionState") or "Unknown")
    detail = answer.detail
    if state.lower() != "succeeded":
        detail = f"The managed Run Command ended as {state} with exit code {view.get('exitCode')}. {detail}"
    errors = str(view.get("error") or "").strip()
    if errors:
        detail = f"{detail} Its errors begin: {errors[:200]!r}"
    return Unavailable(Reason.TIMEOUT if state.lower() == "timedout" else answer.reason, detail, answer.source)


def _view(resource: Any) -> JsonObject:
    properties = resource.get("properties") if isinstance(resource, dict) else None
    view = properties.get("instanceView") if isinstance(properties, dict) else None
    return view if isinstance(view, dict) else {}


def _over(view: JsonObject) -> bool:
    return bool(view.get("endTime")) and str(view.get("executionState") or "").lower() in _ENDED
