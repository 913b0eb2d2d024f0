"""Clients: where the token may go, who is asked for it, and what may be sent again."""

import uuid
from pathlib import Path

import pytest
from azure.core.exceptions import ClientAuthenticationError

from rdp_remediate.arm.clients import ArmClients, ArmEndpoint, correlation_id, managed_identity, operator_credential
from rdp_remediate.arm.reads import AzureReads
from rdp_remediate.arm.retry import is_read
from rdp_remediate.models.fact import Observed, Reason, Unavailable
from tests.arm.fake_arm import NSG, FakeArm, Reply, StaticCredential, clients_for


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("https://management.azure.com/subscriptions/s?t=1", True),
        ("https://MANAGEMENT.AZURE.COM/x", True),
        ("https://westeurope.management.azure.com/x", True),
        ("http://management.azure.com/x", False),
        ("https://management.azure.com.evil.example/x", False),
        ("https://evilmanagement.azure.com/x", False),
        ("https://management.azure.com@evil.example/x", False),
        ("https://user@management.azure.com/x", False),
        ("https://management.azure.com:8443/x", False),
        ("https://x.management.azure.com:8443/x", False),
        ("https://management.azure.com:99999/x", False),
        ("https://[/x", False),
        ("//management.azure.com/x", False),
        ("", False),
    ],
)
async def test_token_goes_to_arm_only(url: str, ours: bool) -> None:
    async with ArmClients(StaticCredential(), ArmEndpoint()) as clients:
        assert clients.is_arm_url(url) is ours


@pytest.mark.parametrize(
    ("method", "url", "read"),
    [
        ("GET", "/anything", True),
        ("POST", f"{NSG}/x/effectiveNetworkSecurityGroups?api-version=1", True),
        ("POST", "/x/effectiveRouteTable", True),
        ("POST", "/x/listNetworkManagerEffectiveSecurityAdminRules?a", True),
        ("POST", "/x/ipFlowVerify", True),
        ("POST", "/x/retrieveBootDiagnosticsData?sas=1", True),
        ("POST", "https://h/providers/Microsoft.ResourceGraph/resources?api-version=1", True),
        ("POST", "https://api.loganalytics.io/v1/workspaces/w/query", True),
        ("POST", "/virtualMachines/vm/runCommand?api-version=1", False),
        ("POST", "/virtualMachines/effectiveRouteTable/start", False),
        ("POST", "/x/initiate", False),
        ("PUT", "/x/securityRules/r", False),
        ("DELETE", "/x/securityRules/r", False),
        ("PATCH", "/x", False),
    ],
)
def test_listed_posts_are_reads_and_all_else_acts(method: str, url: str, read: bool) -> None:
    assert is_read(method, url) is read


def test_correlation_id_is_a_guid_and_the_same_for_the_same_run() -> None:
    assert str(uuid.UUID(correlation_id("run-1"))) == correlation_id("run-1")
    assert correlation_id("run-1") != correlation_id("run-2")


async def test_managed_identity_is_asked_where_the_environment_says(
    arm: FakeArm, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "header-of-the-test")
    async with clients_for(arm, certificate, managed_identity()) as clients:
        fact = await AzureReads(clients).resource(NSG)
    assert isinstance(fact, Unavailable)
    assert fact.reason in (Reason.FORBIDDEN, Reason.UNREACHABLE)
    assert arm.seen == [], "without a token nothing is asked"


async def test_operator_without_a_sign_in_is_told_and_no_metadata_address_is_probed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no az, no azd, no pwsh
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "IDENTITY_ENDPOINT", "MSI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")
    credential = operator_credential()
    with pytest.raises(ClientAuthenticationError) as caught:
        await credential.get_token("https://management.azure.com/.default")
    await credential.close()
    assert "ManagedIdentity" not in str(caught.value)
    assert "Azure CLI" in str(caught.value)


async def test_closing_closes_the_credential(arm: FakeArm, certificate: Path) -> None:
    arm.on("GET", NSG, Reply(body={"name": "nsg1"}))
    credential = StaticCredential()
    async with clients_for(arm, certificate, credential) as clients:
        assert isinstance(await AzureReads(clients).resource(NSG), Observed)
        assert not credential.closed
    assert credential.closed
