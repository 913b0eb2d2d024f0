"""The Event Grid sink with the genuine publisher client against https on loopback."""

import json
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from rdp_remediate.lab.certificates import LabAuthority
from rdp_remediate.models.report import Delivery
from rdp_remediate.notify import attempts
from rdp_remediate.notify.event_grid import EventGridSink
from tests.notify.receiver import Receiver, Reply

EVENT = json.dumps(
    {
        "event_type": "RdpRemediate.RunCompleted",
        "subject": "/subscriptions/s",
        "data": {"run_id": "r1"},
        "data_version": "1",
    }
).encode()
TOKEN = "a.b.c"


class Credential:
    """Gives a token that nobody checks."""

    def __init__(self) -> None:
        self.scopes: list[str] = []

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes += scopes
        return AccessToken(TOKEN, 4_000_000_000)

    async def close(self) -> None:
        """Has nothing to close."""

    async def __aenter__(self) -> "Credential":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Has nothing to close."""


class NoIdentity(Credential):
    """Fails as azure-identity does where no identity is assigned."""

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        raise ClientAuthenticationError("ManagedIdentityCredential authentication unavailable. secret=not-to-be-shown")


@pytest.fixture
def authority(tmp_path: Path) -> LabAuthority:
    return LabAuthority(tmp_path)


Topic = Callable[[list[Reply]], AbstractAsyncContextManager[Receiver]]


@pytest.fixture
def topic(authority: LabAuthority) -> Topic:
    @asynccontextmanager
    async def opened(replies: list[Reply]) -> AsyncIterator[Receiver]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.certificate, authority.key)
        async with Receiver(replies, tls=context) as receiver:
            yield receiver

    return opened


async def deliver(
    receiver: Receiver, ca_file: Path | None, *, credential: Credential | None = None, timeout_s: float = 5.0
) -> Delivery:
    sink = EventGridSink(
        f"https://localhost:{receiver.port}/api/events",
        credential or Credential(),
        timeout_s=timeout_s,
        pause_s=0.01,
        connection_verify=str(ca_file) if ca_file else True,
    )
    delivery = await sink.deliver(EVENT)
    await sink.close()
    for secret in ("localhost", str(receiver.port), TOKEN, "not-to-be-shown"):
        assert secret not in delivery.detail
    return delivery


async def test_one_event_in_the_event_grid_schema_arrives(authority: LabAuthority, topic: Topic) -> None:
    credential = Credential()
    async with topic([Reply(200)]) as receiver:
        delivery = await deliver(receiver, authority.ca_file, credential=credential)
    assert (delivery.outcome, delivery.sink) == ("delivered", "event_grid")
    [events] = [json.loads(body) for body in receiver.bodies]
    assert events[0]["eventType"] == "RdpRemediate.RunCompleted"
    assert events[0]["subject"] == "/subscriptions/s"
    assert events[0]["data"] == {"run_id": "r1"}
    assert receiver.headers[0]["Authorization"] == f"Bearer {TOKEN}"
    assert credential.scopes == ["https://eventgrid.azure.net/.default"]


async def test_a_second_try_carries_the_same_event(authority: LabAuthority, topic: Topic) -> None:
    async with topic([Reply(503), Reply(200)]) as receiver:
        delivery = await deliver(receiver, authority.ca_file)
    assert delivery.outcome == "delivered"
    first, second = [json.loads(body)[0]["id"] for body in receiver.bodies]
    assert first == second


async def test_retry_after_is_honoured_and_capped(
    authority: LabAuthority, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()
    async with topic([Reply(429, headers={"Retry-After": "1"}), Reply(200)]) as receiver:
        assert (await deliver(receiver, authority.ca_file)).outcome == "delivered"
    assert time.monotonic() - began >= 1.0
    monkeypatch.setattr(attempts, "LONGEST_RETRY_AFTER_S", 0.1)
    began = time.monotonic()
    async with topic([Reply(429, headers={"Retry-After": "3600"})]) as receiver:
        delivery = await deliver(receiver, authority.ca_file)
    assert (delivery.outcome, len(receiver.bodies)) == ("failed", 2)
    assert "429" in delivery.detail
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("status", [401, 403])
async def test_a_missing_right_names_the_role(status: int, authority: LabAuthority, topic: Topic) -> None:
    async with topic([Reply(status)]) as receiver:
        delivery = await deliver(receiver, authority.ca_file)
    assert (delivery.outcome, len(receiver.bodies)) == ("failed", 1)
    assert f"answered {status}" in delivery.detail
    assert "EventGrid Data Sender" in delivery.detail


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(202), "delivered"),
        (Reply(200, "{broken", headers={"Content-Type": "application/json"}), "delivered"),
        (Reply(400, '{"error": {"code": "BadRequest", "message": "not-to-be-shown"}}'), "failed"),
        (Reply(413), "failed"),
    ],
)
async def test_any_2xx_is_success_and_another_status_is_told(
    reply: Reply, outcome: str, authority: LabAuthority, topic: Topic
) -> None:
    async with topic([reply]) as receiver:
        delivery = await deliver(receiver, authority.ca_file)
    assert (delivery.outcome, len(receiver.bodies)) == (outcome, 1)
    assert delivery.detail == "accepted" or str(reply.status) in delivery.detail


async def test_redirects_are_not_followed(authority: LabAuthority, topic: Topic) -> None:
    async with topic([Reply(200)]) as elsewhere:
        location = f"https://localhost:{elsewhere.port}/api/events"
        async with topic([Reply(307, headers={"Location": location})]) as receiver:
            delivery = await deliver(receiver, authority.ca_file)
    assert (delivery.outcome, elsewhere.bodies) == ("failed", [])
    assert "redirect" in delivery.detail


async def test_a_slow_topic_gets_one_try(authority: LabAuthority, topic: Topic) -> None:
    async with topic([Reply(200, delay_s=2.0)]) as receiver:
        delivery = await deliver(receiver, authority.ca_file, timeout_s=0.5)
    assert (delivery.outcome, len(receiver.bodies)) == ("failed", 1)
    assert "unknown" in delivery.detail


async def test_an_untrusted_certificate_nobody_listening_and_no_token_are_failures(
    authority: LabAuthority, topic: Topic
) -> None:
    async with topic([Reply(200)]) as receiver:
        assert (await deliver(receiver, None)).outcome == "failed"
        delivery = await deliver(receiver, authority.ca_file, credential=NoIdentity())
        assert (delivery.outcome, delivery.detail) == ("failed", "the identity got no token")
        assert receiver.bodies == []
    delivery = await deliver(receiver, authority.ca_file)
    assert delivery.outcome == "failed"
    assert delivery.detail.startswith("no connection")


@pytest.mark.parametrize("endpoint", ["http://topic.example/api/events", "http://localhost:1/api/events", "https://[x"])
async def test_no_token_goes_anywhere_without_tls(endpoint: str) -> None:
    credential = Credential()
    sink = EventGridSink(endpoint, credential)
    assert (await sink.deliver(EVENT)).outcome == "failed"
    assert credential.scopes == []


async def test_no_log_holds_the_token(authority: LabAuthority, topic: Topic, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with topic([Reply(503), Reply(200)]) as receiver:
        await deliver(receiver, authority.ca_file)
        await deliver(receiver, authority.ca_file, credential=NoIdentity())
    assert TOKEN not in caplog.text
