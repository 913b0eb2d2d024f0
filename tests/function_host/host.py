"""FunctionHost: starts an app in a child process and invokes its functions, synchronously or as futures."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.function_host import payloads
from tests.function_host.invocation import (
    Function,
    HostDiedError,
    HostError,
    IndexingError,
    Invocation,
    InvocationTimeoutError,
    LogLine,
    MissingSetting,
)
from tests.function_host.routing import route

_CHECKOUT = Path(__file__).resolve().parents[2]
_SETTING = re.compile(r"%([^%]+)%")


class FunctionHost:
    """One app under the genuine runtime. Use it as a context manager; the child ends with it.

    Args:
        app_dir: Folder with function_app.py, and host.json where one is wanted.
        env: App settings. The child sees these, PATH and little else; managed identity is pinned to a closed port.
        python: Interpreter of the child.
        timeout_s: How long indexing or an invocation may take before the child is killed.
    """

    def __init__(
        self,
        app_dir: Path,
        env: Mapping[str, str] | None = None,
        *,
        python: str = sys.executable,
        timeout_s: float = 30.0,
    ) -> None:
        self.app_dir = app_dir.resolve()
        self.settings = dict(env or {})
        self.timeout_s = timeout_s
        self._python = python
        self._process: subprocess.Popen[bytes] | None = None
        self._functions: dict[str, Function] = {}
        self._pending: dict[str, tuple[Function, float, Future[Invocation]]] = {}
        self._modules: Future[frozenset[str]] | None = None
        self._logs: list[LogLine] = []
        self._changed = threading.Condition()
        self._indexed: Future[dict[str, Any]] = Future()

    # Life of the child

    def __enter__(self) -> Self:
        request_read, request_write = os.pipe()
        answer_read, answer_write = os.pipe()
        self._output = tempfile.TemporaryFile()
        environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "AzureWebJobsScriptRoot": str(self.app_dir),
            # A credential in an app under test must never leave this machine.
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:9",
        } | self.settings
        self._process = subprocess.Popen(
            [self._python, "-m", "tests.function_host.child", str(request_read), str(answer_write), str(self.app_dir)],
            cwd=_CHECKOUT,
            env=environment,
            pass_fds=(request_read, answer_write),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        os.close(request_read)
        os.close(answer_write)
        self._requests = os.fdopen(request_write, "wb")
        self._reader = threading.Thread(target=self._read, args=(answer_read,), daemon=True)
        self._reader.start()
        try:
            self._index()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _index(self) -> None:
        try:
            indexed = self._indexed.result(self.timeout_s)
        except FutureTimeout:
            raise InvocationTimeoutError(f"{self.app_dir} did not index within {self.timeout_s} s") from None
        if "failure" in indexed:
            raise IndexingError(indexed["failure"]["message"], indexed["failure"]["stack_trace"])
        self.python_version = str(indexed["python"])
        self.worker_version = str(indexed["worker_version"])
        self._functions = {
            entry["name"]: Function(entry["name"], entry["id"], tuple(entry["bindings"]))
            for entry in indexed["functions"]
        }

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._requests.close()
        assert self._process is not None
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.kill()
        self._reader.join(timeout=5)
        self._output.close()

    @property
    def pid(self) -> int:
        """Process id of the child."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """The child is running."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End the child as a lost machine would: no clean-up runs in it. Open invocations fail with HostDiedError."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(timeout=10)
        self._reader.join(timeout=5)

    def output(self) -> str:
        """Return what the child wrote to stdout and stderr so far."""
        return os.pread(self._output.fileno(), 1_000_000, 0).decode(errors="replace")

    def _read(self, descriptor: int) -> None:
        with os.fdopen(descriptor, "rb") as stream:
            for line in stream:
                self._receive(json.loads(line))
        assert self._process is not None
        exit_code = self._process.wait()
        died = HostDiedError(exit_code, self.output())
        with self._changed:
            if not self._indexed.done():
                self._indexed.set_exception(died)
            if self._modules is not None and not self._modules.done():
                self._modules.set_exception(died)
            for _, _, future in self._pending.values():
                future.set_exception(died)
            self._pending.clear()
            self._changed.notify_all()

    def _receive(self, message: dict[str, Any]) -> None:
        with self._changed:
            if "log" in message:
                self._logs.append(LogLine(**message["log"]))
            elif "indexed" in message:
                self._indexed.set_result(message["indexed"])
            elif "modules" in message and self._modules is not None:
                self._modules.set_result(frozenset(message["modules"]))
            else:
                self._complete(message)
            self._changed.notify_all()

    def _complete(self, message: dict[str, Any]) -> None:
        function, started, future = self._pending.pop(message["invocation_id"])
        failure = message["failure"]
        future.set_result(
            Invocation(
                function=function.name,
                invocation_id=message["invocation_id"],
                exception=failure and failure["message"],
                stack_trace=failure and failure["stack_trace"],
                return_value=message["return_value"],
                raw_outputs={output["name"]: output["data"] for output in message["outputs"]},
                logs=tuple(line for line in self._logs if line.invocation_id == message["invocation_id"]),
                duration_s=time.monotonic() - started,
            )
        )

    # What the app is

    def functions(self) -> Mapping[str, Function]:
        """Return the indexed functions by name."""
        return dict(self._functions)

    def modules(self) -> frozenset[str]:
        """Return the names in the child's sys.modules now."""
        self._modules = Future()
        self._send({"modules": True})
        return self._modules.result(self.timeout_s)

    def logs(self) -> tuple[LogLine, ...]:
        """Return every log line so far, those outside invocations too."""
        with self._changed:
            return tuple(self._logs)

    def wait_for_log(self, pattern: str, timeout_s: float = 10.0) -> LogLine:
        """Return the first log line whose message matches, waiting for it.

        For tests that kill the child at a known point.

        Raises:
            HostError: If the child dies or the time passes before.
        """
        expression = re.compile(pattern)
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                found = next((line for line in self._logs if expression.search(line.message)), None)
                if found is not None:
                    return found
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not self.alive:
                    raise HostError(f"no log line matched {pattern!r}; logs: {[line.message for line in self._logs]}")
                self._changed.wait(min(left_s, 0.2))

    @property
    def host_json(self) -> Mapping[str, Any]:
        """The app's host.json, or an empty one."""
        path = self.app_dir / "host.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    def setting_value(self, text: str) -> str:
        """Return a binding's value with every %SETTING% replaced, as the host does."""
        return _SETTING.sub(lambda match: self.settings[match[1]], text)

    def missing_settings(self) -> tuple[MissingSetting, ...]:
        """Return every setting that a binding names (%NAME% or its connection) and the app's settings don't have."""
        missing = []
        for function in self._functions.values():
            for binding in function.bindings:
                for name, value in binding.items():
                    if not isinstance(value, str):
                        continue
                    names = _SETTING.findall(value)
                    missing += [MissingSetting(function.name, name, n) for n in names if n not in self.settings]
                    if name == "connection" and value and not names and not self._has_connection(value):
                        missing.append(MissingSetting(function.name, name, value))
        return tuple(missing)

    def _has_connection(self, name: str) -> bool:
        # An identity-based connection is a group of settings: AzureWebJobsStorage__queueServiceUri and so on.
        return name in self.settings or any(key.startswith(f"{name}__") for key in self.settings)

    # Invocations

    def _send(self, message: Mapping[str, object]) -> None:
        try:
            self._requests.write(json.dumps(message).encode() + b"\n")
            self._requests.flush()
        except BrokenPipeError:
            assert self._process is not None
            raise HostDiedError(self._process.wait(), self.output()) from None

    def _submit(
        self, function: Function, datum: Mapping[str, Any], metadata: Mapping[str, Mapping[str, Any]] | None = None
    ) -> "Future[Invocation]":
        invocation_id = str(uuid.uuid4())
        future: Future[Invocation] = Future()
        with self._changed:
            self._pending[invocation_id] = (function, time.monotonic(), future)
        self._send(
            {
                "invocation_id": invocation_id,
                "function_id": function.function_id,
                "inputs": {function.trigger["name"]: datum},
                "trigger_metadata": metadata or {},
            }
        )
        return future

    def wait(self, future: "Future[Invocation]") -> Invocation:
        """Return the invocation when it ends; kill the child if it takes longer than timeout_s."""
        try:
            return future.result(self.timeout_s)
        except FutureTimeout:
            if future.done():
                raise
            self.kill()
            raise InvocationTimeoutError(
                f"an invocation took longer than {self.timeout_s} s; the child was killed"
            ) from None

    def _function(self, name: str, trigger_type: str) -> Function:
        function = self._functions.get(name)
        if function is None:
            raise HostError(f"no function {name!r}; indexed are {sorted(self._functions)}")
        if function.trigger["type"] != trigger_type:
            raise HostError(f"{name} has a {function.trigger['type']}, not a {trigger_type}")
        return function

    def submit_http(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | str | object = b""
    ) -> "Future[Invocation]":
        """Start the HTTP function that the URL routes to; a body that is neither bytes nor str is sent as JSON.

        Raises:
            HostError: If no function answers this URL and method (the host says 404).
        """
        prefix = str(self.host_json.get("extensions", {}).get("http", {}).get("routePrefix", "api"))
        found = route(self._functions.values(), prefix, method, url)
        if found is None:
            raise HostError(f"404: no function answers {method} {url}")
        function, parameters = found
        request = payloads.http_request(method, url, headers=headers or {}, body=body, route_parameters=parameters)
        return self._submit(function, request)

    def invoke_http(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | str | object = b""
    ) -> Invocation:
        """Invoke the HTTP function that the URL routes to and wait for its answer."""
        return self.wait(self.submit_http(method, url, headers=headers, body=body))

    def submit_queue(
        self,
        name: str,
        text: str,
        *,
        dequeue_count: int = 1,
        message_id: str | None = None,
        pop_receipt: str = "receipt",
        inserted_at: datetime | None = None,
    ) -> "Future[Invocation]":
        """Start a queue function with a message text, metadata as the queue extension gives it."""
        metadata = payloads.queue_metadata(
            text, dequeue_count=dequeue_count, message_id=message_id, pop_receipt=pop_receipt, inserted_at=inserted_at
        )
        return self._submit(self._function(name, "queueTrigger"), payloads.string_datum(text), metadata)

    def invoke_queue(self, name: str, text: str, *, dequeue_count: int = 1) -> Invocation:
        """Invoke a queue function with a message text and wait for its end."""
        return self.wait(self.submit_queue(name, text, dequeue_count=dequeue_count))

    def invoke_event_grid(
        self, name: str, events: Mapping[str, Any] | Iterable[Mapping[str, Any]]
    ) -> tuple[Invocation, ...]:
        """Invoke an Event Grid function once per event, of either schema, as the host splits arrays."""
        function = self._function(name, "eventGridTrigger")
        listed = [events] if isinstance(events, Mapping) else list(events)
        futures = [
            self._submit(function, payloads.json_datum(event), {"data": payloads.json_datum(event.get("data"))})
            for event in listed
        ]
        return tuple(self.wait(future) for future in futures)

    def submit_timer(self, name: str, *, past_due: bool = False) -> "Future[Invocation]":
        """Start a timer function."""
        return self._submit(self._function(name, "timerTrigger"), payloads.timer(past_due=past_due))

    def invoke_timer(self, name: str, *, past_due: bool = False) -> Invocation:
        """Invoke a timer function and wait for its end."""
        return self.wait(self.submit_timer(name, past_due=past_due))
