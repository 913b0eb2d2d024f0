"""What a cold instance imports to take a payload in: nothing that talks to ARM, so that it answers soon.

No lab runs here: a payload is taken in although Azure Resource Manager cannot be reached at all.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.azurite import Azurite
from tests.function_host.host import FunctionHost
from tests.function_host.queue_pump import QueuePump
from tests.intake.cases import alert, text, vm_id

APP = Path(__file__).resolve().parents[1]
CLOSED = "https://127.0.0.1:9"
NOT_FOR_INTAKE = (
    "azure.mgmt",
    "rdp_remediate.arm",
    "rdp_remediate.checks",
    "rdp_remediate.collection",
    "rdp_remediate.execution",
    "rdp_remediate.facts",
    "rdp_remediate.fixes",
    "rdp_remediate.guest",
    "rdp_remediate.lab",
    "rdp_remediate.network",
    "rdp_remediate.pipeline",
    "rdp_remediate.probe",
    "rdp_remediate.report",
)
IDENTITY_STORE = {
    "RDP_REMEDIATE_TABLE_SERVICE_URI": CLOSED,
    "RDP_REMEDIATE_BLOB_SERVICE_URI": CLOSED,
    "IDENTITY_ENDPOINT": "http://127.0.0.1:9/msi/token",
    "IDENTITY_HEADER": "none",
}


def settings(azurite: Azurite, **more: str) -> dict[str, str]:
    return {
        "AzureWebJobsStorage": azurite.connection_string,
        "RDP_REMEDIATE_STORE": "tables",
        "RDP_REMEDIATE_ARM_URL": CLOSED,
        **more,
    }


@pytest.fixture
def host(azurite: Azurite) -> Iterator[FunctionHost]:
    with FunctionHost(APP, settings(azurite, RDP_REMEDIATE_STORAGE_CONNECTION=azurite.connection_string)) as started:
        yield started


def loaded(host: FunctionHost, forbidden: tuple[str, ...]) -> list[str]:
    return [name for name in host.modules() if any(name == one or name.startswith(f"{one}.") for one in forbidden)]


FAILED_RDP = alert({"condition": {"allOf": []}}, {"rdp-remediate": "failed-rdp"})


def test_taking_payloads_in_loads_nothing_that_talks_to_arm(host: FunctionHost, azurite: Azurite) -> None:
    with QueuePump(host, azurite.connection_string) as pump:
        pump.clear()
        answer = host.invoke_http("POST", "/api/alerts", body=FAILED_RDP).must_succeed()
        assert (answer.status, len(answer.queue_outputs("runs"))) == (202, 1), answer.body
        asked = host.invoke_http("POST", "/api/diagnose", body={"vm": vm_id("Web01")}).must_succeed()
        assert (asked.status, len(asked.queue_outputs("runs"))) == (202, 1), asked.body
        event = text("eventgrid-nsg-rule-write-by-person.json")
        (invocation,) = host.invoke_event_grid("event_grid", json.loads(event))
        assert len(invocation.must_succeed().queue_outputs("runs")) == 1
        pump.put("events", event.replace("7d3a2f61", "7d3a2f62"))
        delivery = pump.deliver("events")
        assert delivery is not None
        assert delivery.invocation is not None
        assert len(delivery.invocation.must_succeed().queue_outputs("runs")) == 1
        host.invoke_timer("due").must_succeed()
    assert loaded(host, (*NOT_FOR_INTAKE, "azure.identity", "msal")) == []


def test_with_an_identity_for_the_store_intake_loads_credentials_and_no_more(azurite: Azurite) -> None:
    """As deployed, without keys: the store needs a credential, which is all that it may load of `arm`."""
    with FunctionHost(APP, settings(azurite, **IDENTITY_STORE)) as host:
        answer = host.invoke_http("POST", "/api/alerts", body=FAILED_RDP).must_succeed()
        assert answer.status == 503, "neither identity nor store can be reached"
        assert "Nothing was started" in answer.json()["error"]
        assert answer.queue_outputs("runs") == ()
        found = set(loaded(host, NOT_FOR_INTAKE)) - {"rdp_remediate.arm", "rdp_remediate.arm.credentials"}
        assert found == set()
        assert "azure.identity" in host.modules()
