"""Identity, sign-in and receivers: the plain http side, and what az asks before the first command."""

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from azure.core.credentials import AzureKeyCredential
from azure.core.messaging import CloudEvent
from azure.eventgrid.aio import EventGridPublisherClient
from azure.identity.aio import ClientSecretCredential, ManagedIdentityCredential

from rdp_remediate.lab.server import Lab
from tests.lab.fake_guest import FakeGuest
from tests.lab.wire import Wire


async def test_app_service_identity(lab: Lab) -> None:
    async with ManagedIdentityCredential() as credential:
        token = await credential.get_token("https://management.azure.com/.default")
    assert token.token.count(".") == 2


async def test_instance_metadata_identity(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IDENTITY_ENDPOINT")
    monkeypatch.delenv("IDENTITY_HEADER")
    async with ManagedIdentityCredential() as credential:
        assert (await credential.get_token("https://management.azure.com/.default")).token


async def test_identity_refuses_a_wrong_header(lab: Lab) -> None:
    async with aiohttp.ClientSession() as session:
        url = f"{lab.http_url}/msi/token?api-version=2019-08-01&resource=r"
        async with session.get(url, headers={"X-IDENTITY-HEADER": "guess"}) as answer:
            assert answer.status == 401
        async with session.get(f"{lab.http_url}/metadata/identity/oauth2/token?resource=r") as answer:
            assert answer.status == 400


async def test_service_principal_signs_in_and_is_somebody_else(lab: Lab, wire: Wire) -> None:
    credential = ClientSecretCredential(
        lab.names.tenant,
        "11112222-0000-4000-8000-000000000001",
        "any",
        authority=lab.arm_url,
        disable_instance_discovery=True,
        connection_verify=str(lab.ca_file),
    )
    async with credential:
        token = (await credential.get_token(f"{lab.arm_url}/.default")).token
    answer = await wire.send("POST", f"{lab.vm_id}/restart", caller=token)
    assert answer.status == 202
    assert lab.world.activity[-1]["caller"] != lab.plain.identity.object_id


async def test_cloud_metadata_in_both_shapes(wire: Wire) -> None:
    new = (await wire.send("GET", "/metadata/endpoints?api-version=2022-09-01", caller="")).body
    assert new["authentication"]["audiences"][0] == new["resourceManager"] == wire.lab.arm_url
    old = (await wire.send("GET", "/metadata/endpoints?api-version=2019-05-01", caller="")).body
    assert [c["name"] for c in old] == [new["name"]]
    subs = (await wire.get("/subscriptions")).body["value"]
    assert [s["subscriptionId"] for s in subs] == [wire.lab.names.subscription]


async def test_event_grid_publisher_and_webhooks_are_recorded(lab: Lab) -> None:
    async with EventGridPublisherClient(f"{lab.http_url}/api/events", AzureKeyCredential("k")) as publisher:
        await publisher.send(CloudEvent(type="t", source="/s", data={"a": 1}))
    [event] = lab.receivers.of("events")
    assert event.body[0]["data"] == {"a": 1}
    assert "aeg-sas-key" not in {k.lower() for k in event.headers}
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{lab.http_url}/teams", json={"type": "message"}) as answer:
            assert answer.status == 202
        async with session.post(f"{lab.http_url}/api/events", json=[]) as answer:
            assert answer.status == 401
        lab.delivery_failures.add("/webhook", status=200, body="Microsoft Teams endpoint returned HTTP error 429")
        async with session.post(f"{lab.http_url}/webhook", data="not json") as answer:
            assert "429" in await answer.text()
    assert lab.receivers.of("webhook")[0].body == "not json"


async def test_exports_lead_to_loopback_and_nowhere_else(lab: Lab) -> None:
    exports = lab.exports()
    for name in ("IDENTITY_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST", "RDP_REMEDIATE_ARM_URL"):
        assert exports[name].split("/")[2].split(":")[0] in ("127.0.0.1", "localhost")
    assert "localhost" in exports["NO_PROXY"]
    bundle = await asyncio.to_thread(Path(exports["REQUESTS_CA_BUNDLE"]).read_text)
    assert bundle.endswith(lab.ca_file.read_text())


async def test_everything_stops_with_the_lab() -> None:
    guest = FakeGuest()
    async with Lab("healthy", runtime=guest) as lab:
        folder, url = lab.folder, lab.http_url
        assert json.loads(json.dumps(lab.exports()))
    assert guest.closed
    assert not folder.exists()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(url)
