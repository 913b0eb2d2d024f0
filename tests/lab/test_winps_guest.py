"""A script of a person's own, sent by the genuine client, answers from guest state when winps is the guest."""

import pytest
from azure.identity.aio import ManagedIdentityCredential
from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.compute.models import RunCommandInput

from rdp_remediate.errors import UsageError
from rdp_remediate.lab.guests.winps import WinpsGuest
from rdp_remediate.lab.server import Lab


@pytest.mark.slow
@pytest.mark.parametrize(("scenario", "state"), [("healthy", "Running"), ("termservice-stopped", "Stopped")])
async def test_get_service(scenario: str, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        guest = WinpsGuest()
    except UsageError as missing:
        pytest.skip(f"{missing} (put winps at ../shared/tools/winps)")
    async with Lab(scenario, runtime=guest) as lab:
        for name, value in lab.identity().items():
            monkeypatch.setenv(name, value)
        async with (
            ManagedIdentityCredential() as credential,
            ComputeManagementClient(
                credential,
                lab.names.subscription,
                base_url=lab.arm_url,
                credential_scopes=[f"{lab.arm_url}/.default"],
                connection_verify=str(lab.ca_file),
            ) as client,
        ):
            body = RunCommandInput(command_id="RunPowerShellScript", script=["(Get-Service TermService).Status"])
            poller = await client.virtual_machines.begin_run_command(lab.names.resource_group, lab.names.vm, body)
            out, err = (await poller.result()).value or []
        assert ((out.message or "").strip(), err.message) == (state, "")
