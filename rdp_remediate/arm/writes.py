"""Acting calls of Azure Resource Manager. None is ever sent again once Azure may have seen it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from azure.mgmt.compute.models import RunCommandInput
from azure.mgmt.network.models import Route, SecurityRule

from rdp_remediate.arm import managed_run_command
from rdp_remediate.arm.answers import FAILURES, Answer, ForeignUrlError, answer_of, refusal, sentence, write_failure
from rdp_remediate.arm.clients import ArmClients, correlated
from rdp_remediate.arm.ids import ArmId, parse
from rdp_remediate.arm.polling import (
    Ended,
    Failed,
    FirstAnswer,
    Lost,
    Polled,
    PollState,
    PollTimes,
    Running,
    advance,
    begin,
    no_answer,
)
from rdp_remediate.arm.redaction import redact
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.fact import Reason
from rdp_remediate.ports import ArmWrites, Completed, OutcomeUnknown, Rejected, Started, WriteOutcome

_JIT_API = "2020-01-01"
_EXTENSION_API = "2024-07-01"
_MALFORMED_ID = Rejected(Reason.MALFORMED, 0, "InvalidResourceId", "This is no ARM resource id; nothing was sent.")


class AzureWrites(ArmWrites):
    """`ArmWrites` over the genuine Azure clients.

    A write of a rule is awaited to its end. It runs on when the caller is cancelled or its deadline passes; then its
    outcome is unknown to the caller, and evidence decides.
    """

    def __init__(
        self,
        clients: ArmClients,
        *,
        correlation_id: str | None = None,
        deadline_s: float = 120.0,
        close_grace_s: float = 5.0,
        poll_times: PollTimes | None = None,
        started_times: PollTimes | None = None,
    ) -> None:
        """Writes with the given clients.

        Args:
            clients: The clients of this event loop.
            correlation_id: GUID that Azure's logs show with every request; see `clients.correlation_id`.
            deadline_s: How long a rule's write may take before its outcome counts as unknown.
            close_grace_s: How long `close` waits for writes that still run.
            poll_times: Waits between the polls of a rule's write.
            started_times: Waits that `Started` names; by default 5 s, and 30 s at most.
        """
        self._clients = clients
        self._correlation_id = correlation_id
        self._deadline_s = deadline_s
        self._close_grace_s = close_grace_s
        self._poll_times = poll_times or PollTimes()
        self._started_times = started_times or PollTimes(default_s=5.0, longest_s=30.0)
        self._running: set[asyncio.Task[WriteOutcome]] = set()

    async def put_security_rule(self, nsg_id: str, name: str, body: JsonObject, *, etag: str | None) -> WriteOutcome:
        """Creates (etag None) or replaces one child rule of an NSG and waits for its end."""
        return await self._put_child(_rule_id(nsg_id, name), "security rule", SecurityRule(body), etag)

    async def delete_security_rule(self, nsg_id: str, name: str, *, etag: str | None) -> WriteOutcome:
        """Deletes one child rule of an NSG and waits for its end."""
        return await self._delete_child(_rule_id(nsg_id, name), "security rule", etag)

    async def put_route(self, route_table_id: str, name: str, body: JsonObject, *, etag: str | None) -> WriteOutcome:
        """Creates (etag None) or replaces one route of a route table and waits for its end."""
        return await self._put_child(_route_id(route_table_id, name), "route", Route(body), etag)

    async def delete_route(self, route_table_id: str, name: str, *, etag: str | None) -> WriteOutcome:
        """Deletes one route of a route table and waits for its end."""
        return await self._delete_child(_route_id(route_table_id, name), "route", etag)

    async def _put_child(self, arm: ArmId | None, word: str, body: Any, etag: str | None) -> WriteOutcome:
        if arm is None:
            return _MALFORMED_ID
        condition = {"If-None-Match": "*"} if etag is None else {"If-Match": etag}
        children, names = self._children(arm, word), arm.names

        async def put(first: FirstAnswer) -> None:
            await children.begin_create_or_update(str(arm.group), *names, body, headers=condition, polling=first)

        return await self._whole(arm, "PUT", put, f"PUT {word} {names[1]} of {names[0]}")

    async def _delete_child(self, arm: ArmId | None, word: str, etag: str | None) -> WriteOutcome:
        if arm is None:
            return _MALFORMED_ID
        condition = {} if etag is None else {"If-Match": etag}
        children, names = self._children(arm, word), arm.names

        async def delete(first: FirstAnswer) -> None:
            await children.begin_delete(str(arm.group), *names, headers=condition, polling=first)

        return await self._whole(arm, "DELETE", delete, f"DELETE {word} {names[1]} of {names[0]}")

    def _children(self, arm: ArmId, word: str) -> Any:
        """The operations on NSG rules or on routes, whose methods are alike in everything but the type of the body."""
        network = self._clients.network(arm.subscription)
        return network.routes if word == "route" else network.security_rules

    async def start_virtual_machine(self, vm_id: str) -> WriteOutcome:
        """Starts a VM; the operation is returned as `Started`."""
        return await self._power(vm_id, "start", "begin_start")

    async def restart_virtual_machine(self, vm_id: str) -> WriteOutcome:
        """Restarts a VM; the operation is returned as `Started`."""
        return await self._power(vm_id, "restart", "begin_restart")

    async def redeploy_virtual_machine(self, vm_id: str) -> WriteOutcome:
        """Moves a VM to another host; the operation is returned as `Started`."""
        return await self._power(vm_id, "redeploy", "begin_redeploy")

    async def reapply_virtual_machine(self, vm_id: str) -> WriteOutcome:
        """Applies the state of a VM again; the operation is returned as `Started`."""
        return await self._power(vm_id, "reapply", "begin_reapply")

    async def deallocate_virtual_machine(self, vm_id: str) -> WriteOutcome:
        """Stops a VM and takes it off its host; the operation is returned as `Started`."""
        return await self._power(vm_id, "deallocate", "begin_deallocate")

    async def _power(self, vm_id: str, verb: str, method: str) -> WriteOutcome:
        arm = _id_of_type(vm_id, "microsoft.compute/virtualmachines")
        if arm is None:
            return _MALFORMED_ID
        act = getattr(self._clients.compute(arm.subscription).virtual_machines, method)

        async def send(first: FirstAnswer) -> None:
            await act(str(arm.group), arm.name, polling=first)

        return await self._shielded(self._begun(send, f"{verb} VM {arm.name}", wants_result=False))

    async def run_command(self, vm_id: str, body: JsonObject) -> WriteOutcome:
        """Sends one action Run Command; the operation is returned as `Started`."""
        arm = _id_of_type(vm_id, "microsoft.compute/virtualmachines")
        if arm is None:
            return _MALFORMED_ID
        vms = self._clients.compute(arm.subscription).virtual_machines

        async def start(first: FirstAnswer) -> None:
            await vms.begin_run_command(str(arm.group), arm.name, RunCommandInput(body), polling=first)

        return await self._shielded(self._begun(start, f"Run Command on VM {arm.name}", wants_result=True))

    async def put_run_command(self, vm_id: str, name: str, body: JsonObject) -> WriteOutcome:
        """Creates one managed Run Command that is not there yet; `Started`, and its end is the resource with its view."""
        arm = managed_run_command.resource_of(vm_id, name)
        if arm is None:
            return _MALFORMED_ID

        async def put() -> WriteOutcome:
            with correlated(self._correlation_id):
                begun = await managed_run_command.create(self._clients, arm, body)
            return begun if isinstance(begun, Rejected) else self._outcome(begun)

        return await self._shielded(put())

    async def delete_run_command(self, vm_id: str, name: str) -> WriteOutcome:
        """Deletes one managed Run Command; `Completed` only when there is none any more."""
        arm = managed_run_command.resource_of(vm_id, name)
        if arm is None:
            return _MALFORMED_ID

        async def delete() -> WriteOutcome:
            with correlated(self._correlation_id):
                ended = await managed_run_command.delete(self._clients, arm)
            return ended if isinstance(ended, Rejected | OutcomeUnknown) else self._outcome(ended)

        return await self._shielded(delete())

    async def put_extension(self, vm_id: str, name: str, body: JsonObject) -> WriteOutcome:
        """Creates or replaces one extension of a VM; the operation is returned as `Started`."""
        return await self._extension("PUT", vm_id, name, body)

    async def delete_extension(self, vm_id: str, name: str) -> WriteOutcome:
        """Deletes one extension of a VM; the operation is returned as `Started`."""
        return await self._extension("DELETE", vm_id, name, None)

    async def _extension(self, method: str, vm_id: str, name: str, body: JsonObject | None) -> WriteOutcome:
        arm = _id_of_type(f"{vm_id.rstrip('/')}/extensions/{name}", "microsoft.compute/virtualmachines/extensions")
        if arm is None:
            return _MALFORMED_ID
        asked, params = f"{method} extension {name} of VM {arm.names[0]}", {"api-version": _EXTENSION_API}

        async def write() -> WriteOutcome:
            try:
                with correlated(self._correlation_id):
                    answer = await self._clients.send(method, arm.text, params=params, json=body)
            except FAILURES as error:
                return write_failure(error, asked)
            if answer.status >= 300:
                return _refused(answer, asked)
            # The operation's end is all that counts; the resource holds nothing that is needed.
            return self._outcome(begin(answer, method=method, url=arm.text, asked=asked, wants_result=False))

        return await self._shielded(write())

    async def initiate_jit(self, policy_id: str, body: JsonObject) -> WriteOutcome:
        """Asks Defender for just-in-time access."""
        arm = _id_of_type(policy_id, "microsoft.security/locations/jitnetworkaccesspolicies")
        if arm is None:
            return _MALFORMED_ID
        asked, url = f"JIT request under policy {arm.name}", f"{arm.text}/initiate"

        async def ask() -> WriteOutcome:
            try:
                with correlated(self._correlation_id):
                    answer = await self._clients.send("POST", url, params={"api-version": _JIT_API}, json=body)
            except FAILURES as error:
                return write_failure(error, asked)
            if answer.status >= 300:
                return _refused(answer, asked)
            return self._outcome(begin(answer, method="POST", url=url, asked=asked))

        return await self._shielded(ask())

    async def poll(self, operation: JsonObject) -> WriteOutcome:
        """Asks once how an operation stands: `Started` with the newest poll state, or its end.

        An operation that Azure accepted and that then failed ends as `Rejected` with status 200: it may have done a
        part, so compare before relying on "nothing was changed".
        """
        try:
            state = PollState.from_json(operation)
        except (ValueError, TypeError):
            return OutcomeUnknown("The stored state of the operation cannot be read; read and compare instead.")
        polled: Polled
        try:
            with correlated(self._correlation_id):
                polled = advance(state, await self._clients.send("GET", state.url))
                if isinstance(polled, Running) and polled.wait_s == 0:  # the last read of a result
                    polled = advance(polled.state, await self._clients.send("GET", polled.state.url))
        except ForeignUrlError as error:
            return OutcomeUnknown(f"{state.asked}: {error}")
        except FAILURES:
            polled = no_answer(state)
        return self._outcome(polled)

    async def close(self) -> None:
        """Gives writes that still run a moment to end, then lets go of them."""
        if self._running:
            _, pending = await asyncio.wait(self._running, timeout=self._close_grace_s)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def _shielded(self, write: Coroutine[Any, Any, WriteOutcome]) -> WriteOutcome:
        """Runs a write to its end even if the caller is cancelled; past the deadline nobody knows its outcome."""
        task = asyncio.create_task(write)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            async with asyncio.timeout(self._deadline_s):
                return await asyncio.shield(task)
        except TimeoutError:
            return OutcomeUnknown(f"The write did not end within {self._deadline_s:.0f} s and may still go on.")

    async def _first(
        self, start: Callable[[FirstAnswer], Awaitable[None]], asked: str
    ) -> Answer | Rejected | OutcomeUnknown:
        first = FirstAnswer()
        try:
            await start(first)
        except FAILURES as error:
            return write_failure(error, asked)
        response = first.response
        url = {"request-url": str(response.request.url)}
        return answer_of(response.status_code, {**response.headers, **url}, response.text())

    async def _begun(
        self, start: Callable[[FirstAnswer], Awaitable[None]], asked: str, *, wants_result: bool
    ) -> WriteOutcome:
        with correlated(self._correlation_id):
            first = await self._first(start, asked)
        if not isinstance(first, Answer):
            return first
        url = first.headers["request-url"]
        return self._outcome(begin(first, method="POST", url=url, asked=asked, wants_result=wants_result))

    async def _whole(
        self, arm: ArmId, method: str, start: Callable[[FirstAnswer], Awaitable[None]], asked: str
    ) -> WriteOutcome:
        """A child's write from its request to its end, alone on its NSG or route table."""
        alone = self._clients.writing(arm.key.rsplit("/", 2)[0])
        try:
            async with asyncio.timeout(self._deadline_s):
                await alone.acquire()  # outside the shield: a caller that gave up while waiting has sent nothing
        except TimeoutError:
            detail = f"{asked}: another write of the same NSG or route table goes on; nothing was sent."
            return Rejected(Reason.BUSY, 0, "WriteInProgress", detail)

        async def write() -> WriteOutcome:
            try:
                with correlated(self._correlation_id):
                    polled = await self._written(method, start, asked)
            finally:
                alone.release()
            if isinstance(polled, Rejected | OutcomeUnknown):
                return polled
            if isinstance(polled, Ended):
                return Completed(redact(polled.value))
            # The network provider keeps the goal of a failed write: "failed" does not mean "nothing was changed".
            return OutcomeUnknown(refusal(polled.answer, asked).detail)

        return await self._shielded(write())

    async def _written(
        self, method: str, start: Callable[[FirstAnswer], Awaitable[None]], asked: str
    ) -> Ended | Failed | Lost | Rejected | OutcomeUnknown:
        first = await self._first(start, asked)
        if not isinstance(first, Answer):
            return first
        url, wants_result = first.headers["request-url"], method == "PUT"
        polled: Polled = begin(first, method=method, url=url, asked=asked, wants_result=wants_result)
        while isinstance(polled, Running):
            await asyncio.sleep(self._poll_times.wait_s(polled.wait_s))
            state = polled.state
            try:
                polled = advance(state, await self._clients.send("GET", state.url))
            except ForeignUrlError as error:
                return OutcomeUnknown(f"{asked}: {error}")
            except FAILURES:
                polled = no_answer(state)
        return polled

    def _outcome(self, polled: Polled) -> WriteOutcome:
        if isinstance(polled, Running):
            return Started(polled.state.to_json(), self._started_times.wait_s(polled.wait_s))
        if isinstance(polled, Ended):
            return Completed(redact_result(polled.value))
        told = refusal(polled.answer, "The operation")
        if isinstance(polled, Lost):
            return OutcomeUnknown(sentence(f"{told.detail}; its status cannot be read any more."))
        return Rejected(told.reason, told.status, told.code, told.detail, told.retry_after_s)


def redact_result(value: Any) -> Any:
    """The result of an operation; the output of our own script is an answer, not a secret, and stays whole."""
    entries = value.get("value") if isinstance(value, dict) else None
    if isinstance(entries, list):
        return value
    properties = value.get("properties") if isinstance(value, dict) else None
    if isinstance(properties, dict) and isinstance(properties.get("instanceView"), dict):
        return {**redact(value), "properties": {**redact(properties), "instanceView": properties["instanceView"]}}
    return redact(value)


def _refused(answer: Answer, asked: str) -> Rejected | OutcomeUnknown:
    told = refusal(answer, asked)
    if answer.status == 408 or not 400 <= answer.status <= 499:
        return OutcomeUnknown(told.detail)
    return Rejected(told.reason, told.status, told.code, told.detail, told.retry_after_s)


def _id_of_type(resource_id: str, wanted: str) -> ArmId | None:
    arm = parse(resource_id)
    return arm if arm is not None and arm.type == wanted and arm.group is not None else None


def _rule_id(nsg_id: str, name: str) -> ArmId | None:
    return _id_of_type(
        f"{nsg_id.rstrip('/')}/securityRules/{name}", "microsoft.network/networksecuritygroups/securityrules"
    )


def _route_id(route_table_id: str, name: str) -> ArmId | None:
    return _id_of_type(f"{route_table_id.rstrip('/')}/routes/{name}", "microsoft.network/routetables/routes")
