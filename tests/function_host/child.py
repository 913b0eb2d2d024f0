"""The child process of the test host: indexes one app with azure-functions-runtime and invokes its functions.

Started as `python -m tests.function_host.child REQUEST_FD ANSWER_FD APP_DIR`. Requests and answers are lines of JSON on
two pipes, so that whatever an app prints stays apart from them. Answers are written at once: a killed child has sent
what it said.
"""

import asyncio
import base64
import logging
import os
import platform
import sys
import threading
from json import dumps, loads
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime as runtime

from tests.function_host import stand_in_protos as protos


class _Answers:
    """Writes one JSON line per message; safe from every thread."""

    def __init__(self, descriptor: int) -> None:
        self._stream = os.fdopen(descriptor, "wb")
        self._lock = threading.Lock()

    def send(self, message: dict[str, object]) -> None:
        line = dumps(message).encode() + b"\n"
        with self._lock:
            self._stream.write(line)
            self._stream.flush()


class _LogForwarder(logging.Handler):
    """Send each record of an invocation to the parent, as the worker sends RpcLog to the host."""

    def __init__(self, answers: _Answers) -> None:
        super().__init__()
        self._answers = answers

    def emit(self, record: logging.LogRecord) -> None:
        log = {"logger": record.name, "level": record.levelname, "message": self.format(record)}
        self._answers.send({"log": log | {"invocation_id": runtime.invocation_id_cv.get()}})


def _typed(value: dict[str, Any]) -> protos.TypedData:
    kind = value["kind"]
    if kind == "http":
        content = value["value"]
        body = base64.b64decode(content["body"])
        return protos.TypedData(
            http=protos.RpcHttp(
                method=content["method"],
                url=content["url"],
                headers=content["headers"],
                query=content["query"],
                params=content["params"],
                body=protos.TypedData(bytes=body) if body else None,
            )
        )
    if kind == "bytes":
        return protos.TypedData(bytes=base64.b64decode(value["value"]))
    return protos.TypedData(**{kind: value["value"]})


def _plain(data: protos.TypedData | None) -> dict[str, Any] | None:
    kind = None if data is None else data.WhichOneof("data")
    if data is None or kind is None:
        return None
    if kind == "bytes":
        assert data.bytes is not None
        return {"kind": kind, "value": base64.b64encode(data.bytes).decode()}
    if kind == "http":
        answer = data.http
        assert answer is not None
        cookies = [{"name": cookie.name, "value": cookie.value} for cookie in answer.cookies]
        content = {"status_code": answer.status_code, "headers": answer.headers, "cookies": cookies}
        return {"kind": kind, "value": content | {"body": _plain(answer.body)}}
    return {"kind": kind, "value": getattr(data, kind)}


def _failure(result: protos.StatusResult) -> dict[str, str] | None:
    if result.status == protos.StatusResult.Success:
        return None
    exception = result.exception or protos.RpcException(message="no exception given")
    return {"message": exception.message, "stack_trace": exception.stack_trace}


async def _index(app_dir: str) -> dict[str, Any]:
    """Index the app the way the worker does and return its functions or the failure."""
    request = SimpleNamespace(
        request=SimpleNamespace(
            worker_init_request=SimpleNamespace(
                capabilities={}, function_app_directory=app_dir, worker_directory="", host_version="4.0.0"
            )
        ),
        properties={"host": "127.0.0.1", "protos": protos},
    )
    answer = await runtime.worker_init_request(request)
    failure = _failure(answer.result)
    if failure is not None:
        return {"failure": failure}
    metadata = await runtime.functions_metadata_request(SimpleNamespace())
    functions = metadata.function_metadata_results or []
    for function in functions:
        load = SimpleNamespace(function_load_request=SimpleNamespace(function_id=function.function_id))
        failure = _failure((await runtime.function_load_request(SimpleNamespace(request=load))).result)
        if failure is not None:
            return {"failure": failure}
    return {
        "functions": [
            {"name": function.name, "id": function.function_id, "bindings": [loads(b) for b in function.raw_bindings]}
            for function in functions
        ],
        "worker_version": answer.worker_metadata.worker_version,
        "python": platform.python_version(),
    }


async def _invoke(message: dict[str, Any], answers: _Answers) -> None:
    runtime.invocation_id_cv.set(message["invocation_id"])
    request = protos.InvocationRequest(
        invocation_id=message["invocation_id"],
        function_id=message["function_id"],
        input_data=[protos.ParameterBinding(name, _typed(value)) for name, value in message["inputs"].items()],
        trigger_metadata={name: _typed(value) for name, value in message["trigger_metadata"].items()},
    )
    answer = await runtime.invocation_request(
        SimpleNamespace(request=SimpleNamespace(invocation_request=request), properties={})
    )
    answers.send(
        {
            "invocation_id": message["invocation_id"],
            "failure": _failure(answer.result),
            "return_value": _plain(answer.return_value),
            "outputs": [{"name": output.name, "data": _plain(output.data)} for output in answer.output_data],
        }
    )


def _read_requests(descriptor: int, loop: asyncio.AbstractEventLoop, requests: "asyncio.Queue[bytes]") -> None:
    """Hand each request line to the loop; an empty line says that the parent closed the pipe."""
    with os.fdopen(descriptor, "rb") as stream:
        for line in stream:
            loop.call_soon_threadsafe(requests.put_nowait, line)
    loop.call_soon_threadsafe(requests.put_nowait, b"")


async def _serve(request_fd: int, answer_fd: int, app_dir: str) -> None:
    answers = _Answers(answer_fd)
    logging.getLogger().addHandler(_LogForwarder(answers))
    logging.getLogger().setLevel(logging.INFO)
    runtime.start_threadpool_executor()
    indexed = await _index(app_dir)
    answers.send({"indexed": indexed})
    if "failure" in indexed:
        return
    requests: asyncio.Queue[bytes] = asyncio.Queue()
    arguments = (request_fd, asyncio.get_running_loop(), requests)
    threading.Thread(target=_read_requests, args=arguments, daemon=True).start()
    running: set[asyncio.Task[None]] = set()
    while line := await requests.get():
        message = loads(line)
        if message.get("modules"):
            answers.send({"modules": sorted(sys.modules)})
            continue
        task = asyncio.create_task(_invoke(message, answers))
        running.add(task)
        task.add_done_callback(running.discard)


def main() -> None:
    """Serve the app in the folder given on the command line until the parent closes the request pipe."""
    request_fd, answer_fd, app_dir = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    # The app's folder takes the place of the checkout: what the app doesn't ship must not be importable from there.
    sys.path[0] = app_dir
    os.chdir(app_dir)
    asyncio.run(_serve(request_fd, answer_fd, app_dir))


if __name__ == "__main__":
    main()
