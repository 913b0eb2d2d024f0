"""Run Command: the action and the managed resource, executed over the simulated guest."""

from copy import deepcopy
from datetime import datetime
from typing import Any

from rdp_remediate.errors import RdpRemediateError
from rdp_remediate.lab.arm_compute import VM, existing_vm
from rdp_remediate.lab.arm_http import NOTHING, ArmError, Call, Reply, Route, not_found
from rdp_remediate.lab.guest_runtime import ScriptResult
from rdp_remediate.lab.neighbour_probe import asks_neighbour, neighbour_stdout
from rdp_remediate.lab.operations import OperationError
from rdp_remediate.lab.time_shift import format_moment
from rdp_remediate.lab.world import utc_now

OUTPUT_BYTES = 4096
SCRIPT_TIMEOUT_S = 120.0
AGENT_SILENT = (
    "VMAgentStatusCommunicationError",
    "VM '{vm}' has not reported status for VM agent or extensions. Verify that the OS is up and healthy, the VM has a "
    "running VM agent, and that it can establish outbound connections to Azure storage. Please refer to "
    "https://aka.ms/vmextensionwindowstroubleshoot for additional VM agent troubleshooting information.",
)


def tail(text: str) -> str:
    """Returns the last 4,096 bytes of an output, as the extension keeps them; a cut character is dropped."""
    return text.encode()[-OUTPUT_BYTES:].decode(errors="ignore")


def _refuse_unless_possible(call: Call, vm_id: str) -> dict[str, Any]:
    vm = existing_vm(call, vm_id)
    if call.world.power_state(vm_id) != "running":
        raise ArmError(409, "OperationNotAllowed", "The operation requires the VM to be running (or set to run).")
    if vm["properties"].get("osProfile", {}).get("allowExtensionOperations") is False:
        raise ArmError(
            409,
            "OperationNotAllowed",
            "This operation cannot be performed when extension operations are disallowed. To allow, please ensure VM "
            "Agent is installed on the VM and the osProfile.allowExtensionOperations property is true.",
        )
    busy = vm_id.lower() in call.context.busy
    if busy or (not call.world.guest_readable and call.world.agent_ready(vm_id)):
        raise ArmError(
            409,
            "Conflict",
            "Run command extension execution is in progress. Please wait for completion before invoking a run command.",
        )
    return vm


async def _execute(call: Call, vm_id: str, script: str, parameters: dict[str, str]) -> ScriptResult:
    world, key = call.world, vm_id.lower()
    vm = world.resources[key]
    if key not in world.guests and world.agent_ready(vm_id) and asks_neighbour(script):
        return ScriptResult(neighbour_stdout(call, vm_id, parameters), "", {})
    if not world.agent_ready(vm_id) or key not in world.guests:
        code, text = AGENT_SILENT
        raise OperationError(code, text.format(vm=vm["name"]))
    state = deepcopy(world.guests[key])
    state["now"] = format_moment(utc_now())
    try:
        result = await call.context.runtime.run_script(state, script, parameters, timeout_s=SCRIPT_TIMEOUT_S)
    except TimeoutError as error:
        raise OperationError(
            "VMExtensionProvisioningTimeout",
            f"Provisioning of VM extension RunCommandWindows has timed out on VM '{vm['name']}'.",
        ) from error
    except RdpRemediateError as error:
        raise OperationError("VMExtensionProvisioningError", str(error)) from error
    world.guests[key] = call.context.guest_certificates(result.state)
    await world.changed()
    return result


def _stderr(result: ScriptResult) -> str:
    # A simulation's gap must be seen by whoever reads the answer; it is no answer of Windows.
    gaps = "".join(f"not simulated: {text}\n" for text in result.not_simulated)
    return gaps + result.stderr


def _parameters(body: list[dict[str, Any]] | None) -> dict[str, str]:
    return {str(p.get("name", "")): str(p.get("value", "")) for p in body or []}


async def run_command(call: Call) -> Reply:
    """POST runCommand: 202, then two output entries; one at a time per VM, the script's exit code is never told."""
    vm_id = call.parent()
    vm = _refuse_unless_possible(call, vm_id)
    body = call.json()
    disk = vm["properties"].get("storageProfile", {}).get("osDisk", {})
    linux = str(disk.get("osType", "")).lower() == "linux"
    if str(body.get("commandId", "")).lower() != ("runshellscript" if linux else "runpowershellscript"):
        raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")
    script = "\n".join(str(line) for line in body.get("script") or [])
    key = vm_id.lower()
    call.context.busy.add(key)
    name = "Microsoft.Compute/virtualMachines/runCommand/action"
    call.world.record(name, vm["id"], call.principal, "Started", call.correlation)

    async def work() -> dict[str, Any]:
        try:
            result = await _execute(call, vm_id, script, _parameters(body.get("parameters")))
        finally:
            call.context.busy.discard(key)
        call.world.record(name, vm["id"], call.principal, "Succeeded", call.correlation)
        done = {"level": "Info", "displayStatus": "Provisioning succeeded"}
        if linux:
            joined = f"Enable succeeded: \n[stdout]\n{tail(result.stdout)}\n[stderr]\n{tail(_stderr(result))}"
            return {"value": [{"code": "ProvisioningState/succeeded", **done, "message": joined}]}
        return {
            "value": [
                {"code": "ComponentStatus/StdOut/succeeded", **done, "message": tail(result.stdout)},
                {"code": "ComponentStatus/StdErr/succeeded", **done, "message": tail(_stderr(result))},
            ]
        }

    kind = "run_command" if call.world.agent_ready(vm_id) else "agent_timeout"
    operations = call.context.operations
    return operations.accepted(call, operations.start(call, "compute", kind, work))


def _instance_view(result: ScriptResult | None, state: str, began: datetime) -> dict[str, Any]:
    view: dict[str, Any] = {"executionState": state, "executionMessage": "", "exitCode": 0, "output": "", "error": ""}
    view["startTime"] = began.isoformat()
    if result is not None:
        view |= {"output": tail(result.stdout), "error": tail(_stderr(result)), "endTime": utc_now().isoformat()}
    return view


async def put_managed(call: Call) -> Reply:
    """PUT of a managed run command: 201 or 200 with Azure-AsyncOperation; executionState only in the instance view."""
    vm_id = call.parent(2)
    vm = _refuse_unless_possible(call, vm_id)
    body = call.json()
    properties = body.get("properties") or {}
    script = str((properties.get("source") or {}).get("script") or "")
    key, began = call.path.rstrip("/").lower(), utc_now()
    created = key not in call.world.run_commands
    resource: dict[str, Any] = {
        "name": call.params["name"],
        "id": call.path.rstrip("/"),
        "type": "Microsoft.Compute/virtualMachines/runCommands",
        "location": body.get("location", vm["location"]),
        "properties": {
            "source": {"script": script},
            "parameters": properties.get("parameters") or [],
            "asyncExecution": bool(properties.get("asyncExecution")),
            "treatFailureAsDeploymentFailure": bool(properties.get("treatFailureAsDeploymentFailure")),
            "timeoutInSeconds": properties.get("timeoutInSeconds") or 0,
            "provisioningState": "Creating" if created else "Updating",
            "instanceView": _instance_view(None, "Running", began),
        },
    }
    call.world.run_commands[key] = resource

    async def work() -> None:
        try:
            result = await _execute(call, vm_id, script, _parameters(properties.get("parameters")))
        except OperationError:
            resource["properties"]["provisioningState"] = "Failed"
            raise
        resource["properties"]["instanceView"] = _instance_view(result, "Succeeded", began)
        resource["properties"]["provisioningState"] = "Succeeded"

    kind = "run_command" if call.world.agent_ready(vm_id) else "agent_timeout"
    answer = _without_view(resource)
    operation = call.context.operations.start(call, "compute", kind, work)
    return Reply(201 if created else 200, answer, call.context.operations.put_headers(call, operation))


def _without_view(resource: dict[str, Any]) -> dict[str, Any]:
    shown = deepcopy(resource)
    shown["properties"].pop("instanceView", None)
    return shown


async def get_managed(call: Call) -> Reply:
    """GET of a managed run command; the instance view only with `$expand=instanceView`."""
    resource = call.world.run_commands.get(call.path.rstrip("/").lower())
    if resource is None:
        raise not_found(call.path.rstrip("/"))
    expand = call.query.get("$expand", "").lower() == "instanceview"
    return Reply(200, resource if expand else _without_view(resource))


async def delete_managed(call: Call) -> Reply:
    """DELETE of a managed run command: 202 with both headers, 204 when there is none."""
    key = call.path.rstrip("/").lower()
    if key not in call.world.run_commands:
        return Reply(204, NOTHING)

    async def work() -> None:
        call.world.run_commands.pop(key, None)

    operations = call.context.operations
    return operations.accepted(call, operations.start(call, "compute", "read", work))


def routes() -> list[Route]:
    """The routes of this area."""
    managed = f"{VM}/runCommands/{{name}}"
    base = "Microsoft.Compute/virtualMachines/runCommands"
    return [
        Route("POST", f"{VM}/runCommand", "Microsoft.Compute/virtualMachines/runCommand/action", run_command, drop=1),
        Route("PUT", managed, f"{base}/write", put_managed),
        Route("GET", managed, f"{base}/read", get_managed),
        Route("DELETE", managed, f"{base}/delete", delete_managed),
    ]
