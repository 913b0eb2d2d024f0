"""What decides the rows of the hop guest-os. A screen that a person named stays named, whatever else is hidden."""

from tests.deciding import Hidden
from tests.factories import VM

_VM: Hidden = ("resource", VM)
_LOG: Hidden = ("boot_log", VM)
_ACTIVITY: Hidden = ("changes", None)
_SYSTEM: Hidden = ("guest.system", None)

DECIDING: dict[str, tuple[Hidden, ...]] = {
    "boot-safe-mode": (_VM,),
    "bsod": (_VM,),
    "bitlocker-recovery-prompt": (_VM,),
    "windows-update-in-progress": (_VM,),
    "getting-windows-ready-stuck": (_VM,),
    "working-on-features-stuck": (_VM,),
    "checking-file-system": (_VM,),
    "shutdown-stuck": (_VM, _ACTIVITY),
    "boot-config-error": (_VM,),
    "reboot-loop": (_VM, _LOG),
    "group-policy-client-hang": (_VM, _ACTIVITY),
    "local-session-manager-hang": (_VM, _ACTIVITY),
    "dsrm-or-directory-init-failure": (_VM,),
    "os-disk-full": (_SYSTEM,),
    "high-cpu": (_SYSTEM,),
    "low-memory": (_SYSTEM,),
    "os-unresponsive": (_VM, ("resource_health", VM), _ACTIVITY),
    "disk-throttled-or-offline": (("guest.events", None),),
    "component-or-hive-corruption": (_VM,),
    "guest-initiated-shutdown": (_VM, ("resource_annotations", VM), _ACTIVITY),
    "emergency-access-missing": (_SYSTEM, ("guest.os", None)),
}
