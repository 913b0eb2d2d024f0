"""The way into Windows through the action Run Command (POST virtualMachines/{vm}/runCommand).

What Azure answers and when it may be asked: Microsoft, "Run scripts in your Windows VM by using action Run Commands",
and recordings of it. The script runs as SYSTEM, one at a time, cannot be cancelled, and takes 20 seconds at least; only
the last 4,096 bytes of stdout come back. An agent that does not report fails the operation after 25 minutes only, so
`preflight` looks first.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from rdp_remediate.guest.protocol import decode_answer, encode_request
from rdp_remediate.guest.scripts import collect_script, repair_script
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable
from rdp_remediate.ports import (
    ArmWrites,
    Clock,
    Completed,
    GuestRequest,
    OutcomeUnknown,
    Rejected,
    Started,
    WriteOutcome,
)

FAILED = "Run Command failed"
"""How the detail of a Run Command begins that Azure accepted and that ended as failed."""

_SOURCE = "guest"
_STDOUT = "componentstatus/stdout/"
_STDERR = "componentstatus/stderr/"
_BUSY_STATES = ("creating", "updating", "deleting", "transitioning")


class RunCommandChannel:
    """Sends the scripts by Run Command and reads their answers; a `rdp_remediate.ports.GuestChannel`."""

    def __init__(self, writes: ArmWrites, clock: Clock) -> None:
        self._writes = writes
        self._clock = clock

    def preflight(self, vm: JsonObject) -> Unavailable | None:
        """Returns why Run Command cannot be used now, or None."""
        return preflight(vm)

    async def start(self, vm_id: str, request: GuestRequest) -> WriteOutcome:
        """Sends the script; the operation is parked by the caller, as it may last 90 minutes."""
        outcome = await self._writes.run_command(vm_id, run_command_body(request))
        asked = {"slice": request.slice, "run_id": request.run_id, "script": request.script}
        if isinstance(outcome, Started):
            return replace(outcome, operation={**asked, "arm": outcome.operation})
        if isinstance(outcome, Completed):
            return Started({**asked, "output": outcome.value}, retry_after_s=0.0)
        if isinstance(outcome, Rejected):
            return replace(outcome, reason=refusal_reason(outcome))
        return outcome

    async def poll(self, operation: JsonObject) -> Started | Fact[JsonObject]:
        """Returns how the script stands: still running, its answer, or why there is none."""
        if "output" in operation:
            return self._answer(operation, operation["output"])
        outcome = await self._writes.poll(operation["arm"])
        if isinstance(outcome, Started):
            return replace(outcome, operation={**operation, "arm": outcome.operation})
        if isinstance(outcome, Completed):
            return self._answer(operation, outcome.value)
        if isinstance(outcome, OutcomeUnknown):
            return Unavailable(Reason.SERVER_ERROR, f"The Run Command's end is not known: {outcome.detail}", _SOURCE)
        return Unavailable(refusal_reason(outcome), f"{FAILED}: {outcome.detail}", _SOURCE)

    def _answer(self, operation: JsonObject, output: Any) -> Fact[JsonObject]:
        return checked(interpret_output(output, operation["slice"]), operation["run_id"], self._clock.now())


def checked(answer: JsonObject | Unavailable, run_id: str, at: datetime) -> Fact[JsonObject]:
    """Returns a decoded answer as a fact, if it is an answer to this run."""
    if isinstance(answer, Unavailable):
        return answer
    repair = answer.get("repair")
    if repair is not None and repair["run_id"] != run_id:
        return Unavailable(Reason.MALFORMED, "The answer belongs to another run's repair.", _SOURCE)
    return Observed(answer, _SOURCE, at)


def run_command_body(request: GuestRequest) -> JsonObject:
    """Returns the body of the runCommand POST: the script as lines, the request as its only parameter."""
    text = collect_script() if request.script == "collect" else repair_script()
    return {
        "commandId": "RunPowerShellScript",
        "script": text.splitlines(),
        "parameters": [{"name": "Request", "value": encode_request(request)}],
    }


def interpret_output(output: Any, slice_: int = 1) -> JsonObject | Unavailable:
    """Returns the answer in a finished operation's output.

    Args:
        output: The operation's body, its `properties`, `properties.output`, or the list of statuses: 2017 answers
            hold a list where later ones hold {"value": […]}.
        slice_: The slice that was asked for.
    """
    statuses = _statuses(output)
    if statuses is None:
        return Unavailable(Reason.MALFORMED, "The Run Command's output has a shape that is not known here.", _SOURCE)
    stdout = _message(statuses, _STDOUT)
    stderr = _message(statuses, _STDERR).strip()
    answer = decode_answer(stdout, slice_)
    if isinstance(answer, Unavailable) and stderr:
        return replace(answer, detail=f"{answer.detail} Its errors begin: {stderr[:200]!r}")
    return answer


def _statuses(output: Any) -> list[dict[str, Any]] | None:
    if isinstance(output, dict):
        for key in ("properties", "output", "value"):
            if key in output:
                return _statuses(output[key])
        return None
    if isinstance(output, list) and all(isinstance(entry, dict) for entry in output):
        return output
    return None


def _message(statuses: list[dict[str, Any]], prefix: str) -> str:
    for entry in statuses:
        if str(entry.get("code", "")).lower().startswith(prefix):
            return str(entry.get("message") or "")
    return ""


def refusal_reason(rejected: Rejected) -> Reason:
    """Returns what a refused or failed Run Command means; Azure's codes are generic, so its texts are looked at."""
    text = rejected.detail.lower()
    code = rejected.code.lower()
    if "execution is in progress" in text or "another operation" in text:
        return Reason.BUSY
    if "vm to be running" in text or "vm is not running" in text:
        return Reason.NOT_RUNNING
    if code == "vmagentstatuscommunicationerror":
        return Reason.UNREACHABLE
    return rejected.reason


def preflight(vm: JsonObject) -> Unavailable | None:
    """Returns why Run Command cannot be used on this VM now, or None.

    The VM must be running, not be created, updated or deleted (Failed is allowed: the last operation on it failed, the
    VM may be fine), its agent be Ready, no extension be in transition, and extensions be allowed.

    Args:
        vm: The VM as ARM returns it with `$expand=instanceView`.
    """
    properties = vm.get("properties") or {}
    view = properties.get("instanceView")
    if not isinstance(view, dict):
        return Unavailable(Reason.NOT_COLLECTED, "The VM's instance view was not read.", _SOURCE)
    power = next((code[11:] for code in _codes(view.get("statuses")) if code.startswith("powerstate/")), None)
    if power != "running":
        return Unavailable(
            Reason.NOT_RUNNING, f"The VM is not running: its power state is {power or 'unknown'}.", _SOURCE
        )
    state = str(properties.get("provisioningState", ""))
    if state.lower() in _BUSY_STATES:
        return Unavailable(Reason.BUSY, f"Another operation on the VM is in progress: {state}.", _SOURCE)
    if (properties.get("osProfile") or {}).get("allowExtensionOperations") is False:
        return Unavailable(
            Reason.NOT_CONFIGURED, "The VM forbids extensions (osProfile.allowExtensionOperations is false).", _SOURCE
        )
    agent = view.get("vmAgent") or {}
    if not any(code == "provisioningstate/succeeded" for code in _codes(agent.get("statuses"))):
        return Unavailable(Reason.UNREACHABLE, f"The VM agent is not Ready: {_agent_message(agent)}", _SOURCE)
    for extension in view.get("extensions") or []:
        if any(_in_transition(code) for code in _codes(extension.get("statuses"))):
            return Unavailable(Reason.BUSY, f"The extension {extension.get('name')} is in transition.", _SOURCE)
    return None


def _codes(statuses: Any) -> Iterator[str]:
    return (str(status.get("code", "")).lower() for status in statuses or [] if isinstance(status, dict))


def _in_transition(code: str) -> bool:
    parts = code.split("/")
    return parts[0] == "provisioningstate" and len(parts) > 1 and parts[1] in _BUSY_STATES


def _agent_message(agent: JsonObject) -> str:
    for status in agent.get("statuses") or []:
        return str(status.get("message") or status.get("displayStatus") or status.get("code"))
    return "it does not report."
