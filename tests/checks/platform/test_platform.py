"""The hop platform, fact by fact: power, refused starts, the host's health, the ways into the VM that are no RDP."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests import factories as f
from tests.checks.judging import diagnosis, finding
from tests.factories import Change

OPERATION = "Microsoft.Compute/virtualMachines/{}/action"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
UNAVAILABLE = {"availabilityState": "Unavailable", "reasonType": "Unplanned", "context": "Platform Initiated"}


def outcome(check: str, *changes: Change) -> tuple[str, str | None]:
    one = finding(check, *changes)
    return one.status.value, one.fault


def annotation(name: str, ago: timedelta, context: str = "Platform Initiated") -> Change:
    def change(data: dict[str, Any]) -> None:
        rows = data["operations"]["resource_annotations"][f.VM.lower()]["value"]
        at = (f.at(data) - ago).strftime("%Y-%m-%dT%H:%M:%SZ")
        rows.append({"properties": {"annotationName": name, "context": context, "occurredTime": at}})

    return change


def health(**properties: Any) -> Change:
    return f.operation("resource_health", f.VM, {"properties": {"title": "as Azure says", **properties}})


def refused(code: str, ago: timedelta, message: str = "no", operation: str = "start") -> Change:
    def change(data: dict[str, Any]) -> None:
        data["changes"].append(
            {
                "eventTimestamp": (f.at(data) - ago).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "operationName": {"value": OPERATION.format(operation)},
                "status": {"value": "Failed"},
                "caller": "ops@contoso.com",
                "resourceId": f.VM.upper(),
                "properties": {
                    "statusCode": "Conflict",
                    "statusMessage": json.dumps({"error": {"code": code, "message": message}}),
                },
            }
        )

    return change


def started(ago: timedelta, operation: str = "start") -> Change:
    return f.activity(OPERATION.format(operation), f.VM, "ops@contoso.com", ago)


def read_only(level: str = "ReadOnly") -> Change:
    lock = f"{f.GROUP}/providers/Microsoft.Authorization/locks/freeze"
    return f.operation("locks", f.VM, {"value": [{"id": lock, "properties": {"level": level}}]})


def extension(kind: str, code: str, message: str = "") -> Change:
    def change(data: dict[str, Any]) -> None:
        view = data["resources"][f.VM.lower()]["properties"]["instanceView"]
        status = {"code": code, "message": message}
        view.setdefault("extensions", []).append({"name": "one", "type": kind, "statuses": [status]})

    return change


def status(code: str) -> Change:
    def change(data: dict[str, Any]) -> None:
        data["resources"][f.VM.lower()]["properties"]["instanceView"]["statuses"].append({"code": code})

    return change


def provisioning(state: str, code: str | None = None) -> Change:
    def change(data: dict[str, Any]) -> None:
        properties = data["resources"][f.VM.lower()]["properties"]
        properties["provisioningState"] = state
        if code is not None:
            statuses = properties["instanceView"]["statuses"]
            statuses[:] = [s for s in statuses if not s["code"].lower().startswith("provisioningstate/")]
            statuses.insert(0, {"code": f"ProvisioningState/{code}"})

    return change


OFF = f.powered("deallocated")
BUSY = f.hide("guest", reason="busy")


@pytest.mark.parametrize("state", ["starting", "stopping", "deallocating"])
def test_a_moving_vm_is_waited_for_and_nothing_else_is_judged_of_it(state: str) -> None:
    moving = diagnosis(f.powered(state), annotation("VirtualMachineDeallocationInitiated", HOUR, "Customer Initiated"))
    assert moving.verdict.causes == ["vm-transitional"]
    by_check = {one.check: one for one in moving.findings}
    assert by_check["vm_is_running"].status.value == by_check["vm_agent_is_ready"].status.value == "skipped"


@pytest.mark.parametrize("state", ["Updating", "Creating", "Deleting"])
def test_an_operation_under_way_on_a_running_vm_blocks_nobody(state: str) -> None:
    one = finding("vm_state_is_settled", provisioning(state))
    assert (one.fault, one.effect) == ("vm-transitional", "degrades")
    assert diagnosis(provisioning(state)).verdict.status == "reachable"


def test_a_vm_that_shows_no_state_is_unknown() -> None:
    assert outcome("vm_state_is_settled", f.drop("resources", f.VM.lower(), "properties", "provisioningState")) == (
        "unknown",
        None,
    )


@pytest.mark.parametrize(
    ("changes", "status_and_fault", "effect"),
    [
        ((provisioning("Failed", "failed/VMExtensionProvisioningError"),), ("fail", "vm-provisioning-failed"), "risk"),
        ((provisioning("Succeeded", "failed/1"),), ("fail", "vm-provisioning-failed"), "risk"),
        (
            (f.silent, f.agent_not_ready, provisioning("Failed", "failed/OSProvisioningTimedOut")),
            ("fail", "vm-provisioning-failed"),
            "blocks",
        ),
        ((provisioning("Failed", "failed/OSProvisioningTimedOut"),), ("fail", "vm-provisioning-failed"), "risk"),
        ((provisioning("Succeeded", "succeeded"),), ("pass", None), None),
        ((provisioning("Updating"),), ("pass", None), None),
    ],
)
def test_provisioning(
    changes: tuple[Change, ...], status_and_fault: tuple[str, str | None], effect: str | None
) -> None:
    one = finding("vm_provisioning_succeeded", *changes)
    assert (one.status.value, one.fault) == status_and_fault
    assert one.effect == effect


def test_hibernation_is_told_from_deallocation() -> None:
    assert outcome("vm_is_running", OFF, status("HibernationState/Hibernated")) == ("fail", "vm-hibernated")
    assert outcome("vm_is_running", OFF) == ("fail", "vm-deallocated")
    assert outcome("vm_is_running", status("HibernationState/Hibernated")) == ("pass", None)


def test_an_eviction_counts_only_if_nobody_stopped_the_vm_after_it() -> None:
    evicted = annotation("VirtualMachinePreempted", DAY)
    assert outcome("vm_is_running", OFF, evicted) == ("fail", "vm-spot-evicted")
    later = annotation("VirtualMachineDeallocationInitiated", HOUR, "Customer Initiated")
    assert outcome("vm_is_running", OFF, evicted, later) == ("fail", "vm-deallocated")
    assert outcome("vm_is_running", OFF, evicted, started(HOUR, "deallocate")) == ("by_design", "vm-deallocated")
    assert outcome("vm_is_running", evicted) == ("pass", None)


@pytest.mark.parametrize(
    ("code", "message", "fault"),
    [
        ("AllocationFailed", "", "vm-allocation-failed"),
        ("ZonalAllocationFailed", "", "vm-allocation-failed"),
        ("OverconstrainedZonalAllocationRequest", "", "vm-allocation-failed"),
        ("ReadOnlyDisabledSubscription", "", "subscription-or-quota-disabled"),
        ("QuotaExceeded", "", "subscription-or-quota-disabled"),
        ("OperationNotAllowed", "exceeding approved Total Regional Cores quota", "subscription-or-quota-disabled"),
        ("AuthorizationFailed", "", "mgmt-lock-policy-or-rbac"),
        ("RequestDisallowedByPolicy", "", "mgmt-lock-policy-or-rbac"),
        ("KeyVaultAccessForbidden", "", "cmk-or-keyvault-unavailable"),
        ("OperationNotAllowed", "the VM is being updated", None),
        ("InternalServerError", "", None),
        ("ScopeLocked", "", None),
    ],
)
def test_the_last_refused_start_says_why_the_vm_stays_off(code: str, message: str, fault: str | None) -> None:
    expected = ("fail", fault) if fault else ("pass", None)
    assert outcome("azure_starts_the_vm", OFF, refused(code, HOUR, message)) == expected
    assert outcome("azure_starts_the_vm", refused(code, HOUR, message)) == ("pass", None), "the VM runs"
    assert outcome("azure_starts_the_vm", OFF, refused(code, DAY, message), started(HOUR)) == ("pass", None)
    assert outcome("azure_starts_the_vm", OFF, refused(code, HOUR, message, "deallocate")) == ("pass", None)


def test_an_old_refusal_is_only_likely() -> None:
    one = finding("azure_starts_the_vm", OFF, refused("AllocationFailed", 3 * DAY))
    assert one.confidence == "likely"


def test_a_lock_is_judged_by_what_is_there_now() -> None:
    locked = refused("ScopeLocked", HOUR)
    assert outcome("azure_starts_the_vm", OFF, locked) == ("pass", None)
    assert outcome("azure_starts_the_vm", OFF, locked, read_only()) == ("fail", "mgmt-lock-policy-or-rbac")
    assert outcome("azure_starts_the_vm", OFF, read_only("CanNotDelete")) == ("pass", None)
    assert outcome("azure_starts_the_vm", OFF, locked, f.hide("locks", f.VM)) == ("unknown", None)
    assert outcome("azure_starts_the_vm", OFF, read_only(), f.hide("changes")) == ("unknown", None)


SILENT_GUEST = (f.silent, f.agent_not_ready)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ((*SILENT_GUEST, health(**UNAVAILABLE)), ("fail", "platform-unavailable")),
        ((health(**UNAVAILABLE),), ("pass", None)),
        ((*SILENT_GUEST, health(**{**UNAVAILABLE, "reasonType": "Planned"})), ("fail", "platform-maintenance-or-freeze")),
        (
            (*SILENT_GUEST, health(availabilityState="Unavailable", context="Customer Initiated", reasonType="Customer Initiated")),
            ("unknown", None),
        ),
        ((*SILENT_GUEST, health(availabilityState="Unknown")), ("unknown", None)),
        ((*SILENT_GUEST, f.hide("resource_health", f.VM, "not_found")), ("unknown", None)),
        ((f.hide("resource_health", f.VM, "not_found"),), ("pass", None)),
        ((annotation("VirtualMachinePlannedFreezeSucceeded", 3 * MINUTE),), ("fail", "platform-maintenance-or-freeze")),
        ((annotation("VirtualMachineLiveMigrationFailure", 3 * MINUTE),), ("fail", "platform-maintenance-or-freeze")),
        ((annotation("VirtualMachinePlannedFreezeSucceeded", 9 * DAY),), ("pass", None)),
        ((annotation("VirtualMachineHostCrashed", 20 * MINUTE),), ("pass", None)),
        (
            (*SILENT_GUEST, annotation("VirtualMachineStorageOffline", 20 * MINUTE), health(availabilityState="Unknown")),
            ("fail", "platform-unavailable"),
        ),
        ((*SILENT_GUEST, annotation("VirtualMachineStorageOffline", DAY), health(availabilityState="Unknown")), ("unknown", None)),
    ],
)  # fmt: skip
def test_the_host(changes: tuple[Change, ...], expected: tuple[str, str | None]) -> None:
    assert outcome("platform_is_available", *changes) == expected


@pytest.mark.parametrize(
    "name",
    [
        "VirtualMachinePossiblyDegradedDueToHardwareFailure",
        "VirtualMachineMigrationScheduledForDegradedHardware",
        "VirtualMachineScheduledForServiceHealing",
    ],
)
def test_an_announced_failure_of_the_host_counts_until_the_vm_moves(name: str) -> None:
    fails = ("fail", "platform-degraded-hardware")
    assert outcome("host_is_sound", annotation(name, 3 * HOUR)) == fails
    assert finding("host_is_sound", annotation(name, 3 * HOUR)).effect == "risk"
    assert outcome("host_is_sound", annotation(name, 40 * DAY)) == ("pass", None)
    assert outcome("host_is_sound", annotation(name, 3 * HOUR), started(HOUR, "redeploy")) == ("pass", None)
    assert outcome("host_is_sound", annotation(name, HOUR), started(2 * HOUR, "redeploy")) == fails
    assert outcome("host_is_sound", annotation(name, HOUR), started(MINUTE, "restart")) == fails
    assert outcome("host_is_sound", annotation(name, HOUR), f.hide("changes")) == ("unknown", None)


def test_accelerated_networking() -> None:
    told = annotation("AccelnetUnhealthy", HOUR)
    fast = f.resource(f.NIC, "properties", "enableAcceleratedNetworking", value=True)
    assert outcome("accelerated_networking_is_healthy", told, fast) == ("fail", "accelnet-unhealthy")
    assert outcome("accelerated_networking_is_healthy", told) == ("pass", None)
    assert outcome("accelerated_networking_is_healthy", fast) == ("pass", None)
    assert outcome("accelerated_networking_is_healthy", annotation("AccelnetUnhealthy", 8 * DAY), fast) == (
        "pass",
        None,
    )
    assert outcome("accelerated_networking_is_healthy", told, f.hide("resource", f.NIC)) == ("unknown", None)


def test_the_vmaccess_extension() -> None:
    kind = "Microsoft.Compute.VMAccessAgent"
    broken = extension(kind, "ProvisioningState/failed/1", "COMException (0x800708C5): The password")
    one = finding("vmaccess_extension_works", broken)
    assert (one.fault, one.effect) == ("vmaccess-extension-broken", "risk")
    assert "password policy" in str(one.reason)
    assert outcome("vmaccess_extension_works", extension(kind, "ProvisioningState/succeeded")) == ("pass", None)
    other = extension("Microsoft.Azure.AzureDefenderForServers.MDE.Windows", "ProvisioningState/failed/15")
    assert outcome("vmaccess_extension_works", other) == ("pass", None)


def test_another_run_command() -> None:
    running = extension("Microsoft.CPlat.Core.RunCommandWindows", "ProvisioningState/transitioning")
    ended = extension("Microsoft.CPlat.Core.RunCommandWindows", "ProvisioningState/succeeded")
    blocked = ("fail", "runcommand-blocked")
    assert outcome("run_command_is_free", running, f.hide("guest", reason="timeout")) == blocked
    assert outcome("run_command_is_free", BUSY) == blocked
    assert outcome("run_command_is_free", BUSY, provisioning("Updating")) == ("skipped", None)
    assert outcome("run_command_is_free", running) == ("pass", None), "Windows answered, so it was ours or is over"
    assert outcome("run_command_is_free", ended, f.hide("guest", reason="timeout")) == ("pass", None)
    assert diagnosis(running, f.hide("guest", reason="timeout")).verdict.causes == []


def test_secure_boot() -> None:
    told = annotation("VirtualMachineFailedToSecureBoot", HOUR, "Customer Initiated")
    fails = ("fail", "secure-boot-failure")
    assert outcome("secure_boot_admits_windows", *SILENT_GUEST, told) == fails
    assert outcome("secure_boot_admits_windows", told) == ("pass", None)
    assert outcome("secure_boot_admits_windows", *SILENT_GUEST) == ("pass", None)
    old = annotation("VirtualMachineFailedToSecureBoot", 9 * DAY)
    assert outcome("secure_boot_admits_windows", *SILENT_GUEST, old) == ("unknown", None)
    assert outcome("secure_boot_admits_windows", *SILENT_GUEST, told, f.policy(boot_screen="login")) == ("pass", None)
    assert outcome("secure_boot_admits_windows", *SILENT_GUEST, f.hide("resource_annotations", f.VM)) == (
        "unknown",
        None,
    )


def test_boot_diagnostics() -> None:
    off = f.resource(f.VM, "properties", "diagnosticsProfile", "bootDiagnostics", "enabled", value=False)
    none = f.drop("resources", f.VM.lower(), "properties", "diagnosticsProfile")
    for change in (off, none):
        assert outcome("boot_diagnostics_are_on", change) == ("fail", "boot-diagnostics-disabled")
        assert diagnosis(change).verdict.status == "reachable"
    assert outcome("boot_diagnostics_are_on") == ("pass", None)
