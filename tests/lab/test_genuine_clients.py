"""The genuine Azure SDK clients, sync and aio, over https with the lab's CA: only configuration differs from Azure."""

import asyncio
import json
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import ManagedIdentityCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.compute.models import RunCommandInput, RunCommandInputParameter
from azure.mgmt.network.models import SecurityRule

from rdp_remediate.lab.names import Names
from rdp_remediate.lab.server import Lab
from tests.lab.conftest import Clients
from tests.lab.fake_guest import FakeGuest


def deny(priority: int = 150) -> SecurityRule:
    return SecurityRule(
        {
            "properties": {
                "protocol": "Tcp",
                "sourcePortRange": "*",
                "destinationPortRange": "3389",
                "sourceAddressPrefix": "203.0.113.0/24",
                "destinationAddressPrefix": "10.0.0.4",
                "access": "Deny",
                "priority": priority,
                "direction": "Inbound",
            }
        }
    )


async def test_vm_with_instance_view(lab: Lab, clients: Clients) -> None:
    vm = await clients.compute.virtual_machines.get(lab.names.resource_group, lab.names.vm, expand="instanceView")
    view = vm.instance_view
    assert view is not None
    assert view.vm_agent is not None
    assert view.vm_agent.statuses is not None
    assert view.vm_agent.statuses[0].display_status == "Ready"
    assert [s.code for s in view.statuses or []][-1] == "PowerState/running"
    assert vm.os_profile is not None
    assert vm.os_profile.computer_name == "RDPVM01"


async def test_vm_without_expand_has_no_instance_view(lab: Lab, clients: Clients) -> None:
    vm = await clients.compute.virtual_machines.get(lab.names.resource_group, lab.names.vm)
    assert vm.instance_view is None
    listed = [v async for v in clients.compute.virtual_machines.list_all()]
    assert [v.instance_view for v in listed] == [None]
    assert listed[0].id is not None
    assert "/resourceGroups/RG-APP/" in listed[0].id  # a list upper-cases the group


async def test_run_command_executes_over_the_guest(lab: Lab, clients: Clients, guest: FakeGuest) -> None:
    body = RunCommandInput(
        command_id="RunPowerShellScript",
        script=["line one", "line two"],
        parameters=[RunCommandInputParameter(name="Request", value="e30")],
    )
    poller = await clients.compute.virtual_machines.begin_run_command(lab.names.resource_group, lab.names.vm, body)
    result = await poller.result()
    out, err = result.value or []
    assert (out.code, err.code) == ("ComponentStatus/StdOut/succeeded", "ComponentStatus/StdErr/succeeded")
    told = json.loads(out.message or "")
    assert told["script"] == "line one\nline two"
    assert told["parameters"] == {"Request": "e30"}
    assert err.message == ""
    assert len(lab.requests.matching("runCommand$", "POST")) == 1


async def test_run_command_output_is_the_tail(lab: Lab, clients: Clients) -> None:
    body = RunCommandInput(command_id="RunPowerShellScript", script=["flood"])
    poller = await clients.compute.virtual_machines.begin_run_command(lab.names.resource_group, lab.names.vm, body)
    message = ((await poller.result()).value or [])[0].message or ""
    assert message.endswith("end")
    assert 4093 < len(message.encode()) <= 4096


async def test_a_second_run_command_is_refused_while_one_runs(
    lab: Lab, clients: Clients, guest: FakeGuest, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, inner = asyncio.Event(), guest.run_script

    async def slow(*args: Any, **kwargs: Any) -> Any:
        await released.wait()
        return await inner(*args, **kwargs)

    monkeypatch.setattr(guest, "run_script", slow)
    vms = clients.compute.virtual_machines
    body = RunCommandInput(command_id="RunPowerShellScript", script=["one"])
    first = await vms.begin_run_command(lab.names.resource_group, lab.names.vm, body)
    with pytest.raises(ResourceExistsError, match="Run command extension execution is in progress"):
        await vms.begin_run_command(lab.names.resource_group, lab.names.vm, body)
    released.set()
    assert (await first.result()).value
    again = await vms.begin_run_command(lab.names.resource_group, lab.names.vm, body)
    assert (await again.result()).value


async def test_a_rule_shows_in_get_effective_rules_and_disappears(lab: Lab, clients: Clients) -> None:
    group, nsg = lab.names.resource_group, lab.names.nic_nsg
    poller = await clients.network.security_rules.begin_create_or_update(group, nsg, "Block", deny())
    made = await poller.result()
    assert made.provisioning_state == "Succeeded"
    read = await clients.network.security_rules.get(group, nsg, "Block")
    assert (read.priority, read.source_address_prefix, read.source_address_prefixes) == (150, "203.0.113.0/24", [])
    assert read.etag is not None
    assert read.etag == made.etag
    effective = await (
        await clients.network.network_interfaces.begin_list_effective_network_security_groups(group, lab.names.nic)
    ).result()
    names = [r.name for g in effective.value or [] for r in g.effective_security_rules or []]
    assert "securityRules/Block" in names
    assert len(effective.value or []) == 2
    await (await clients.network.security_rules.begin_delete(group, nsg, "Block")).result()
    with pytest.raises(ResourceNotFoundError) as missing:
        await clients.network.security_rules.get(group, nsg, "Block")
    assert missing.value.error is not None
    assert missing.value.error.code == "NotFound"


async def test_effective_routes_and_service_tags(lab: Lab, clients: Clients) -> None:
    poller = await clients.network.network_interfaces.begin_get_effective_route_table(
        lab.names.resource_group, lab.names.nic
    )
    routes = {r.address_prefix[0]: r.next_hop_type for r in (await poller.result()).value or [] if r.address_prefix}
    assert routes["0.0.0.0/0"] == "Internet"
    assert routes["10.0.0.0/16"] == "VnetLocal"
    tags = await clients.network.service_tags.list(lab.names.location)
    assert "AzureCloud.westeurope" in [v.name for v in tags.values_property or []]


async def test_start_of_a_deallocated_vm(lab: Lab, clients: Clients) -> None:
    group, vm = lab.names.resource_group, lab.names.vm
    vms = clients.compute.virtual_machines
    await (await vms.begin_deallocate(group, vm)).result()
    view = await vms.instance_view(group, vm)
    assert view.vm_agent is None
    assert lab.world.power_state(lab.vm_id) == "deallocated"
    with pytest.raises(ResourceExistsError, match="requires the VM to be running"):
        await vms.begin_run_command(group, vm, RunCommandInput(command_id="RunPowerShellScript", script=["x"]))
    with pytest.raises(HttpResponseError) as stopped:
        await clients.network.network_interfaces.begin_list_effective_network_security_groups(group, lab.names.nic)
    assert stopped.value.error is not None
    assert stopped.value.error.code == "NicMustBeAttachedToRunningVmToGetEffectiveSecurityGroups"
    await (await vms.begin_start(group, vm)).result()
    assert lab.world.power_state(lab.vm_id) == "running"
    assert lab.world.agent_ready(lab.vm_id)


async def test_a_silent_agent_fails_late_with_http_200(lab: Lab, clients: Clients) -> None:
    lab.world.instance_views[lab.vm_id.lower()]["vmAgent"]["statuses"] = [
        {"code": "ProvisioningState/Unavailable", "level": "Warning", "displayStatus": "Not Ready"}
    ]
    poller = await clients.compute.virtual_machines.begin_run_command(
        lab.names.resource_group, lab.names.vm, RunCommandInput(command_id="RunPowerShellScript", script=["x"])
    )
    with pytest.raises(HttpResponseError, match="VMAgentStatusCommunicationError"):
        await poller.result()
    assert {e.status for e in lab.requests.matching("/operations/")} == {200}


def sync_reads(lab: Lab) -> tuple[str, str]:
    with (
        ManagedIdentityCredential() as credential,
        ComputeManagementClient(
            credential,
            lab.names.subscription,
            base_url=lab.arm_url,
            credential_scopes=[f"{lab.arm_url}/.default"],
        ) as client,
    ):
        vm = client.virtual_machines.get(lab.names.resource_group, lab.names.vm)
        body = RunCommandInput(command_id="RunPowerShellScript", script=["sync"])
        done = client.virtual_machines.begin_run_command(lab.names.resource_group, lab.names.vm, body).result()
        return vm.name or "", (done.value or [])[0].message or ""


async def test_sync_client_takes_the_ca_from_the_exports(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in lab.exports().items():
        monkeypatch.setenv(name, value)
    name, message = await asyncio.to_thread(sync_reads, lab)
    assert name == lab.names.vm
    assert json.loads(message)["script"] == "sync"


async def test_renamed_subscription_answers_under_its_own_names_only(
    guest: FakeGuest, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(
        subscription="9c8b7a60-0000-4000-8000-00000000beef",
        resource_group="prod-west",
        vm="web07",
        nic="web07-if0",
        nic_nsg="web07-filter",
        subnet_nsg="dmz-filter",
        vnet="spoke",
        subnet="dmz",
        public_ip="web07-ip",
        nic_rule="office-in",
    )
    async with Lab("nsg-explicit-deny-wins", runtime=guest, names=names) as lab:
        text = json.dumps([lab.world.resources, lab.world.activity])
        assert lab.world.find(f"{names.role_ids['nic_nsg']}/securityRules/office-in") is not None
        for old in ("rg-app", "vm1", "snet-app", "vnet-app", "00000000-0000-0000-0000-000000000000"):
            assert old not in text
