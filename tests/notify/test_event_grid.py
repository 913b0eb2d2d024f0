"""The Event Grid sink with the genuine publisher client against https on loopback."""

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from rdp_remediate.lab.certificates import LabAuthority
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


class Credential:
    """Gives a token that nobody checks."""

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes = scopes
        return AccessToken("a.b.c", 4_000_000_000)

    async def close(self) -> None:
        """Has nothing to close."""

    async def __aenter__(self) -> "Credential":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Has nothing to close."""


@pytest.fixture
def authority(tmp_path: Path) -> LabAuthority:
    return LabAuthority(tmp_path)


def server(authority: LabAuthority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate, authority.key)
    return context


async def test_one_event_in_the_event_grid_schema_arrives(authority: LabAuthority) -> None:
    async with Receiver([Reply(200)], tls=server(authority)) as receiver:
        sink = EventGridSink(
            f"https://localhost:{receiver.port}/api/events", Credential(), connection_verify=str(authority.ca_file)
        )
        delivery = await sink.deliver(EVENT)
        await sink.close()
    assert delivery.outcome == "delivered", delivery
    [events] = [json.loads(body) for body in receiver.bodies]
    assert events[0]["eventType"] == "RdpRemediate.RunCompleted"
    assert events[0]["subject"] == "/subscriptions/s"
    assert events[0]["data"] == {"run_id": "r1"}
    assert receiver.headers[0]["Authorization"] == "Bearer a.b.c"


async def test_a_refusal_is_told_by_its_status(authority: LabAuthority) -> None:
    async with Receiver([Reply(403)], tls=server(authority)) as receiver:
        sink = EventGridSink(
            f"https://localhost:{receiver.port}/api/events", Credential(), connection_verify=str(authority.ca_file)
        )
        delivery = await sink.deliver(EVENT)
        await sink.close()
    assert (delivery.outcome, delivery.detail) == ("failed", "answered 403")


async def test_an_untrusted_certificate_and_plain_http_are_failures_without_the_endpoint(
    authority: LabAuthority,
) -> None:
    async with Receiver([Reply(200)], tls=server(authority)) as receiver:
        sink = EventGridSink(f"https://localhost:{receiver.port}/api/events", Credential())
        delivery = await sink.deliver(EVENT)
        await sink.close()
    assert delivery.outcome == "failed"
    assert "localhost" not in delivery.detail
    assert receiver.bodies == []
    sink = EventGridSink("http://topic.example/api/events", Credential())
    assert (await sink.deliver(EVENT)).outcome == "failed"
