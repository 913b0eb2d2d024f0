"""A lab with a guest that only echoes, and the genuine clients pointed at it by configuration alone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from azure.identity.aio import ManagedIdentityCredential
from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.network.aio import NetworkManagementClient

from rdp_remediate.lab.server import Lab
from tests.lab.fake_guest import FakeGuest
from tests.lab.wire import Wire

SHARED = Path(__file__).resolve().parents[3] / "shared"


@dataclass
class Clients:
    compute: ComputeManagementClient
    network: NetworkManagementClient


@pytest.fixture
def guest() -> FakeGuest:
    return FakeGuest()


@pytest.fixture
async def lab(guest: FakeGuest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    async with Lab("healthy", runtime=guest) as running:
        for name, value in running.identity().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
async def clients(lab: Lab) -> AsyncIterator[Clients]:
    settings: dict[str, Any] = {
        "base_url": lab.arm_url,
        "credential_scopes": [f"{lab.arm_url}/.default"],
        "connection_verify": str(lab.ca_file),
    }
    sub = lab.names.subscription
    async with (
        ManagedIdentityCredential() as credential,
        ComputeManagementClient(credential, sub, **settings) as compute,
        NetworkManagementClient(credential, sub, **settings) as network,
    ):
        yield Clients(compute, network)


@pytest.fixture
async def wire(lab: Lab) -> AsyncIterator[Wire]:
    async with Wire(lab) as opened:
        yield opened


@pytest.fixture
def recordings() -> Path:
    folder = SHARED / "payloads"
    if not folder.is_dir():
        pytest.skip("recorded Azure answers are not there: put them at ../shared/payloads beside the checkout")
    return folder


@pytest.fixture
def vectors() -> Path:
    folder = SHARED / "vectors"
    if not folder.is_dir():
        pytest.skip("scenario vectors are not there: put them at ../shared/vectors beside the checkout")
    return folder
