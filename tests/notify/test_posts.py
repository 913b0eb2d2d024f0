"""Teams and webhook against a real server on loopback."""

import time

import pytest

from rdp_remediate.notify.http_post import refused_url, retry_after
from rdp_remediate.notify.teams import TeamsSink, body_error
from rdp_remediate.notify.webhook import WebhookSink
from tests.notify.receiver import Receiver, Reply

SECRET = "not-to-be-shown"


async def post(replies: list[Reply], *, teams: bool = True, timeout_s: float = 5.0) -> tuple[str, str, Receiver]:
    async with Receiver(replies) as receiver:
        kind = TeamsSink if teams else WebhookSink
        sink = kind(receiver.url, timeout_s=timeout_s, pause_s=0.01)
        delivery = await sink.deliver(b'{"a": 1}')
        assert SECRET not in repr(sink) + delivery.detail
        await sink.close()
    return delivery.outcome, delivery.detail, receiver


@pytest.mark.parametrize("reply", [Reply(202), Reply(200, "1"), Reply(204), Reply(200, '{"name": "run"}')])
async def test_any_success_without_an_error_in_its_body_is_delivered_once(reply: Reply) -> None:
    outcome, _, receiver = await post([reply])
    assert outcome == "delivered"
    assert receiver.bodies == [b'{"a": 1}']
    assert receiver.headers[0]["Content-Type"].startswith("application/json")


async def test_teams_says_429_with_a_200_and_gets_a_second_try() -> None:
    text = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId"
    outcome, _, receiver = await post([Reply(200, text), Reply(200, "1")])
    assert (outcome, len(receiver.bodies)) == ("delivered", 2)
    outcome, detail, _ = await post([Reply(200, text)])
    assert outcome == "failed"
    assert "429" in detail


async def test_a_generic_webhook_may_talk_about_errors() -> None:
    outcome, _, _ = await post([Reply(200, "no HTTP error 429 here")], teams=False)
    assert outcome == "delivered"


async def test_retry_after_is_honoured_and_a_second_refusal_is_told() -> None:
    began = time.monotonic()
    outcome, _, receiver = await post([Reply(429, headers={"Retry-After": "1"}), Reply(202)])
    assert outcome == "delivered"
    assert len(receiver.bodies) == 2
    assert time.monotonic() - began >= 1.0
    outcome, detail, receiver = await post([Reply(503)])
    assert (outcome, len(receiver.bodies)) == ("failed", 2)
    assert "503" in detail


@pytest.mark.parametrize("status", [400, 401, 404, 413])
async def test_a_refusal_that_no_second_try_mends_is_not_repeated(status: int) -> None:
    outcome, detail, receiver = await post([Reply(status, "secret internals")])
    assert (outcome, len(receiver.bodies)) == ("failed", 1)
    assert str(status) in detail
    assert "secret internals" not in detail


async def test_redirects_are_not_followed() -> None:
    outcome, detail, receiver = await post([Reply(302, headers={"Location": "http://localhost:1/elsewhere"})])
    assert (outcome, len(receiver.bodies)) == ("failed", 1)
    assert "redirect" in detail


async def test_a_slow_server_costs_two_time_outs_at_most() -> None:
    outcome, detail, _ = await post([Reply(202, delay_s=2.0)], timeout_s=0.2)
    assert outcome == "failed"
    assert "no answer" in detail


async def test_a_huge_answer_is_read_in_part() -> None:
    outcome, _, _ = await post([Reply(200, "x" * 5_000_000)])
    assert outcome == "delivered"


async def test_nobody_listening_is_a_failed_delivery() -> None:
    async with Receiver([Reply(202)]) as receiver:
        url = receiver.url
    sink = WebhookSink(url, pause_s=0.01)
    delivery = await sink.deliver(b"{}")
    await sink.close()
    assert delivery.outcome == "failed"
    assert SECRET not in delivery.detail


@pytest.mark.parametrize(
    "url", ["http://example.org/x", "ftp://localhost/x", "file:///etc/passwd", "nonsense", "https://"]
)
async def test_only_https_is_posted_to_and_http_on_loopback(url: str) -> None:
    assert refused_url(url) is not None
    sink = WebhookSink(url)
    assert (await sink.deliver(b"{}")).outcome == "failed"
    await sink.close()
    assert refused_url("https://prod.logic.azure.com/x") is None
    assert refused_url("http://127.0.0.1:8080/x") is None


@pytest.mark.parametrize(
    ("text", "error"),
    [("", None), ("1", None), ('{"error": {"code": "x"}}', "an error"), ("{broken", None), ('["error"]', None)],
)
def test_what_a_teams_body_means(text: str, error: str | None) -> None:
    assert body_error(text) == error


def test_retry_after_as_number_date_and_nonsense() -> None:
    assert retry_after("7") == 7.0
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert retry_after("soon") is None
    assert retry_after(None) is None
