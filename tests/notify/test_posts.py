"""Teams and webhook against real servers on loopback."""

import logging
import ssl
import time
from pathlib import Path

import pytest

from rdp_remediate.lab.certificates import LabAuthority
from rdp_remediate.models.report import Delivery
from rdp_remediate.notify import attempts
from rdp_remediate.notify.http_post import refused_url
from rdp_remediate.notify.teams import TeamsSink, body_error
from rdp_remediate.notify.webhook import WebhookSink
from tests.notify.receiver import SECRET, Receiver, Reply, raw_server

THROTTLED = (
    "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x"
)


async def deliver(
    url: str, *, teams: bool = True, timeout_s: float = 5.0, tls: ssl.SSLContext | None = None
) -> Delivery:
    sink = (TeamsSink if teams else WebhookSink)(url, timeout_s=timeout_s, pause_s=0.01, tls=tls)
    delivery = await sink.deliver(b'{"a": 1}')
    await sink.close()
    assert SECRET not in repr(sink) + repr(sink.__dict__) + delivery.detail
    assert "localhost" not in delivery.detail
    return delivery


async def post(replies: list[Reply], *, teams: bool = True, timeout_s: float = 5.0) -> tuple[str, str, Receiver]:
    async with Receiver(replies) as receiver:
        delivery = await deliver(receiver.url, teams=teams, timeout_s=timeout_s)
    return delivery.outcome, delivery.detail, receiver


@pytest.fixture
def authority(tmp_path: Path) -> LabAuthority:
    return LabAuthority(tmp_path)


@pytest.fixture
def server_tls(authority: LabAuthority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate, authority.key)
    return context


@pytest.mark.parametrize("teams", [True, False], ids=["teams", "webhook"])
@pytest.mark.parametrize("reply", [Reply(202), Reply(200, "1"), Reply(204), Reply(200, '{"name": "run"}')])
async def test_any_success_without_an_error_in_its_body_is_delivered_once(reply: Reply, teams: bool) -> None:
    outcome, detail, receiver = await post([reply], teams=teams)
    assert (outcome, detail) == ("delivered", f"answered {reply.status}")
    assert receiver.bodies == [b'{"a": 1}']
    assert receiver.headers[0]["Content-Type"].startswith("application/json")


async def test_teams_says_429_with_a_200_and_gets_a_second_try() -> None:
    outcome, detail, receiver = await post([Reply(200, THROTTLED), Reply(200, "1")])
    assert (outcome, len(receiver.bodies)) == ("delivered", 2)
    assert "second try" in detail
    outcome, detail, receiver = await post([Reply(200, THROTTLED)])
    assert (outcome, len(receiver.bodies)) == ("failed", 2)
    assert "429" in detail


async def test_an_error_text_is_seen_in_whatever_pieces_it_comes() -> None:
    # One read of a stream gives what has arrived so far, and the word that matters may come later.
    outcome, detail, _ = await post(
        [Reply(200, pieces=["Webhook message del", "ivery failed with error: ", "HTTP err", "or 413"])]
    )
    assert outcome == "failed"
    assert "413" in detail


async def test_an_error_that_no_second_try_mends_is_not_repeated() -> None:
    text = THROTTLED.replace("429", "400")
    for body in (text, '{"error": {"code": "WorkflowTriggerIsNotEnabled", "message": "off"}}'):
        outcome, _, receiver = await post([Reply(200, body)])
        assert (outcome, len(receiver.bodies)) == ("failed", 1)


async def test_a_generic_webhook_may_talk_about_errors() -> None:
    outcome, _, _ = await post([Reply(200, "no HTTP error 429 here")], teams=False)
    assert outcome == "delivered"


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_honoured(status: int) -> None:
    began = time.monotonic()
    outcome, _, receiver = await post([Reply(status, headers={"Retry-After": "1"}), Reply(202)])
    assert (outcome, len(receiver.bodies)) == ("delivered", 2)
    assert time.monotonic() - began >= 1.0


async def test_a_retry_after_of_an_hour_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    assert attempts.LONGEST_RETRY_AFTER_S == 30
    monkeypatch.setattr(attempts, "LONGEST_RETRY_AFTER_S", 0.1)
    began = time.monotonic()
    outcome, _, receiver = await post([Reply(429, headers={"Retry-After": "3600"}), Reply(202)])
    assert (outcome, len(receiver.bodies)) == ("delivered", 2)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_server_that_stays_busy_or_broken_gets_two_tries(status: int) -> None:
    outcome, detail, receiver = await post([Reply(status, "secret internals")])
    assert (outcome, len(receiver.bodies)) == ("failed", 2)
    assert detail == f"answered {status} at the second try"


@pytest.mark.parametrize("status", [400, 401, 404, 413])
async def test_a_refusal_that_no_second_try_mends_is_told_by_its_status_only(status: int) -> None:
    outcome, detail, receiver = await post([Reply(status, "secret internals")])
    assert (outcome, detail, len(receiver.bodies)) == ("failed", f"answered {status}", 1)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(status: int) -> None:
    async with Receiver([Reply(202)]) as elsewhere:
        outcome, detail, receiver = await post([Reply(status, headers={"Location": elsewhere.url})])
    assert (outcome, len(receiver.bodies), elsewhere.bodies) == ("failed", 1, [])
    assert "redirect" in detail


async def test_a_slow_server_gets_one_try_since_the_summary_may_have_arrived() -> None:
    outcome, detail, receiver = await post([Reply(202, delay_s=2.0)], timeout_s=0.3)
    assert (outcome, len(receiver.bodies)) == ("failed", 1)
    assert detail == "no answer within 0.3 s; whether the summary arrived is unknown"


async def test_a_body_that_never_ends_is_no_success_of_teams_but_no_concern_of_a_webhook() -> None:
    endless = Reply(200, pieces=["."] * 100, pause_s=0.05)
    outcome, detail, _ = await post([endless], timeout_s=0.4)
    assert outcome == "failed"
    assert "unknown" in detail
    outcome, _, _ = await post([endless], timeout_s=0.4, teams=False)
    assert outcome == "delivered"


async def test_a_huge_answer_is_read_in_part() -> None:
    outcome, _, _ = await post([Reply(200, "x" * 5_000_000)])
    assert outcome == "delivered"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 99999 \x00\r\n\r\n",
    ],
    ids=["nothing", "ssh", "cut off", "endless header", "broken gzip", "no status"],
)
async def test_what_is_no_http_answer_is_a_lost_answer(answer: bytes) -> None:
    async with raw_server(answer) as (port, came):
        delivery = await deliver(f"http://localhost:{port}/hook?sig={SECRET}")
    assert delivery.outcome == "failed"
    assert "unknown" in delivery.detail
    assert len(came) == 1


@pytest.mark.parametrize("value", ["²", "-1", "1e9", "", "Fri, 31 Dec 9999 23:59:59 -2359"])
async def test_a_nonsensical_retry_after_does_no_harm(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "LONGEST_RETRY_AFTER_S", 0.1)
    header = f"Retry-After: {value}\r\n".encode()
    async with raw_server(b"HTTP/1.1 503 Busy\r\n" + header + b"Content-Length: 0\r\n\r\n") as (port, came):
        delivery = await deliver(f"http://localhost:{port}/hook")
    assert (delivery.detail, len(came)) == ("answered 503 at the second try", 2)


async def test_nobody_listening_is_a_failed_delivery() -> None:
    async with Receiver([Reply(202)]) as receiver:
        url = receiver.url
    delivery = await deliver(url)
    assert delivery.outcome == "failed"
    assert delivery.detail.startswith("no connection (ClientConnector")


async def test_a_trusted_certificate_is_posted_to_and_an_unknown_one_is_not(
    authority: LabAuthority, server_tls: ssl.SSLContext
) -> None:
    trust = ssl.create_default_context(cafile=str(authority.ca_file))
    async with Receiver([Reply(202)], tls=server_tls) as receiver:
        assert (await deliver(receiver.url, tls=trust)).outcome == "delivered"
        refused = await deliver(receiver.url)
    assert (refused.outcome, refused.detail) == ("failed", "the server's certificate is not trusted")
    assert len(receiver.bodies) == 1


async def test_a_server_without_tls_behind_https_is_no_connection() -> None:
    async with Receiver([Reply(202)]) as receiver:
        delivery = await deliver(receiver.url.replace("http:", "https:"))
    assert (delivery.outcome, receiver.bodies) == ("failed", [])


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/x",
        "http://169.254.169.254/metadata",
        "ftp://localhost/x",
        "file:///etc/passwd",
        "nonsense",
        "https://",
        "https://[bad/x",
        "https://host:port/x",
    ],
)
async def test_only_https_is_posted_to_and_http_on_loopback(url: str) -> None:
    assert refused_url(url) is not None
    assert (await deliver(url)).outcome == "failed"
    assert refused_url("https://prod.logic.azure.com/x") is None
    assert refused_url("http://127.0.0.1:8080/x") is None


async def test_no_log_holds_the_url(caplog: pytest.LogCaptureFixture, server_tls: ssl.SSLContext) -> None:
    caplog.set_level(logging.DEBUG)
    await post([Reply(503, headers={"Retry-After": "0"}), Reply(404)])
    await post([Reply(302, headers={"Location": f"http://localhost:1/?sig={SECRET}"})])
    async with Receiver([Reply(202)], tls=server_tls) as receiver:
        await deliver(receiver.url)
    await deliver(receiver.url)
    # The server of the test logs requests as well; it is not what is tested.
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("aiohttp.access")]
    assert not [line for line in ours if SECRET in line]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", None),
        ("1", None),
        ('{"error": {"code": "x"}}', "an error"),
        ("{broken", None),
        ('["error"]', None),
        (THROTTLED, "HTTP error 429"),
        ("429", "HTTP error 429"),
        ("Microsoft Teams endpoint returned HTTP error", "a failed delivery"),
        ("run 08584290043", None),
    ],
)
def test_what_a_teams_body_means(text: str, what: str | None) -> None:
    reported = body_error(text)
    assert (reported.what if reported else None) == what


def test_retry_after_as_number_date_and_nonsense() -> None:
    assert attempts.retry_after("7") == 7.0
    assert attempts.retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert attempts.retry_after("soon") is None
    assert attempts.retry_after(None) is None
