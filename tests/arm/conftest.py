"""Fixtures: a fake ARM, clients for it, and the recorded payloads where they are."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.arm.clients import ArmClients
from rdp_remediate.arm.polling import PollTimes
from rdp_remediate.arm.reads import AzureReads
from rdp_remediate.arm.writes import AzureWrites
from tests.arm.fake_arm import FakeArm, clients_for, make_certificate, serve

PAYLOADS = Path(__file__).resolve().parents[2].parent / "shared" / "payloads"
FAST = PollTimes(default_s=0.01, longest_s=0.02)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("fake-arm"))


@pytest.fixture
async def arm(certificate: Path) -> AsyncIterator[FakeArm]:
    async with serve(FakeArm(), certificate) as server:
        yield server


@pytest.fixture
async def clients(arm: FakeArm, certificate: Path) -> AsyncIterator[ArmClients]:
    async with clients_for(arm, certificate) as opened:
        yield opened


@pytest.fixture
def reads(clients: ArmClients) -> AzureReads:
    return AzureReads(clients, correlation_id="00000000-0000-0000-0000-00000000c0de", poll_times=FAST)


@pytest.fixture
async def writes(clients: ArmClients) -> AsyncIterator[AzureWrites]:
    adapter = AzureWrites(clients, poll_times=FAST, started_times=FAST, deadline_s=5.0)
    yield adapter
    await adapter.close()


@pytest.fixture
def payload() -> Callable[[str], Any]:
    """Reads one recorded payload by file name, or skips."""

    def read(name: str) -> Any:
        path = PAYLOADS / name
        if not path.is_file():
            pytest.skip(f"The recorded Azure answers are not beside this checkout (../shared/payloads/{name}).")
        return json.loads(path.read_text(encoding="utf-8"))

    return read
