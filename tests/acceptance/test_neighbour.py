"""A neighbour VM in the lab, by the genuine clients: found, asked, answered by the lab's packet walk, and reported."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.playing import Played, played, sent, wired

VM = "{resource_group}/providers/Microsoft.Compute/virtualMachines/near"
NIC = "{resource_group}/providers/Microsoft.Network/networkInterfaces/near-nic"
READY = {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Ready"}
RUNNING = {"code": "PowerState/running", "level": "Info", "displayStatus": "VM running"}


def _neighbour(system: str, tag: str) -> list[dict[str, Any]]:
    view = {"vmAgent": {"statuses": [READY]}, "statuses": [READY, RUNNING]}
    vm = {
        "provisioningState": "Succeeded",
        "storageProfile": {"osDisk": {"name": "near-os", "osType": system}},
        "networkProfile": {"networkInterfaces": [{"id": NIC}]},
        "instanceView": view,
    }
    inside = {
        "provisioningState": "Succeeded",
        "privateIPAddress": "10.0.0.9",
        "privateIPAllocationMethod": "Static",
        "primary": True,
        "privateIPAddressVersion": "IPv4",
        "subnet": {"id": "{subnet}"},
    }
    nic = {
        "provisioningState": "Succeeded",
        "enableIPForwarding": False,
        "primary": True,
        "virtualMachine": {"id": VM},
        "ipConfigurations": [{"name": "ipconfig1", "properties": inside}],
    }
    common = {"location": "{location}"}
    return [
        {"id": VM, "name": "near", "type": "Microsoft.Compute/virtualMachines", **common, "properties": vm}
        | {"tags": {"rdp-remediate-neighbour": tag}},
        {"id": NIC, "name": "near-nic", "type": "Microsoft.Network/networkInterfaces", **common, "properties": nic},
    ]


def _scenario(folder: Path, system: str, tag: str, guest: list[dict[str, Any]]) -> Path:
    """Extensions are not allowed on the target, so nobody can look into it and nothing is proven."""
    document = {
        "schema": "rdp-remediate/scenario/1",
        "name": "with-neighbour",
        "title": "Windows cannot be asked and the way from outside is not known.",
        "base": "server2022",
        "guest": guest,
        "arm": {"vm": [{"path": ["properties", "osProfile", "allowExtensionOperations"], "value": False}]},
        "extra": _neighbour(system, tag),
        "ask": {"client": "10.0.0.50", "dialled_address": "10.0.0.4"},
        "expect": {"status": ["not_proven"]},
    }
    path = folder / "scenario.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


async def _play(tmp_path: Path, system: str, tag: str = "allow", guest: list[dict[str, Any]] | None = None) -> Played:
    file = _scenario(tmp_path, system, tag, guest or [])
    async with wired(None, "modelled", tmp_path, file=file) as (lab, services, settings):
        return await played(lab, services, settings)


@pytest.mark.parametrize("system", ["Windows", "Linux"])
async def test_a_neighbour_is_found_asked_and_its_answer_shown(tmp_path: Path, system: str) -> None:
    run = await _play(tmp_path, system)
    (record,) = [one for one in run.bundles[-1].probes if one.vantage == "neighbour"]
    assert (record.source_address, record.address, record.result["outcome"]) == ("10.0.0.9", "10.0.0.4", "rdp_answered")
    assert len(sent(run.requests, "POST", "/virtualmachines/near/runcommand")) == 1
    assert run.report.verdict.status == "not_proven"
    (row,) = [one for one in run.report.vantages if one.vantage == "neighbour"]
    assert (row.outcome, row.path_verdict) == ("reaches", "ALLOW")


async def test_where_windows_does_not_listen_the_neighbour_gets_no_answer(tmp_path: Path) -> None:
    stopped = [{"path": ["services", "TermService", "state"], "value": "Stopped"}]
    run = await _play(tmp_path, "Linux", guest=stopped)
    (record,) = [one for one in run.bundles[-1].probes if one.vantage == "neighbour"]
    assert record.result["verdict"] in ("filtered", "refused")
    (row,) = [one for one in run.report.vantages if one.vantage == "neighbour"]
    assert row.outcome == "does_not"


async def test_without_the_tag_nobody_is_asked_and_a_temporary_vm_is_offered(tmp_path: Path) -> None:
    run = await _play(tmp_path, "Linux", tag="no")
    assert sent(run.requests, "POST", "/virtualmachines/near/runcommand") == []
    assert any("temporary VM" in block.title for block in run.report.paste)
