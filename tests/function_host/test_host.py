"""The test host indexes, invokes and loses apps as the worker in Azure would."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.function_host.host import FunctionHost
from tests.function_host.invocation import HostDiedError, HostError, InvocationTimeoutError, MissingSetting

SAMPLE = Path(__file__).parent / "apps" / "sample"
SETTINGS = {
    "WORK_QUEUE": "work-items",
    "SCHEDULE": "0 * * * * *",
    "AzureWebJobsStorage__queueServiceUri": "http://127.0.0.1:1/account",
    "SAMPLE_SETTING": "from the app settings",
}


@pytest.fixture
def host() -> Iterator[FunctionHost]:
    with FunctionHost(SAMPLE, SETTINGS) as started:
        yield started


def test_functions_are_listed_with_their_bindings(host: FunctionHost) -> None:
    functions = host.functions()
    assert set(functions) == {"echo", "status", "latest", "start", "work", "on_event", "tick", "leave"}
    trigger = functions["work"].trigger
    assert (trigger["type"], trigger["direction"], trigger["queueName"]) == ("queueTrigger", "IN", "%WORK_QUEUE%")
    assert functions["work"].outputs["done"]["queueName"] == "done"
    assert functions["echo"].trigger["authLevel"] == "FUNCTION"
    assert host.worker_version == "1.3.0"
    assert host.missing_settings() == ()


def test_an_http_request_reaches_the_function_and_its_answer_comes_back(host: FunctionHost) -> None:
    answer = host.invoke_http("post", "/api/echo?a=1&b=x%20y&a=2", headers={"X-Sample": "yes"}, body="grüße")
    assert answer.must_succeed().status == 202
    assert answer.headers["retry-after"] == "5"
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "method": "POST",
        "url": "https://functions.invalid/api/echo?a=1&b=x%20y&a=2",
        "params": {"a": "1,2", "b": "x y"},
        "header": "yes",
        "body": "grüße",
        "setting": "from the app settings",
    }
    assert ("sample", "INFO", "echo of 7 bytes") in [(line.logger, line.level, line.message) for line in answer.logs]


def test_routes_choose_the_function_as_the_host_does(host: FunctionHost) -> None:
    assert host.invoke_http("GET", "/api/runs/42").body == b"42"
    assert host.invoke_http("GET", "https://app.example/api/runs/latest").body == b"latest"
    for method, url in [("GET", "/api/echo"), ("POST", "/echo"), ("GET", "/api/runs"), ("GET", "/api/runs/1/2")]:
        with pytest.raises(HostError, match="404"):
            host.invoke_http(method, url)


def test_a_large_body_passes(host: FunctionHost) -> None:
    body = b"x" * (2 * 1024 * 1024)
    assert len(host.invoke_http("POST", "/api/echo", body=body).json()["body"]) == len(body)


def test_an_http_function_puts_a_message_on_a_queue(host: FunctionHost) -> None:
    answer = host.invoke_http("POST", "/api/start", body={"n": 1})
    assert answer.queue_outputs("work") == ('{"n": 1}',)


def test_a_queue_function_sees_text_and_dequeue_count_and_its_failure_is_reported(host: FunctionHost) -> None:
    failed = host.invoke_queue("work", '{"fail_times": 1}')
    assert failed.exception == "RuntimeError: failing as told, attempt 1"
    assert failed.stack_trace is not None
    assert "function_app.py" in failed.stack_trace
    assert failed.queue_outputs("done") == ()
    done = json.loads(
        host.invoke_queue("work", '{"fail_times": 1}', dequeue_count=2).must_succeed().queue_outputs("done")[0]
    )
    assert done["attempt"] == 2
    assert done["inserted"] != "None"


def test_events_of_both_schemas_arrive_one_invocation_each(host: FunctionHost) -> None:
    event_grid = {
        "id": "e1", "topic": "/t", "subject": "s", "eventType": "x", "eventTime": "2026-01-02T03:04:05.1234567Z",
        "data": {}, "dataVersion": "1", "metadataVersion": "1",
    }  # fmt: skip
    cloud = {"id": "e2", "source": "/t", "type": "x", "specversion": "1.0", "time": "2026-01-02T03:04:05Z", "data": {}}
    seen = [
        json.loads(i.must_succeed().queue_outputs("seen")[0])
        for i in host.invoke_event_grid("on_event", [event_grid, cloud])
    ]
    assert seen == [["EventGridEvent", "e1"], ["CloudEvent", "e2"]]


def test_a_timer_function_runs_and_says_if_it_is_late(host: FunctionHost) -> None:
    tick = host.invoke_timer("tick", past_due=True).must_succeed()
    assert [line.message for line in tick.logs if line.level == "WARNING"] == ["past due: True"]


def test_invocations_run_side_by_side_and_keep_their_logs_apart(host: FunctionHost) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: host.invoke_http("POST", "/api/echo", body="x" * n), range(1, 9)))
    for size, answer in enumerate(answers, start=1):
        assert [line.message for line in answer.logs if line.logger == "sample"] == [f"echo of {size} bytes"]


def test_settings_that_bindings_name_and_nobody_set_are_reported() -> None:
    with FunctionHost(SAMPLE, {"SCHEDULE": "0 * * * * *"}) as host:
        missing = set(host.missing_settings())
    assert MissingSetting("work", "queueName", "WORK_QUEUE") in missing
    assert MissingSetting("work", "connection", "AzureWebJobsStorage") in missing
    assert not [entry for entry in missing if entry.setting == "SCHEDULE"]


def test_a_child_killed_in_mid_invocation_fails_the_open_invocation(host: FunctionHost) -> None:
    open_invocation = host.submit_queue("work", '{"hang": true}')
    host.wait_for_log("work .*hang")
    host.kill()
    with pytest.raises(HostDiedError) as died:
        host.wait(open_invocation)
    assert died.value.exit_code == -9
    assert not host.alive


def test_a_function_that_hangs_is_killed_at_the_time_limit() -> None:
    with FunctionHost(SAMPLE, SETTINGS, timeout_s=1.5) as host:
        with pytest.raises(InvocationTimeoutError):
            host.invoke_queue("work", '{"hang": true}')
        assert not host.alive


def test_system_exit_ends_the_worker_and_what_it_printed_is_kept(host: FunctionHost) -> None:
    with pytest.raises(HostDiedError) as died:
        host.invoke_http("POST", "/api/exit")
    assert died.value.exit_code == 3
    assert "leaving" in died.value.output


def test_the_child_sees_no_settings_of_the_test_process(host: FunctionHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_SETTING", "from the test process")
    with FunctionHost(SAMPLE, {key: value for key, value in SETTINGS.items() if key != "SAMPLE_SETTING"}) as other:
        assert other.invoke_http("POST", "/api/echo").json()["setting"] is None


def test_modules_of_the_child_are_its_own(host: FunctionHost) -> None:
    modules = host.modules()
    assert "function_app" in modules
    assert "azure.functions" in modules
    assert not [name for name in modules if name == "pytest" or name.startswith("azure.mgmt")]
