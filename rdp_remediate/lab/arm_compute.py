"""Microsoft.Compute: virtual machines, their instance view, power actions and boot diagnostics."""

from typing import Any
from uuid import uuid4

from rdp_remediate.lab import healthy
from rdp_remediate.lab.arm_http import GROUP, SUB, ArmError, Call, Reply, Route, not_found
from rdp_remediate.lab.healthy import Resource
from rdp_remediate.lab.time_shift import format_moment
from rdp_remediate.lab.world import World, utc_now

VMS = f"{GROUP}/providers/Microsoft.Compute/virtualMachines"
VM = f"{VMS}/{{vm}}"
_BUCKETS = {"x-ms-ratelimit-remaining-resource": "Microsoft.Compute/LowCostGetResource;32"}


def existing_vm(call: Call, vm_id: str) -> Resource:
    """Returns a VM.

    Raises:
        ArmError: it does not exist.
    """
    vm = call.world.resources.get(vm_id.lower())
    if vm is None or "virtualmachines" not in str(vm.get("type", "")).lower():
        raise not_found(vm_id)
    return vm


async def get_vm(call: Call) -> Reply:
    """GET of a VM; `$expand=instanceView` adds the instance view."""
    existing_vm(call, call.path)
    expand = call.query.get("$expand", "").lower()
    view = call.world.vm_view(call.path, expand="instanceview" in expand)
    return Reply(200, view, {"ETag": str((view or {}).get("etag", '"1"')), **_BUCKETS})


async def get_instance_view(call: Call) -> Reply:
    """GET of the instance view alone."""
    vm_id = call.parent()
    existing_vm(call, vm_id)
    return Reply(200, call.world.instance_views.get(vm_id.lower(), {}), dict(_BUCKETS))


async def list_vms(call: Call) -> Reply:
    """Lists VMs of a group or subscription; a list never holds the instance view, and upper-cases the group."""
    scope = call.parent(3)
    found = []
    for vm in call.world.of_type("Microsoft.Compute/virtualMachines", scope):
        head, group, rest = vm["id"].partition("/resourceGroups/")
        name, slash, tail = rest.partition("/")
        found.append({**vm, "id": f"{head}{group}{name.upper()}{slash}{tail}"})
    return Reply(200, {"value": found})


async def patch_vm(call: Call) -> Reply:
    """PATCH of a VM's tags; other properties are not simulated."""
    vm = existing_vm(call, call.path)
    body = call.json()
    if set(body) - {"tags"}:
        raise ArmError(400, "BadRequest", "The simulated Compute provider changes only the tags of a VM.")
    vm["tags"] = dict(body.get("tags") or {})
    await call.world.changed()
    return Reply(200, vm)


def _statuses(view: dict[str, Any], power: str, display: str) -> None:
    kept = [s for s in view.get("statuses", []) if not str(s.get("code", "")).lower().startswith("powerstate/")]
    view["statuses"] = [*kept, {"code": f"PowerState/{power}", "level": "Info", "displayStatus": display}]


def _power_off(world: World, vm_id: str, *, deallocate: bool) -> None:
    view = world.instance_views.setdefault(vm_id.lower(), {})
    for key in ("vmAgent", "computerName", "osName", "osVersion", "rdpThumbPrint", "extensions"):
        view.pop(key, None)
    _statuses(view, "deallocated" if deallocate else "stopped", "VM deallocated" if deallocate else "VM stopped")
    if deallocate:
        for nic in world.nics_of(vm_id):
            for configuration in nic["properties"].get("ipConfigurations", []):
                address = world.find(configuration["properties"].get("publicIPAddress", {}).get("id", ""))
                if address and address["properties"].get("publicIPAllocationMethod") == "Dynamic":
                    address["properties"].pop("ipAddress", None)
    world.health = {
        "availabilityState": "Unavailable",
        "title": "Stopped and deallocated" if deallocate else "Stopped by user or process",
        "summary": "This virtual machine is stopped as requested by an authorized user or process.",
        "reasonType": "Customer Initiated",
        "context": "Customer Initiated",
        "category": "Not Applicable",
        "occuredTime": format_moment(utc_now()),
        "reportedTime": format_moment(utc_now()),
        "reasonChronicity": "Persistent",
    }


def _boot(call: Call, vm_id: str) -> None:
    """The VM runs again: agent Ready, automatic services started, nobody signed in."""
    world = call.world
    vm = world.resources[vm_id.lower()]
    guest = world.guests.get(vm_id.lower())
    now = format_moment(utc_now())
    if guest is None:
        _statuses(world.instance_views.setdefault(vm_id.lower(), {}), "running", "VM running")
        return
    guest["now"] = guest["os"]["last_boot"] = now
    for service in guest.get("services", {}).values():
        if service.get("state") != "Running" and service.get("start_type") in ("Auto", "AutoDelayed"):
            service["state"] = "Running"
    guest["sessions"] = [s for s in guest.get("sessions", []) if not s.get("user")]
    world.guests[vm_id.lower()] = call.context.guest_certificates(call.context.runtime.settle(guest))
    if _agent_runs(guest):
        caption = str(guest["os"]["caption"]).removeprefix("Microsoft ")
        world.instance_views[vm_id.lower()] = healthy.ready_instance_view(vm, caption, str(guest["os"]["version"]), now)
        # A scenario whose VM is off, or whose agent is silent, says that its guest cannot be read; now it can.
        world.guest_readable = True
    else:
        _statuses(world.instance_views.setdefault(vm_id.lower(), {}), "running", "VM running")
    world.health = {
        "availabilityState": "Available",
        "title": "Available",
        "summary": "There aren't any known Azure platform problems affecting this virtual machine.",
        "reasonType": "",
        "occuredTime": now,
        "reportedTime": now,
        "reasonChronicity": "Persistent",
    }


def _reapply(world: World, vm_id: str) -> None:
    """The model is applied again: the failed state of the last operation is over; Windows itself is not touched."""
    world.resources[vm_id.lower()]["properties"]["provisioningState"] = "Succeeded"
    view = world.instance_views.setdefault(vm_id.lower(), {})
    kept = [s for s in view.get("statuses", []) if not str(s.get("code", "")).lower().startswith("provisioningstate/")]
    done = {
        "code": "ProvisioningState/succeeded",
        "level": "Info",
        "displayStatus": "Provisioning succeeded",
        "time": format_moment(utc_now()),
    }
    view["statuses"] = [done, *kept]


def _agent_runs(guest: dict[str, Any]) -> bool:
    """The agent's services came up with Windows; a state without them says nothing against it."""
    services = guest.get("services", {})
    agent = [services[name] for name in ("RdAgent", "WindowsAzureGuestAgent") if name in services]
    return all(service.get("state") == "Running" for service in agent)


async def power_action(call: Call) -> Reply:
    """POST start, restart, powerOff, deallocate, redeploy or reapply: 202 with both headers, no Retry-After."""
    vm_id, verb = call.parent(), call.path.rstrip("/").rsplit("/", 1)[1].lower()
    vm = existing_vm(call, vm_id)
    world, running = call.world, call.world.power_state(vm_id) == "running"
    if verb == "restart" and not running:
        raise ArmError(409, "OperationNotAllowed", "The operation requires the VM to be running (or set to run).")
    if verb == "start" and not running:
        _statuses(world.instance_views.setdefault(vm_id.lower(), {}), "starting", "VM starting")
    if verb == "redeploy" and not running:
        raise ArmError(409, "OperationNotAllowed", "The operation requires the VM to be running (or set to run).")
    name = f"Microsoft.Compute/virtualMachines/{verb}/action"
    world.record(name, vm["id"], call.principal, "Started", call.correlation)

    async def work() -> None:
        if verb in ("start", "restart", "redeploy"):
            if verb != "start" or not running:
                _boot(call, vm_id)
        elif verb == "reapply":
            _reapply(world, vm_id)
        else:
            _power_off(world, vm_id, deallocate=verb == "deallocate")
        world.record(name, vm["id"], call.principal, "Succeeded", call.correlation)
        await world.changed()

    operations = call.context.operations
    return operations.accepted(call, operations.start(call, "compute", "power", work))


async def boot_diagnostics(call: Call) -> Reply:
    """POST retrieveBootDiagnosticsData: two signed addresses, synchronously; an error when diagnostics are off."""
    vm = existing_vm(call, call.parent())
    settings = vm["properties"].get("diagnosticsProfile", {}).get("bootDiagnostics", {})
    if not settings.get("enabled"):
        raise ArmError(409, "OperationNotAllowed", f"Boot diagnostics are not enabled on the VM '{vm['name']}'.")
    blob = f"{call.origin}/bootdiagnostics/{uuid4()}/{vm['name']}"
    return Reply(
        200,
        {
            "consoleScreenshotBlobUri": f"{blob}.screenshot.bmp?sv=2021-06-08&sr=b&sp=r&sig={uuid4().hex}",
            "serialConsoleLogBlobUri": f"{blob}.serialconsole.log?sv=2021-06-08&sr=b&sp=r&sig={uuid4().hex}",
        },
    )


async def boot_blob(call: Call) -> Reply:
    """GET of one of those addresses; Range is honoured as blob storage does."""
    if "sig" not in call.query:
        raise ArmError(403, "AuthenticationFailed", "Server failed to authenticate the request.")
    if call.path.endswith(".log"):
        data = (call.world.boot_log or "").encode()
        kind = "text/plain; charset=utf-8"
    else:
        data, kind = call.world.screenshot or _BLACK_SCREEN, "image/bmp"
    wanted = call.headers.get("x-ms-range") or call.headers.get("Range") or ""
    if wanted.startswith("bytes="):
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        begin = int(first) if first else max(0, len(data) - int(last))
        end = int(last) + 1 if first and last else len(data)
        span = f"bytes {begin}-{min(end, len(data)) - 1}/{len(data)}"
        return Reply(206, data[begin:end], {"Content-Range": span}, kind)
    return Reply(200, data, {}, kind)


_BLACK_SCREEN = (
    b"BM"
    + (58).to_bytes(4, "little")
    + bytes(4)
    + (54).to_bytes(4, "little")
    + (40).to_bytes(4, "little")
    + ((1).to_bytes(4, "little") * 2 + (1).to_bytes(2, "little") + (24).to_bytes(2, "little") + bytes(24) + bytes(4))
)
"""A bitmap of one black pixel."""


def routes() -> list[Route]:
    """The routes of this area."""
    read = "Microsoft.Compute/virtualMachines/read"
    actions = [
        Route("POST", f"{VM}/{verb}", f"Microsoft.Compute/virtualMachines/{verb}/action", power_action, drop=1)
        for verb in ("start", "restart", "powerOff", "deallocate", "redeploy", "reapply")
    ]
    return [
        Route("GET", VM, read, get_vm),
        Route("PATCH", VM, "Microsoft.Compute/virtualMachines/write", patch_vm),
        Route(
            "GET",
            f"{VM}/instanceView",
            "Microsoft.Compute/virtualMachines/instanceView/read",
            get_instance_view,
            drop=1,
        ),
        Route("GET", VMS, read, list_vms, drop=3),
        Route("GET", f"{SUB}/providers/Microsoft.Compute/virtualMachines", read, list_vms, drop=3),
        *actions,
        Route(
            "POST",
            f"{VM}/retrieveBootDiagnosticsData",
            "Microsoft.Compute/virtualMachines/retrieveBootDiagnosticsData/action",
            boot_diagnostics,
            drop=1,
        ),
        Route("GET", "/bootdiagnostics/{rest*}", None, boot_blob),
    ]
