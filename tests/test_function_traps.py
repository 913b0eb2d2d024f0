"""What breaks a function app under the genuine runtime, each as a small app: the rules that function_app.py keeps.

One function that does not index takes every other function of the app with it, so these are no matters of style.
"""

import json
from pathlib import Path
from textwrap import dedent

import pytest

from tests.function_host.host import FunctionHost
from tests.function_host.invocation import HostDiedError, IndexingError, Invocation

pytestmark = pytest.mark.slow

HEADER = """
import typing
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="healthy")
async def healthy(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("ok")
"""

DOES_NOT_INDEX = {
    "Out[list[str]]": (
        """
        @app.route(route="bad")
        @app.queue_output(arg_name="out", queue_name="q", connection="C")
        async def bad(req: func.HttpRequest, out: func.Out[list[str]]) -> func.HttpResponse:
            return func.HttpResponse("x")
        """,
        "out",
    ),
    "HttpResponse | None": (
        """
        @app.route(route="bad")
        async def bad(req: func.HttpRequest) -> func.HttpResponse | None:
            return None
        """,
        "return annotation",
    ),
    "-> None on an HTTP function": (
        """
        @app.route(route="bad")
        async def bad(req: func.HttpRequest) -> None:
            return None
        """,
        "return annotation",
    ),
    "-> dict on an HTTP function": (
        """
        @app.route(route="bad")
        async def bad(req: func.HttpRequest) -> dict:
            return {}
        """,
        "return annotation",
    ),
    "a parameter without binding": (
        """
        @app.route(route="bad")
        async def bad(req: func.HttpRequest, limit: int = 3) -> func.HttpResponse:
            return func.HttpResponse("x")
        """,
        "limit",
    ),
    "an argument with another name": (
        """
        @app.queue_trigger(arg_name="message", queue_name="q", connection="C")
        async def bad(msg: func.QueueMessage) -> None:
            return None
        """,
        "msg",
    ),
    "msg: dict for a queue": (
        """
        @app.queue_trigger(arg_name="msg", queue_name="q", connection="C")
        async def bad(msg: dict) -> None:
            return None
        """,
        "Python type annotation dict",
    ),
    "a decorator without functools.wraps": (
        """
        def logged(function):
            async def wrapper(*args, **kwargs):
                return await function(*args, **kwargs)
            return wrapper

        @app.route(route="bad")
        @logged
        async def bad(req: func.HttpRequest) -> func.HttpResponse:
            return func.HttpResponse("x")
        """,
        "kwargs",
    ),
    "two FunctionApp objects": (
        """
        second = func.FunctionApp()
        """,
        "More than one",
    ),
    "an imported FunctionApp object": (
        """
        import sys, types
        other = types.ModuleType("other")
        other.another_app = func.FunctionApp()
        sys.modules["other"] = other
        from other import another_app
        """,
        "More than one",
    ),
    "a duplicate function name": (
        """
        @app.route(route="again")
        async def healthy(req: func.HttpRequest) -> func.HttpResponse:
            return func.HttpResponse("x")
        """,
        "healthy",
    ),
    "a missing import": ("import not_installed_anywhere\n", "not_installed_anywhere"),
}

INDEXES = {
    "future annotations": """
        from __future__ import annotations

        @app.route(route="good")
        async def good(req: func.HttpRequest) -> func.HttpResponse:
            return func.HttpResponse("good")
        """,
    "no annotations": """
        @app.route(route="good")
        async def good(req):
            return func.HttpResponse("good")
        """,
    "a str answer": """
        @app.route(route="good")
        def good(req: func.HttpRequest) -> str:
            return "good"
        """,
    "a Blueprint": """
        blueprint = func.Blueprint()

        @blueprint.route(route="good")
        async def good(req: func.HttpRequest) -> func.HttpResponse:
            return func.HttpResponse("good")

        app.register_functions(blueprint)
        del blueprint
        """,
    "typing.List in Out": """
        @app.route(route="good")
        @app.queue_output(arg_name="out", queue_name="q", connection="C")
        async def good(req: func.HttpRequest, out: func.Out[typing.List[str]]) -> func.HttpResponse:
            out.set(["a", "b"])
            return func.HttpResponse("good")
        """,
}


def write_app(folder: Path, code: str) -> Path:
    future = "from __future__ import annotations\n"
    first_line = future if future in dedent(code) else ""
    text = first_line + HEADER + "\n\n" + dedent(code).replace(future, "")
    (folder / "function_app.py").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("case", DOES_NOT_INDEX)
def test_one_bad_function_takes_the_whole_app_with_it(case: str, tmp_path: Path) -> None:
    code, message = DOES_NOT_INDEX[case]
    with pytest.raises(IndexingError, match=message), FunctionHost(write_app(tmp_path, code)):
        pass


@pytest.mark.parametrize("case", INDEXES)
def test_these_forms_index_and_answer(case: str, tmp_path: Path) -> None:
    with FunctionHost(write_app(tmp_path, INDEXES[case])) as host:
        assert host.invoke_http("GET", "/api/good").must_succeed().body == b"good"
        assert host.invoke_http("GET", "/api/healthy").body == b"ok"


def test_an_app_without_functions_indexes_as_if_all_were_well(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text("import azure.functions as func\n\napp = func.FunctionApp()\n")
    with FunctionHost(tmp_path) as host:
        assert host.functions() == {}


def test_a_list_on_a_queue_output_becomes_one_message_each(tmp_path: Path) -> None:
    with FunctionHost(write_app(tmp_path, INDEXES["typing.List in Out"])) as host:
        assert host.invoke_http("GET", "/api/good").queue_outputs("out") == ("a", "b")


def test_a_dict_from_an_http_function_without_annotation_fails_the_call(tmp_path: Path) -> None:
    code = """
        @app.route(route="bad")
        async def bad(req):
            return {"a": 1}
        """
    with FunctionHost(write_app(tmp_path, code)) as host:
        failed = host.invoke_http("GET", "/api/bad")
        assert failed.status == 500
        assert failed.exception is not None
        assert "unable to encode outgoing TypedData" in failed.exception


BACKGROUND = """
@app.queue_trigger(arg_name="msg", queue_name="q", connection="C")
async def on_message(msg: str):
    return msg


@app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
async def on_timer(timer: func.TimerRequest):
    return "late"


@app.event_grid_trigger(arg_name="event")
async def on_event(event: func.EventGridEvent):
    return event.id
"""


def _invoke_background(host: FunctionHost, name: str) -> Invocation:
    if name == "on_message":
        return host.invoke_queue(name, "text")
    if name == "on_timer":
        return host.invoke_timer(name)
    return host.invoke_event_grid(name, {"id": "1", "eventTime": "2026-01-01T00:00:00Z", "data": {}})[0]


@pytest.mark.parametrize("name", ["on_message", "on_timer", "on_event"])
def test_a_value_returned_without_a_return_binding_fails_the_call(name: str, tmp_path: Path) -> None:
    with FunctionHost(write_app(tmp_path, BACKGROUND)) as host:
        failed = _invoke_background(host, name)
    assert failed.exception is not None
    assert "without a $return binding" in failed.exception


EVENTS = """
import json

@app.event_grid_trigger(arg_name="event")
@app.queue_output(arg_name="out", queue_name="q", connection="C")
async def typed(event: func.EventGridEvent, out: func.Out[str]) -> None:
    out.set(json.dumps([type(event).__name__, hasattr(event, "event_type"), hasattr(event, "type")]))


@app.event_grid_trigger(arg_name="event")
@app.queue_output(arg_name="out", queue_name="q", connection="C")
async def text(event: str, out: func.Out[str]) -> None:
    out.set(event)
"""


def test_an_unparseable_event_time_fails_only_where_the_event_is_typed(tmp_path: Path) -> None:
    event = {"id": "1", "eventType": "t", "eventTime": "yesterday", "data": {"a": 1}}
    with FunctionHost(write_app(tmp_path, EVENTS)) as host:
        failed = host.invoke_event_grid("typed", event)[0]
        as_text = host.invoke_event_grid("text", event)[0].must_succeed()
    assert failed.exception is not None
    assert failed.exception.startswith("ValueError")
    assert json.loads(as_text.queue_outputs("out")[0]) == event


def test_a_cloud_event_arrives_as_another_class_with_other_attribute_names(tmp_path: Path) -> None:
    cloud = {"id": "1", "source": "s", "type": "t", "specversion": "1.0", "time": "2026-01-01T00:00:00.1234567Z"}
    with FunctionHost(write_app(tmp_path, EVENTS)) as host:
        seen = host.invoke_event_grid("typed", cloud)[0].must_succeed().queue_outputs("out")[0]
    assert json.loads(seen) == ["CloudEvent", False, True]


def test_an_int_as_header_value_becomes_text(tmp_path: Path) -> None:
    code = """
        @app.route(route="good")
        async def good(req: func.HttpRequest) -> func.HttpResponse:
            return func.HttpResponse("x", headers={"Retry-After": 7})
        """
    with FunctionHost(write_app(tmp_path, code)) as host:
        assert host.invoke_http("GET", "/api/good").must_succeed().headers["retry-after"] == "7"


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_system_exit_in_a_function_kills_the_worker_and_another_exception_does_not(kind: str, tmp_path: Path) -> None:
    code = f"""
        @app.route(route="leave")
        {kind} leave(req: func.HttpRequest) -> func.HttpResponse:
            raise SystemExit(4)

        @app.route(route="fail")
        {kind} fail(req: func.HttpRequest) -> func.HttpResponse:
            raise ValueError("no")
        """
    with FunctionHost(write_app(tmp_path, code)) as host:
        assert host.invoke_http("GET", "/api/fail").exception == "ValueError: no"
        assert host.invoke_http("GET", "/api/healthy").body == b"ok"
        with pytest.raises(HostDiedError) as died:
            host.invoke_http("GET", "/api/leave")
    assert died.value.exit_code == 4
