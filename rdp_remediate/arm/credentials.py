"""Who this process is to Azure. Apart from the clients, so that a process which only needs its store imports no azure.mgmt."""

from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.identity.aio import (
    AzureCliCredential,
    AzureDeveloperCliCredential,
    AzurePowerShellCredential,
    ChainedTokenCredential,
    EnvironmentCredential,
    ManagedIdentityCredential,
)

#: The identity endpoint is on the machine itself: if it does not answer soon, it is not there.
_IDENTITY_RETRY: dict[str, Any] = {"retry_total": 2, "retry_backoff_factor": 0.3}


def managed_identity(client_id: str | None = None) -> AsyncTokenCredential:
    """The identity of the app in Azure (or of the lab, through IDENTITY_ENDPOINT)."""
    return ManagedIdentityCredential(client_id=client_id, **_IDENTITY_RETRY)


def operator_credential(*, managed: bool = False) -> AsyncTokenCredential:
    """The operator's own sign-in: environment, `az login`, Azure PowerShell, `azd auth login`.

    The instance metadata address is never probed unless asked: on a workstation it is somebody else's.

    Args:
        managed: Take the managed identity first, as in Cloud Shell, on a build agent or in the lab.
    """
    chain: list[AsyncTokenCredential] = [managed_identity()] if managed else []
    chain += [EnvironmentCredential(), AzureCliCredential(), AzurePowerShellCredential()]
    chain += [AzureDeveloperCliCredential()]
    return ChainedTokenCredential(*chain)
