"""Role assignments and locks are enforced with the recorded refusals."""

import json
from pathlib import Path

import pytest

from rdp_remediate.lab.rbac import LAB_IDENTITY, Assignment, allowed, locking_scopes
from tests.lab.wire import Wire


async def test_missing_token(wire: Wire) -> None:
    answer = await wire.send("GET", wire.lab.vm_id, caller="")
    assert (answer.status, answer.code) == (401, "AuthenticationFailed")
    assert "www-authenticate" in answer.headers


async def test_denied_action_reads_as_recorded(wire: Wire, recordings: Path) -> None:
    wire.lab.world.denied_actions.append("Microsoft.Network/*/read")
    answer = await wire.get(wire.lab.names.role_ids["nic"])
    recorded = json.loads((recordings / "err-authorizationfailed-403-activitylog.json").read_text())["exchanges"][0]
    error = recorded["response"]["body"]["error"]
    assert answer.status == recorded["response"]["status"] == 403
    assert answer.headers["x-ms-failure-cause"] == recorded["response"]["headers"]["x-ms-failure-cause"]
    assert set(answer.body["error"]) == set(error)
    own = answer.body["error"]["message"]
    assert "perform action 'Microsoft.Network/networkInterfaces/read' over scope" in own
    assert own.partition(" or the scope is invalid")[2] == error["message"].partition(" or the scope is invalid")[2]
    assert (await wire.get(wire.lab.vm_id)).status == 200


async def test_a_role_on_the_vm_alone_can_start_but_not_track(wire: Wire) -> None:
    world = wire.lab.world
    world.assignments[:] = [Assignment(LAB_IDENTITY.object_id, world.vm_id)]
    first = await wire.send("POST", f"{world.vm_id}/runCommand", {"commandId": "RunPowerShellScript", "script": ["x"]})
    assert first.status == 202
    assert (await wire.get(first.headers["azure-asyncoperation"])).status == 403
    assert (await wire.get(world.names.role_ids["nic"])).status == 403


async def test_permissions_name_what_the_caller_lacks(wire: Wire) -> None:
    wire.lab.world.denied_actions.append("Microsoft.Compute/virtualMachines/start/action")
    answer = await wire.get(f"{wire.lab.vm_id}/providers/Microsoft.Authorization/permissions")
    assert answer.body["value"] == [
        {
            "actions": ["*"],
            "notActions": ["Microsoft.Compute/virtualMachines/start/action"],
            "dataActions": [],
            "notDataActions": [],
        }
    ]


@pytest.mark.parametrize(
    ("level", "method", "path", "status"),
    [
        ("ReadOnly", "GET", "", 200),
        ("ReadOnly", "POST", "/start", 409),
        ("ReadOnly", "POST", "/runCommand", 409),
        ("CanNotDelete", "POST", "/start", 202),
    ],
)
async def test_locks(wire: Wire, level: str, method: str, path: str, status: int) -> None:
    group = wire.lab.names.group_id
    lock = {"id": f"{group}/providers/Microsoft.Authorization/locks/freeze", "properties": {"level": level}}
    wire.lab.world.locks.append({"name": "freeze", "type": "Microsoft.Authorization/locks", **lock})
    answer = await wire.send(method, f"{wire.lab.vm_id}{path}")
    assert answer.status == status
    if status == 409:
        assert answer.code == "ScopeLocked"
        assert f"are locked: '{group}'" in answer.body["error"]["message"]
    listed = await wire.get(f"{group}/providers/Microsoft.Authorization/locks")
    assert [entry["name"] for entry in listed.body["value"]] == ["freeze"]
    below = await wire.get(f"{wire.lab.vm_id}/providers/Microsoft.Authorization/locks")
    assert below.body["value"] == []  # an inherited lock is listed where it is


def test_scopes_are_whole_segments() -> None:
    assignment = Assignment("a", "/subscriptions/s/resourceGroups/rg", ("*/read",))
    assert allowed([assignment], "A", "X/y/READ", "/subscriptions/S/resourcegroups/RG/providers/p")
    assert not allowed([assignment], "a", "X/y/read", "/subscriptions/s/resourceGroups/rg2/providers/p")
    assert not allowed([assignment], "a", "X/y/write", "/subscriptions/s/resourceGroups/rg")
    assert not allowed([Assignment("a", "/", ("*",), ("*/write",))], "a", "X/write", "/subscriptions/s")
    lock = {"id": "/s/rg/providers/Microsoft.Authorization/locks/l", "properties": {"level": "CanNotDelete"}}
    assert locking_scopes([lock], "/s/rg/vm", "DELETE") == ["/s/rg"]
    assert locking_scopes([lock], "/s/rg2/vm", "DELETE") == []
