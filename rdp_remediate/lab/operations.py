"""Long-running operations with the headers and bodies that were recorded (azure-facts.md section 1)."""

import asyncio
import base64
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from rdp_remediate.lab.arm_http import NOTHING, ArmError, Call, Reply
from rdp_remediate.lab.latency import Latency
from rdp_remediate.lab.world import utc_now

Work = Callable[[], Awaitable[Any]]


class OperationError(Exception):
    """Ends a long-running operation as Failed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


def _ticks(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "3+00:00"


@dataclass(slots=True)
class Operation:
    """One operation in progress or ended."""

    id: str
    family: str
    """compute, network or diagnostics: they differ in headers and bodies."""
    location: str
    api_version: str
    task: asyncio.Task[Any]
    started: datetime = field(default_factory=utc_now)
    ended: datetime | None = None
    result: Any = None
    error: OperationError | None = None

    @property
    def done(self) -> bool:
        """True when the operation has ended, well or badly."""
        return self.ended is not None


@dataclass(slots=True)
class Operations:
    """All operations of a lab by id."""

    subscription: str
    latency: Latency
    items: dict[str, Operation] = field(default_factory=dict)

    def start(self, call: Call, family: str, kind: str, work: Work) -> Operation:
        """Starts work in the background; the operation ends when it is done and its latency has passed."""
        seconds = self.latency.seconds(kind)
        operation_id = str(uuid4())

        async def run() -> None:
            began = time.monotonic()
            try:
                operation.result = await work()
            except OperationError as error:
                operation.error = error
            rest = seconds - (time.monotonic() - began)
            if rest > 0:
                await asyncio.sleep(rest)
            operation.ended = utc_now()

        task = asyncio.get_running_loop().create_task(run(), name=f"lab {kind} {operation_id}")
        location = call.world.names.location
        operation = Operation(operation_id, family, location, call.api_version, task)
        self.items[operation_id] = operation
        return operation

    async def close(self) -> None:
        """Ends what still runs."""
        running = [o.task for o in self.items.values() if not o.task.done()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def url(self, origin: str, operation: Operation, *, result: bool) -> str:
        """Returns a poll address; as in 2025 it is about 3.3 kB long and another one each time."""
        provider = "Microsoft.Compute" if operation.family == "compute" else "Microsoft.Network"
        leaf = "operationResults" if result and operation.family != "compute" else "operations"
        base = f"{origin}/subscriptions/{self.subscription}/providers/{provider}/locations/{operation.location}"
        ticks = time.time_ns() // 100 + 621355968000000000
        seed = f"{operation.id}{ticks}".encode()
        certificate = base64.urlsafe_b64encode(hashlib.sha512(operation.id.encode()).digest() * 31).decode()[:2600]
        signature = base64.urlsafe_b64encode(hashlib.sha512(seed).digest() * 5).decode()[:342]
        digest = base64.urlsafe_b64encode(hashlib.sha256(seed).digest()).decode().rstrip("=")
        monitor = "monitor=true&" if result and operation.family == "compute" else ""
        signed = f"api-version={operation.api_version}&t={ticks}&c={certificate}&s={signature}&h={digest}"
        party = f"p={uuid4()}&" if operation.family == "compute" else ""
        return f"{base}/{leaf}/{operation.id}?{party}{monitor}{signed}"

    def accepted(self, call: Call, operation: Operation) -> Reply:
        """202 for a POST or DELETE: Compute empty with both headers, diagnostics `null` with Location only."""
        headers = {"x-ms-request-id": operation.id, "Location": self.url(call.origin, operation, result=True)}
        headers["azure-asyncnotification"] = "Enabled"
        if operation.family == "compute":
            headers |= self.latency.wait_headers(None)
        else:
            headers |= self.latency.wait_headers(10)
        if operation.family != "diagnostics":
            headers["Azure-AsyncOperation"] = self.url(call.origin, operation, result=False)
        return Reply(202, None if operation.family == "diagnostics" else NOTHING, headers)

    def put_headers(self, call: Call, operation: Operation) -> dict[str, str]:
        """Headers of a PUT answer: Azure-AsyncOperation, from the network provider also Retry-After, never Location."""
        headers = {
            "x-ms-request-id": operation.id,
            "Azure-AsyncOperation": self.url(call.origin, operation, result=False),
        }
        return headers | self.latency.wait_headers(10 if operation.family == "network" else None)

    def find(self, operation_id: str) -> Operation:
        """Returns an operation by id.

        Raises:
            ArmError: there is none.
        """
        operation = self.items.get(operation_id.lower())
        if operation is None:
            raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")
        return operation

    def poll_status(self, operation: Operation) -> Reply:
        """GET of Azure-AsyncOperation: always HTTP 200, only `status` tells success from failure."""
        status = "InProgress" if not operation.done else "Failed" if operation.error else "Succeeded"
        headers = {} if operation.done else self.latency.wait_headers(10 if operation.family == "network" else None)
        if operation.family != "compute":
            if operation.error:
                # the network provider begins code and message with a space
                error = {"code": f" {operation.error.code}", "message": f" {operation.error.message}", "details": []}
                return Reply(200, {"status": status, "error": error}, headers)
            return Reply(200, {"status": status}, headers)
        body: dict[str, Any] = {"startTime": _ticks(operation.started)}
        if operation.ended:
            body["endTime"] = _ticks(operation.ended)
        body["status"] = status
        if operation.error:
            body["error"] = {"code": operation.error.code, "message": operation.error.message}
        elif operation.done and operation.result is not None:
            body["properties"] = {"output": operation.result}
        body["name"] = operation.id
        return Reply(200, body, headers)

    def poll_result(self, call: Call, operation: Operation) -> Reply:
        """GET of Location: 202 while running, then the result; a failed operation answers its error."""
        again = {"Location": self.url(call.origin, operation, result=True)}
        if not operation.done:
            wait = self.latency.wait_headers(None if operation.family == "compute" else 10)
            return Reply(202, NOTHING if operation.family == "compute" else None, {**again, **wait})
        if operation.error:
            raise ArmError(409 if operation.family == "compute" else 400, operation.error.code, operation.error.message)
        headers = {} if operation.family == "compute" else again
        return Reply(200, NOTHING if operation.result is None else operation.result, headers)
