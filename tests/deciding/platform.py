"""What decides the rows of the hop platform."""

from tests.deciding import Hidden
from tests.factories import VM

_VM: Hidden = ("resource", VM)
_HEALTH: Hidden = ("resource_health", VM)
_ANNOTATIONS: Hidden = ("resource_annotations", VM)
_ACTIVITY: Hidden = ("changes", None)

DECIDING: dict[str, tuple[Hidden, ...]] = {
    "vm-deallocated": (_VM,),
    "vm-stopped-allocated": (_VM,),
    "vm-hibernated": (_VM,),
    "vm-transitional": (_VM,),
    "vm-provisioning-failed": (_VM,),
    "vm-spot-evicted": (_VM,),
    "vm-allocation-failed": (_VM, _ACTIVITY),
    "subscription-or-quota-disabled": (_VM, _ACTIVITY),
    "cmk-or-keyvault-unavailable": (_VM, _ACTIVITY),
    "mgmt-lock-policy-or-rbac": (_VM, ("locks", VM)),
    "platform-unavailable": (_VM, _HEALTH),
    "platform-degraded-hardware": (_VM, _ANNOTATIONS, _ACTIVITY),
    "platform-maintenance-or-freeze": (_VM, _ANNOTATIONS),
    "accelnet-unhealthy": (_VM, _ANNOTATIONS, _ACTIVITY),
    "agent-not-ready": (_VM,),
    "agent-not-installed": (_VM,),
    "vmaccess-extension-broken": (_VM,),
    "runcommand-blocked": (_VM,),
    "secure-boot-failure": (_VM, _ANNOTATIONS),
    "boot-diagnostics-disabled": (_VM,),
}
