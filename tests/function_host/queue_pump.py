"""Carries messages between real Azurite queues and the functions of a FunctionHost, as the host's queue extension does.

A received message is held for 10 minutes (the listener's constant, renewed while the function runs, not a setting).
Success writes the outputs, then deletes the message. Failure makes it visible again after host.json's
visibilityTimeout, and at maxDequeueCount moves it to `<queue>-poison`; a message that is not base64 is moved there at
once. When the host dies, nothing is deleted and the message comes back after those 10 minutes: `let_lost_return`.
"""

import base64
import binascii
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import TracebackType
from typing import Self

from azure.core.exceptions import ResourceExistsError
from azure.storage.queue import QueueClient, QueueMessage, QueueServiceClient

from tests.function_host.host import FunctionHost
from tests.function_host.invocation import HostDiedError, HostError, Invocation

HELD_S = 600


class Outcome(StrEnum):
    """What became of a message."""

    DONE = "done"
    RETRIED = "retried"
    POISONED = "poisoned"
    LOST = "lost"


class Crash(StrEnum):
    """Where the host is lost although the function has returned."""

    BEFORE_OUTPUTS = "before outputs"
    BEFORE_DELETE = "before delete"


@dataclass(frozen=True)
class Delivery:
    """One delivery of one message to its function."""

    queue: str
    text: str
    dequeue_count: int
    outcome: Outcome
    invocation: Invocation | None


def _seconds(time_span: str) -> float:
    hours, minutes, seconds = time_span.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds)).total_seconds()


class QueuePump:
    """Delivers queue messages one at a time (batchSize 1), in the order in which the queues give them.

    Args:
        host: The running app; `attach` takes another one after a crash.
        connection_string: Where the queues are.
        retry_after_s: Overrides host.json's visibilityTimeout, so that tests need not wait.
    """

    def __init__(self, host: FunctionHost, connection_string: str, *, retry_after_s: float | None = None) -> None:
        self._service = QueueServiceClient.from_connection_string(connection_string)
        self._clients: dict[str, QueueClient] = {}
        self._lost: list[tuple[str, QueueMessage]] = []
        self._stack = ExitStack()
        self.attach(host)
        options = host.host_json.get("extensions", {}).get("queues", {})
        if options.get("messageEncoding", "base64") != "base64":
            raise HostError("the queue pump only speaks base64, the host's default messageEncoding")
        self._max_dequeue_count = int(options.get("maxDequeueCount", 5))
        configured_s = _seconds(options.get("visibilityTimeout", "00:00:00"))
        self._retry_after_s = configured_s if retry_after_s is None else retry_after_s

    def __enter__(self) -> Self:
        self._stack.enter_context(self._service)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def attach(self, host: FunctionHost) -> None:
        """Deliver to this host from now on."""
        self._host = host
        self._functions = {
            host.setting_value(function.trigger["queueName"]): function.name
            for function in host.functions().values()
            if function.trigger["type"] == "queueTrigger"
        }

    @property
    def queues(self) -> tuple[str, ...]:
        """Names of the queues that have a function."""
        return tuple(self._functions)

    def _client(self, queue: str) -> QueueClient:
        if queue not in self._clients:
            client = self._stack.enter_context(self._service.get_queue_client(queue))
            # It may be left by an earlier test of this Azurite; its messages are the caller's business (clear).
            with suppress(ResourceExistsError):
                client.create_queue()
            self._clients[queue] = client
        return self._clients[queue]

    def clear(self) -> None:
        """Empty every queue of the account."""
        for properties in self._service.list_queues():
            self._client(properties.name).clear_messages()

    def put(self, queue: str, text: str) -> None:
        """Put a message on a queue, as Event Grid or an output binding does."""
        self._client(queue).send_message(base64.b64encode(text.encode()).decode())

    def texts(self, queue: str) -> tuple[str, ...]:
        """Return the texts of the visible messages of a queue, at most 32, without taking them."""
        messages = self._client(queue).peek_messages(max_messages=32)
        return tuple(base64.b64decode(message.content).decode() for message in messages)

    def carry(self, invocation: Invocation) -> Invocation:
        """Put the queue outputs of a successful invocation on their queues and return the invocation."""
        function = self._host.functions()[invocation.function]
        for name, binding in function.outputs.items():
            if binding["type"] == "queue" and invocation.ok:
                for text in invocation.queue_outputs(name):
                    self.put(self._host.setting_value(binding["queueName"]), text)
        return invocation

    def deliver(
        self, queue: str, *, while_running: Callable[[], object] | None = None, crash: Crash | None = None
    ) -> Delivery | None:
        """Deliver the next visible message of a queue to its function and settle it; None if there is none.

        Args:
            queue: Name of the queue.
            while_running: Called between the start of the function and the wait for its end; may kill the host.
            crash: Pretend that the host is lost at this point after the function returned.
        """
        client = self._client(queue)
        message = client.receive_message(visibility_timeout=HELD_S)
        if message is None:
            return None
        count = int(message.dequeue_count or 0)
        try:
            text = base64.b64decode(message.content, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            self._poison(client, message)
            return Delivery(queue, str(message.content), count, Outcome.POISONED, None)
        future = self._host.submit_queue(
            self._functions[queue],
            text,
            dequeue_count=count,
            message_id=message.id,
            pop_receipt=str(message.pop_receipt),
            inserted_at=message.inserted_on,
        )
        if while_running is not None:
            while_running()
        try:
            invocation = self._host.wait(future)
        except HostDiedError:
            self._lost.append((queue, message))
            return Delivery(queue, text, count, Outcome.LOST, None)
        return Delivery(queue, text, count, self._settle(queue, message, invocation, crash), invocation)

    def _settle(self, queue: str, message: QueueMessage, invocation: Invocation, crash: Crash | None) -> Outcome:
        client = self._client(queue)
        if not invocation.ok:
            if int(message.dequeue_count or 0) >= self._max_dequeue_count:
                self._poison(client, message)
                return Outcome.POISONED
            client.update_message(message, visibility_timeout=int(self._retry_after_s))
            return Outcome.RETRIED
        if crash is not Crash.BEFORE_OUTPUTS:
            self.carry(invocation)
        if crash is not None:
            self._lost.append((queue, message))
            return Outcome.LOST
        client.delete_message(message)
        return Outcome.DONE

    def _poison(self, client: QueueClient, message: QueueMessage) -> None:
        self._client(f"{client.queue_name}-poison").send_message(message.content)
        client.delete_message(message)

    def let_lost_return(self) -> int:
        """Make the messages that lost hosts held visible now, as 10 minutes do; return how many there were."""
        lost, self._lost = self._lost, []
        for queue, message in lost:
            self._client(queue).update_message(message, visibility_timeout=0)
        return len(lost)

    def drain(self, *, timeout_s: float = 30.0, until: Callable[[], bool] | None = None) -> tuple[Delivery, ...]:
        """Deliver messages of all queues until `until` holds, or without one until no message is visible.

        Raises:
            HostError: If that takes longer than timeout_s.
        """
        deadline = time.monotonic() + timeout_s
        deliveries: list[Delivery] = []
        while until is None or not until():
            if time.monotonic() > deadline:
                raise HostError(f"the queues were not drained within {timeout_s} s; deliveries: {deliveries[-5:]}")
            round_of = [delivery for queue in self.queues if (delivery := self.deliver(queue)) is not None]
            deliveries += round_of
            if not round_of:
                if until is None:
                    break
                time.sleep(0.05)
        return tuple(deliveries)
