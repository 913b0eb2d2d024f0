"""Long-running operations as recorded: each recorded exchange is replayed answer by answer."""

from collections.abc import Callable
from typing import Any

import pytest

from rdp_remediate.arm.answers import Answer, answer_of, refusal
from rdp_remediate.arm.polling import Ended, Failed, Lost, Polled, PollState, PollTimes, Running, advance, begin
from rdp_remediate.models.fact import Reason

OPERATION = "https://management.azure.com/subscriptions/s/providers/Microsoft.Network/locations/westus/operations/1"
RESULT = "https://management.azure.com/subscriptions/s/providers/Microsoft.Network/locations/westus/operationResults/1"
RULE = "https://management.azure.com/subscriptions/s/x/securityRules/r"


def answer(status: int, body: Any = None, text: str | None = None, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if text is not None:
        return answer_of(status, named, text)
    return Answer(status, named, body, True, "")


def recorded(exchange: dict[str, Any]) -> Answer:
    response = exchange["response"]
    headers = {str(k).lower(): str(v) for k, v in response["headers"].items()}
    text = response.get("body_text")
    if text is not None:
        return answer_of(response["status"], headers, text)
    return Answer(response["status"], headers, response["body"], True, "")


def running(polled: Polled) -> Running:
    assert isinstance(polled, Running), polled
    return polled


def replay(exchanges: list[dict[str, Any]], method: str, asked: str = "recorded") -> Polled:
    """Feeds the answers from the first acting request on, each to the URL that was recorded for it."""
    start = next(i for i, e in enumerate(exchanges) if e["request"]["method"] == method)
    url = exchanges[start]["request"].get("url") or exchanges[start]["request"]["uri"]
    polled = begin(recorded(exchanges[start]), method=method, url=url, asked=asked)
    rest = exchanges[start + 1 :]
    while isinstance(polled, Running):
        path = polled.state.url.split("?")[0].lower()
        match = next(
            (
                e
                for e in rest
                if path.endswith((e["request"].get("url") or e["request"]["uri"]).split("?")[0].lower()[-60:])
            ),
            None,
        )
        assert match is not None, f"no recorded answer for {path}"
        rest = rest[rest.index(match) + 1 :]
        polled = advance(polled.state, recorded(match))
    return polled


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("net-effective-nsg-lro-2021-08-01.json", "POST"),
        ("net-effective-nsg-empty-value-200.json", "POST"),
        ("net-effective-routes-lro-c7n-2019-09-01.json", "POST"),
        ("vm-runcommand-action-lro-windows-2018-10-01.json", "POST"),
        ("vm-runcommand-action-lro-linux-2019-03-01.json", "POST"),
        ("net-ipflowverify-lro-2017-10-01.json", "POST"),
        ("nsg-rule-put-create-lro.json", "PUT"),
    ],
)
def test_recorded_operation_ends_with_its_recorded_result(
    name: str, method: str, payload: Callable[[str], Any]
) -> None:
    exchanges = payload(name)["exchanges"]
    polled = replay(exchanges, method)
    assert isinstance(polled, Ended)
    bodies = [e["response"].get("body") for e in exchanges]
    assert polled.value in bodies or polled.value in [
        b["properties"]["output"] for b in bodies if isinstance(b, dict) and "output" in (b.get("properties") or {})
    ]
    assert polled.value.get("status") is None, "an operation envelope is no result"


def test_windows_run_command_yields_both_streams(payload: Callable[[str], Any]) -> None:
    polled = replay(payload("vm-runcommand-action-lro-windows-2018-10-01.json")["exchanges"], "POST")
    assert isinstance(polled, Ended)
    codes = [entry["code"] for entry in polled.value["value"]]
    assert codes == ["ComponentStatus/StdOut/succeeded", "ComponentStatus/StdErr/succeeded"]


def test_failed_operation_of_the_network_provider_is_http_200(payload: Callable[[str], Any]) -> None:
    document = payload("err-async-nrp-200-failed-leading-space-code.json")
    body = next(
        e["response"]["body"]
        for e in document["exchanges"]
        if isinstance(e["response"].get("body"), dict) and e["response"]["body"].get("status") == "Failed"
    )
    polled = advance(PollState("async", OPERATION, "PUT"), answer(200, body))
    assert isinstance(polled, Failed)
    told = refusal(polled.answer, "PUT")
    assert (told.code, told.reason) == ("InternalError", Reason.SERVER_ERROR)


def test_finished_post_that_still_carries_poll_headers_is_not_polled() -> None:
    polled = begin(
        answer(200, {"value": []}, location=RESULT, azure_asyncoperation=OPERATION, retry_after="10"),
        method="POST",
        url=RULE,
        asked="x",
    )
    assert polled == Ended({"value": []})


def test_null_body_of_202_is_polled_at_its_location() -> None:
    polled = running(
        begin(answer(202, text="null", location=RESULT, retry_after="10"), method="POST", url=RULE, asked="x")
    )
    assert (polled.state.kind, polled.state.url, polled.wait_s) == ("location", RESULT, 10)


def test_each_poll_goes_to_the_newest_location() -> None:
    first = running(begin(answer(202, text="null", location=f"{RESULT}?s=1"), method="POST", url=RULE, asked="x"))
    second = running(advance(first.state, answer(202, text="null", location=f"{RESULT}?s=2")))
    assert second.state.url == f"{RESULT}?s=2"
    third = running(advance(second.state, answer(202, text="null")))
    assert third.state.url == f"{RESULT}?s=2"
    assert advance(third.state, answer(200, {"value": [1]}, location=RESULT)) == Ended({"value": [1]})


def test_poll_that_answers_500_says_nothing_about_the_operation() -> None:
    state = PollState("async", OPERATION, "x", location=RESULT)
    hurt = running(advance(state, answer(500, {"error": {"code": "MultipleErrorsOccurred"}})))
    assert hurt.state.failed_polls == 1
    healed = running(advance(hurt.state, answer(200, {"status": "InProgress"})))
    assert healed.state.failed_polls == 0


def test_poll_that_never_answers_is_given_up() -> None:
    polled: Polled = Running(PollState("async", OPERATION, "x"), None)
    for _ in range(100):
        if not isinstance(polled, Running):
            break
        polled = advance(polled.state, answer(503))
    assert isinstance(polled, Lost)


def test_status_that_may_not_be_read_is_lost_not_failed() -> None:
    denied = answer(403, {"error": {"code": "AuthorizationFailed", "message": "no"}})
    assert isinstance(advance(PollState("async", OPERATION, "x"), denied), Lost)


@pytest.mark.parametrize("word", ["Canceled", "Failed", "failed"])
def test_terminal_failures(word: str) -> None:
    assert isinstance(advance(PollState("async", OPERATION, "x"), answer(200, {"status": word})), Failed)


@pytest.mark.parametrize("body", [{"status": "InProgress"}, {"status": "Updating"}, {}, None])
def test_everything_else_is_still_running(body: Any) -> None:
    running(advance(PollState("async", OPERATION, "x"), answer(200, body)))


def test_put_that_was_already_true_is_not_polled() -> None:
    rule = {"properties": {"provisioningState": "Succeeded"}}
    assert begin(answer(200, rule), method="PUT", url=RULE, asked="x") == Ended(rule)


def test_put_without_a_poll_url_is_followed_at_the_resource() -> None:
    updating = {"properties": {"provisioningState": "Updating"}}
    first = running(begin(answer(201, updating), method="PUT", url=RULE, asked="x"))
    assert (first.state.kind, first.state.url) == ("resource", RULE)
    done = {"properties": {"provisioningState": "Succeeded"}}
    assert advance(first.state, answer(200, done)) == Ended(done)


def test_put_reads_the_resource_when_the_operation_succeeded() -> None:
    updating = {"properties": {"provisioningState": "Updating"}}
    first = running(begin(answer(201, updating, azure_asyncoperation=OPERATION), method="PUT", url=RULE, asked="x"))
    last = running(advance(first.state, answer(200, {"status": "Succeeded"})))
    assert (last.state.kind, last.state.url, last.wait_s) == ("final", RULE, 0)
    assert advance(last.state, answer(200, {"name": "r"})) == Ended({"name": "r"})


def test_output_of_2017_is_a_bare_list() -> None:
    state = PollState("async", OPERATION, "x", location=RESULT)
    polled = advance(state, answer(200, {"status": "Succeeded", "properties": {"output": [{"message": "hi"}]}}))
    assert polled == Ended({"value": [{"message": "hi"}]})


def test_state_survives_json() -> None:
    state = PollState("async", OPERATION, "x", False, RESULT, RULE, 3)
    assert PollState.from_json(state.to_json()) == state


@pytest.mark.parametrize(
    "document", [{}, {"schema": "other/1", "url": "x"}, {"schema": "rdp-remediate/arm-operation/1"}]
)
def test_foreign_state_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no poll state"):
        PollState.from_json(document)


def test_waits_are_capped_and_zero_means_at_once() -> None:
    times = PollTimes(default_s=2, longest_s=5)
    assert [times.wait_s(None), times.wait_s(10), times.wait_s(0), times.wait_s(0.01)] == [2, 5, 0, 0.01]
    zero = running(begin(answer(202, location=RESULT, retry_after="0"), method="POST", url=RULE, asked="x"))
    assert zero.wait_s is None, "Retry-After: 0 is no wish for a storm of polls"
