r"""A probe from a neighbour VM by the action Run Command: one fixed script per system, one parameter, one line back.

The request is base64url of compact ASCII JSON, {"schema", "run_id", "address", "port"} in this order: the shell script
reads exactly that form. The answer has the frame of `guest.protocol` and the schema rdp-remediate/neighbour/1. It is what
another machine says: what does not fit the request is `Unavailable`, and an answer proves no identity.

On Linux Azure joins both streams in one message (recorded: `Enable succeeded: \n[stdout]\n…\n[stderr]\n…`).
"""

import base64
import ipaddress
import json
import re
from dataclasses import replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from rdp_remediate.errors import InternalError
from rdp_remediate.guest.protocol import MAX_REQUEST_CHARACTERS, REQUEST_SCHEMA, checked_payload
from rdp_remediate.guest.run_command import FAILED, preflight, refusal_reason
from rdp_remediate.guest.scripts import neighbour_script
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable
from rdp_remediate.ports import (
    ArmWrites,
    Clock,
    Completed,
    NeighbourRequest,
    OutcomeUnknown,
    Rejected,
    Started,
    WriteOutcome,
)

SCHEMA = "rdp-remediate/neighbour/1"
_SOURCE = "probes.neighbour"
_RUN_ID = re.compile(r"[A-Za-z0-9._:-]{1,120}")
_TCP = {
    "timeout": ("tcp_timeout", "filtered", "did not answer the connection request"),
    "refused": ("tcp_refused", "refused", "refused the connection"),
    "unreachable": ("tcp_unreachable", "unreachable", "cannot be reached: the network has no way there"),
    "error": ("tcp_error", "error", "could not be tried"),
}
_X224 = {
    "answered": ("rdp_answered", "ok", "answered X.224 as an RDP server does"),
    "no_answer": ("x224_timeout", "no_answer", "took the connection and did not answer X.224"),
    "not_rdp": ("not_rdp_other", "not_rdp", "answered, but not as an RDP server does"),
}


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    run_id: str
    address: str
    port: int
    tcp: Literal["open", "timeout", "refused", "unreachable", "error"] | None
    x224: Literal["answered", "no_answer", "not_rdp"] | None
    failed: str | None


class RunCommandNeighbour:
    """Sends the probe and reads its answer; a `rdp_remediate.ports.NeighbourChannel`."""

    def __init__(self, writes: ArmWrites, clock: Clock) -> None:
        self._writes = writes
        self._clock = clock

    def preflight(self, vm: JsonObject) -> Unavailable | None:
        """Returns why Run Command cannot be used on this VM now, or None."""
        return preflight(vm)

    async def start(self, vm_id: str, request: NeighbourRequest) -> WriteOutcome:
        """Sends the probe once; it is never sent again, whatever becomes of it."""
        outcome = await self._writes.run_command(vm_id, neighbour_body(request))
        asked = {"run_id": request.run_id, "address": request.address, "port": request.port}
        if isinstance(outcome, Started):
            return replace(outcome, operation={**asked, "arm": outcome.operation})
        if isinstance(outcome, Completed):
            return Started({**asked, "output": outcome.value}, retry_after_s=0.0)
        return replace(outcome, reason=refusal_reason(outcome)) if isinstance(outcome, Rejected) else outcome

    async def poll(self, operation: JsonObject) -> Started | Fact[JsonObject]:
        """Returns how the probe stands: still running, its result, or why there is none."""
        if "output" in operation:
            return self._read(operation, operation["output"])
        outcome = await self._writes.poll(operation["arm"])
        if isinstance(outcome, Started):
            return replace(outcome, operation={**operation, "arm": outcome.operation})
        if isinstance(outcome, Completed):
            return self._read(operation, outcome.value)
        if isinstance(outcome, OutcomeUnknown):
            return Unavailable(Reason.SERVER_ERROR, f"The Run Command's end is not known: {outcome.detail}", _SOURCE)
        return Unavailable(refusal_reason(outcome), f"{FAILED}: {outcome.detail}", _SOURCE)

    def _read(self, operation: JsonObject, output: Any) -> Fact[JsonObject]:
        read = decode_neighbour(output, operation["run_id"], operation["address"], operation["port"])
        return read if isinstance(read, Unavailable) else Observed(read, _SOURCE, self._clock.now())


def neighbour_body(request: NeighbourRequest) -> JsonObject:
    """Returns the body of the runCommand POST.

    Raises:
        InternalError: The request holds something else than a run id, an address and a port.
    """
    return {
        "commandId": "RunPowerShellScript" if request.windows else "RunShellScript",
        "script": neighbour_script(windows=request.windows).splitlines(),
        "parameters": [{"name": "Request", "value": encode_neighbour_request(request)}],
    }


def encode_neighbour_request(request: NeighbourRequest) -> str:
    """Returns the value of the one parameter."""
    try:
        address = str(ipaddress.ip_address(request.address))
    except ValueError as error:
        raise InternalError(f"A neighbour cannot be asked about {request.address!r}: {error}.") from error
    if not _RUN_ID.fullmatch(request.run_id) or "%" in address or not 1 <= request.port <= 65535:
        raise InternalError("A neighbour cannot be asked: the run id, the address or the port has another form.")
    document = {"schema": REQUEST_SCHEMA, "run_id": request.run_id, "address": address, "port": request.port}
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":"))
    encoded = base64.urlsafe_b64encode(text.encode("ascii")).decode("ascii").rstrip("=")
    if len(encoded) > MAX_REQUEST_CHARACTERS:
        raise InternalError(f"The neighbour's request has {len(encoded)} characters, more than it may have.")
    return encoded


def decode_neighbour(output: Any, run_id: str, address: str, port: int) -> JsonObject | Unavailable:
    """Returns the result of a probe record, or why the answer is none to this request."""
    text = "".join(_messages(output)).replace("\r", "").replace("\n", "")
    payload = checked_payload(text, 1)
    if isinstance(payload, Unavailable):
        return Unavailable(payload.reason, payload.detail.replace("guest's", "neighbour's"), _SOURCE)
    try:
        document = json.loads(payload)
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            return _malformed("The neighbour's answer is of a schema that is not known here.")
        answer = _Answer.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return _malformed(f"The neighbour's answer breaks its schema at {where}: {first['msg']}.")
    except ValueError as error:
        return _malformed(f"The neighbour's answer is not JSON: {error}.")
    if answer.failed is not None:
        return Unavailable(Reason.NOT_SUPPORTED, f"The neighbour could not probe: {answer.failed[:200]}", _SOURCE)
    if (answer.run_id, answer.address, answer.port) != (run_id, address, port):
        return _malformed("The neighbour's answer belongs to another request.")
    if (answer.tcp == "open") != (answer.x224 is not None) or answer.tcp is None:
        return _malformed("The neighbour's answer contradicts itself.")
    word, verdict, said = _X224[answer.x224] if answer.x224 is not None else _TCP[answer.tcp]
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return {"outcome": word, "verdict": verdict, "detail": f"{where} {said}.", "tcp": answer.tcp, "x224": answer.x224}


def _messages(output: Any) -> list[str]:
    """The texts of a finished operation's output; standard error of Windows is no answer."""
    if isinstance(output, dict):
        inner = next((output[key] for key in ("properties", "output", "value") if key in output), None)
        return _messages(inner)
    entries = [one for one in output if isinstance(one, dict)] if isinstance(output, list) else []
    return [str(one.get("message") or "") for one in entries if "stderr" not in str(one.get("code", "")).lower()]


def _malformed(detail: str) -> Unavailable:
    return Unavailable(Reason.MALFORMED, detail, _SOURCE)
