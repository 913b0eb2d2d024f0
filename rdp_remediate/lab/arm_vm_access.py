"""The VMAccess extension on a simulated VM: what a run without a user name resets, and when Azure or Windows refuses it.

Source: learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/reset-rdp. Other extensions are not simulated.
"""

from copy import deepcopy
from typing import Any

from rdp_remediate.lab.arm_compute import VM, existing_vm
from rdp_remediate.lab.arm_http import NOTHING, ArmError, Call, Reply, Route, not_found
from rdp_remediate.lab.arm_run_command import AGENT_SILENT
from rdp_remediate.lab.operations import OperationError

_TS = "hklm\\system\\currentcontrolset\\control\\terminal server"
_RT = f"{_TS}\\winstations\\rdp-tcp"
_RULES = ("RemoteDesktop-UserMode-In-TCP", "RemoteDesktop-UserMode-In-UDP")
_DOMAIN_CONTROLLERS = (4, 5)


async def put_extension(call: Call) -> Reply:
    """PUT of an extension: 201 or 200 with Azure-AsyncOperation; the same forceUpdateTag runs nothing again."""
    vm_id = call.parent(2)
    vm = existing_vm(call, vm_id)
    world = call.world
    if world.power_state(vm_id) != "running":
        raise ArmError(409, "OperationNotAllowed", "Cannot modify extensions in the VM when the VM is not running.")
    properties = call.json().get("properties") or {}
    if str(properties.get("type", "")).lower() != "vmaccessagent":
        raise ArmError(400, "BadRequest", "The simulated Compute provider knows the extension VMAccessAgent only.")
    view = world.instance_views.setdefault(vm_id.lower(), {})
    listed: list[dict[str, Any]] = view.setdefault("extensions", [])
    name = call.params["name"]
    other = [one for one in listed if "vmaccessagent" in str(one.get("type", "")).lower() and one["name"] != name]
    if other:
        raise ArmError(
            409,
            "MultipleExtensionsPerHandlerNotAllowed",
            f"Multiple VMExtensions per handler not supported for OS type 'Windows'. VMExtension '{other[0]['name']}' with "
            "handler 'Microsoft.Compute.VMAccessAgent' already added or specified in input.",
        )
    key = call.path.rstrip("/")
    before = world.extensions.get(key.lower())
    resource: dict[str, Any] = {
        "name": name,
        "id": key,
        "type": "Microsoft.Compute/virtualMachines/extensions",
        "location": call.json().get("location", vm["location"]),
        "properties": {**deepcopy(properties), "provisioningState": "Updating" if before else "Creating"},
    }
    world.extensions[key.lower()] = resource
    action = "Microsoft.Compute/virtualMachines/extensions/write"
    world.record(action, key, call.principal, "Started", call.correlation)
    same = before is not None and before["properties"].get("forceUpdateTag") == properties.get("forceUpdateTag")

    async def work() -> None:
        resource["properties"]["provisioningState"] = "Failed"
        if not world.agent_ready(vm_id) or vm_id.lower() not in world.guests:
            code, text = AGENT_SILENT
            raise OperationError(code, text.format(vm=vm["name"]))
        state = world.guests[vm_id.lower()]
        status = {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded"}
        if state["os"].get("domain_role") in _DOMAIN_CONTROLLERS:
            said = "VMAccess Extension does not support Domain Controller."
            status = {"code": "ProvisioningState/failed/1", "level": "Error", "message": said}
        listed[:] = [one for one in listed if one["name"] != name]
        listed.append({"name": name, "type": "Microsoft.Compute.VMAccessAgent", "statuses": [status]})
        if "failed" in status["code"]:
            raise OperationError("VMExtensionProvisioningError", status["message"])
        if not same:
            world.guests[vm_id.lower()] = call.context.guest_certificates(call.context.runtime.settle(_reset(state)))
        resource["properties"]["provisioningState"] = "Succeeded"
        world.record(action, key, call.principal, "Succeeded", call.correlation)
        await world.changed()

    operations = call.context.operations
    kind = "run_command" if world.agent_ready(vm_id) else "agent_timeout"
    shown = deepcopy(resource)
    return Reply(
        200 if before else 201, shown, operations.put_headers(call, operations.start(call, "compute", kind, work))
    )


async def get_extension(call: Call) -> Reply:
    """GET of an extension that was put here, or that the VM's instance view lists."""
    resource = _found(call)
    if resource is None:
        raise not_found(call.path.rstrip("/"))
    return Reply(200, resource)


def _found(call: Call) -> dict[str, Any] | None:
    key, name = call.path.rstrip("/"), call.params["name"]
    if key.lower() in call.world.extensions:
        return call.world.extensions[key.lower()]
    for one in call.world.instance_views.get(call.parent(2).lower(), {}).get("extensions", []):
        if one["name"].lower() == name.lower():
            failed = any("failed" in str(status.get("code", "")) for status in one.get("statuses", []))
            publisher, _, kind = str(one.get("type", "")).rpartition(".")
            properties = {
                "publisher": publisher,
                "type": kind,
                "provisioningState": "Failed" if failed else "Succeeded",
            }
            resource_type = "Microsoft.Compute/virtualMachines/extensions"
            return {"name": one["name"], "id": key, "type": resource_type, "properties": properties}
    return None


async def delete_extension(call: Call) -> Reply:
    """DELETE of an extension: 202 with both headers, 204 when there is none."""
    vm_id, name = call.parent(2), call.params["name"]
    existing_vm(call, vm_id)
    key = call.path.rstrip("/").lower()
    if _found(call) is None:
        return Reply(204, NOTHING)

    async def work() -> None:
        call.world.extensions.pop(key, None)
        listed = call.world.instance_views.get(vm_id.lower(), {}).get("extensions", [])
        listed[:] = [one for one in listed if one["name"].lower() != name.lower()]

    operations = call.context.operations
    return operations.accepted(call, operations.start(call, "compute", "read", work))


def _reset(state: dict[str, Any]) -> dict[str, Any]:
    """RDP enabled on 3389, its rules enabled for that port, the firewall on in every profile; nothing else."""
    fresh = deepcopy(state)
    for path, values in fresh["registry"].items():
        if path.lower() == _TS:
            values["fDenyTSConnections"] = ["DWord", 0]
        elif path.lower() == _RT:
            values["PortNumber"] = ["DWord", 3389]
    for rule in fresh["firewall"]["rules"]:
        if rule["name"] in _RULES:
            rule.update(enabled=True, local_ports=["3389"])
    for profile in fresh["firewall"]["profiles"].values():
        profile["enabled"] = True
    return fresh


def routes() -> list[Route]:
    """The routes of this area."""
    base = "Microsoft.Compute/virtualMachines/extensions"
    path = f"{VM}/extensions/{{name}}"
    return [
        Route("PUT", path, f"{base}/write", put_extension),
        Route("DELETE", path, f"{base}/delete", delete_extension),
        Route("GET", path, f"{base}/read", get_extension),
    ]
