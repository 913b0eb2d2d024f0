r"""Reads and writes the registry of a guest state: {key: {value name: [kind, data]}}, names without regard to case.

Short names as in the guest answer: TS, RT, POL, SCH, FWL, FWP, LSA, SETUP.
"""

from collections.abc import Iterator

from rdp_remediate.lab.guest_runtime import GuestState

RegistryEntry = list[object]
"""[kind, data]: DWord and QWord hold an int, String a str, MultiString a list, Binary base64 text."""

TERMINAL_SERVER = r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server"
RDP_TCP = TERMINAL_SERVER + r"\WinStations\RDP-Tcp"
LANA_TABLE = TERMINAL_SERVER + r"\lanatable"
TERMINAL_SERVICES_POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT\Terminal Services"
SCHANNEL = r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL"
FIREWALL_LOCAL = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy"
FIREWALL_POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall"
SERVICES = r"HKLM\SYSTEM\CurrentControlSet\Services"

SHORT_NAMES = {
    "TS": TERMINAL_SERVER,
    "RT": RDP_TCP,
    "POL": TERMINAL_SERVICES_POLICY,
    "SCH": SCHANNEL,
    "FWL": FIREWALL_LOCAL,
    "FWP": FIREWALL_POLICY,
    "LSA": r"HKLM\SYSTEM\CurrentControlSet\Control\Lsa",
    "SETUP": r"HKLM\SYSTEM\Setup",
    "SVC": SERVICES,
    "CV": r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion",
    "SYS": r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System",
    "SSL": r"HKLM\SOFTWARE\Policies\Microsoft\Cryptography\Configuration\SSL",
}


def same_key(key: str) -> str:
    """Returns the form in which two spellings of one key are equal; ControlSet001 is the current control set."""
    lowered = key.lower().rstrip("\\")
    return lowered.replace("\\system\\controlset001\\", "\\system\\currentcontrolset\\")


def keys(state: GuestState, below: str | None = None) -> Iterator[tuple[str, dict[str, RegistryEntry]]]:
    """Yields the listed keys and their values, all of them or those below one."""
    prefix = None if below is None else same_key(below) + "\\"
    for key, values in state.get("registry", {}).items():
        if prefix is None or same_key(key).startswith(prefix):
            yield key, values


def key_exists(state: GuestState, key: str) -> bool:
    """True if the key is listed or a listed key lies below it."""
    wanted = same_key(key)
    return any(
        same_key(listed) == wanted or same_key(listed).startswith(wanted + "\\") for listed in state.get("registry", {})
    )


def read_value(state: GuestState, key: str, name: str) -> RegistryEntry | None:
    """Returns [kind, data] of a value, None when the key or the value is absent."""
    wanted = same_key(key)
    for listed, values in state.get("registry", {}).items():
        if same_key(listed) == wanted:
            for value_name, entry in values.items():
                if value_name.lower() == name.lower():
                    return list(entry)
    return None


def read_int(state: GuestState, key: str, name: str) -> int | None:
    """Returns a DWord or QWord, None when it is absent or of another kind."""
    entry = read_value(state, key, name)
    return entry[1] if entry is not None and entry[0] in {"DWord", "QWord"} and isinstance(entry[1], int) else None


def write_value(state: GuestState, key: str, name: str, entry: RegistryEntry | None) -> None:
    """Sets a value in the state given, or removes it with None; the spelling that is there stays."""
    wanted = same_key(key)
    registry = state.setdefault("registry", {})
    listed = next((spelled for spelled in registry if same_key(spelled) == wanted), None)
    if listed is None:
        if entry is None:
            return
        listed = key
        registry[key] = {}
    values = registry[listed]
    spelled_name = next((spelled for spelled in values if spelled.lower() == name.lower()), name)
    if entry is None:
        values.pop(spelled_name, None)
    else:
        values[spelled_name] = entry
