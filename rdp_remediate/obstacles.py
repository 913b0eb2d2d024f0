"""What Windows itself says against a step: safe mode, a policy that owns the setting, updates that a restart would install. Pure."""

from rdp_remediate.facts.guest import GuestFacts
from rdp_remediate.fixes.fix import Draft, Refused
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.plan import RESTARTS

_PROPERTIES = {
    r"ts\fdenytsconnections": "AllowTSConnections",
    r"ts\fsinglesessionperuser": "SingleSession",
    r"rt\securitylayer": "SecurityLayer",
    r"rt\minencryptionlevel": "MinEncryptionLevel",
    r"rt\userauthentication": "UserAuthenticationRequired",
}
"""Registry values and the settings of Win32_TerminalServiceSetting and Win32_TSGeneralSetting that they are."""


def safe_mode(guest: GuestFacts) -> Refused | None:
    """Why nothing is repaired inside a Windows in safe mode: without networking services cannot start, and somebody may work there.

    An unread mode is no reason: what is planned then compares with facts of its own.
    """
    if isinstance(guest.os, Unavailable) or guest.os.value.safe_mode is None:
        return None
    mode = guest.os.value.safe_mode
    return Refused(
        "safe_mode",
        f"Windows runs in safe mode ({mode}): what is stopped there is stopped by that mode. It has to start normally first.",
        "whoever set safe mode; a repair may be under way",
    )


def policy_owner(draft: Draft, guest: GuestFacts) -> Refused | None:
    """Why a registry step is not made: Windows says that a policy owns the setting, but its usual place does not hold it.

    Where the policy's copy is at its usual place (POL) the fix has weighed it: a local value may be set to what the policy wants.
    """
    if draft.kind != "registry" or isinstance(guest.remote_desktop, Unavailable):
        return None
    name = _PROPERTIES.get(str(draft.target.get("path")).lower())
    if name is None or name not in guest.remote_desktop.value.policy_owned:
        return None
    copy = guest.registry_value("POL\\" + str(draft.target["path"]).rsplit("\\", 1)[-1])
    if not isinstance(copy, Unavailable) and copy.value is not None:
        return None
    return Refused(
        "policy_owned",
        f"A group policy owns this setting (PolicySource{name}); a local write would be undone.",
        "the owner of that group policy",
    )


def waiting_updates(draft: Draft, guest: GuestFacts) -> str | None:
    """What a person should know before a restart of the VM: it installs what waits, which may take long."""
    if draft.kind not in RESTARTS:
        return None
    seen = guest.system_item("pending_restart")
    if isinstance(seen, Unavailable):
        return None
    waiting = [name for name in seen.value.pending_restart if name != "renames"]
    if not waiting:
        return None
    return "Windows has updates that wait for a restart and will be installed by it, which may take long"
