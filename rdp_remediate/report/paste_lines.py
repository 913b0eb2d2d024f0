"""Commands for a person, for one step or one fault, in a form that both cmd.exe and Windows PowerShell take.

Names of values, services and rules are those that do not depend on the language of Windows. `sc.exe` and not `sc`, which
PowerShell takes for Set-Content. What only PowerShell can do says so. Nothing here holds a secret or asks for one.

Sources: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/serial-console-cmd-ps-commands and
https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-general-error
"""

from typing import Any, Literal

from rdp_remediate.models.plan import Step
from rdp_remediate.models.report import PasteBlock

Prompt = Literal["cmd", "powershell"]

TERMINAL_SERVER = r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server"
LISTENER = TERMINAL_SERVER + r"\WinStations\RDP-Tcp"
_POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT\Terminal Services"
_RULES = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules"
_KEYS = {"TS": TERMINAL_SERVER, "RT": LISTENER}
_START_TYPES = {"Auto": "auto", "AutoDelayed": "delayed-auto", "Manual": "demand", "Disabled": "disabled"}
_RULE = "RemoteDesktop-UserMode-In-TCP"
_WINDOWS_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")

LOOK = PasteBlock(
    title="Look first; this changes nothing",
    prompt="cmd",
    lines=[
        f'reg query "{TERMINAL_SERVER}" /v fDenyTSConnections',
        f'reg query "{_POLICY}" /v fDenyTSConnections',
        f'reg query "{LISTENER}" /v PortNumber',
        "sc.exe query TermService",
        "sc.exe qc TermService",
        "qwinsta",
        "netsh advfirewall show currentprofile",
        f'reg query "{_RULES}" /v {_RULE}',
        "sc.exe query RdAgent",
        "sc.exe query WindowsAzureGuestAgent",
        "ipconfig /all",
    ],
)
"""What decides most faults inside Windows, with the names that need no translation."""

_LETS_IN = "Windows then accepts RDP from everybody whom the network lets through"

FAULTS: dict[str, PasteBlock] = {
    "termservice-disabled": PasteBlock(
        title="Give Remote Desktop Services their default start type and start them",
        prompt="cmd",
        only_if="START_TYPE of TermService is DISABLED",
        note=_LETS_IN,
        lines=["sc.exe config TermService start= demand", "net start TermService"],
    ),
    "termservice-stopped": PasteBlock(
        title="Start Remote Desktop Services",
        prompt="cmd",
        only_if="STATE of TermService is STOPPED and its START_TYPE is not DISABLED",
        note=_LETS_IN,
        lines=["net start TermService"],
    ),
    "rdp-disabled-local": PasteBlock(
        title="Allow Remote Desktop connections",
        prompt="cmd",
        only_if="fDenyTSConnections is 0x1 below Control\\Terminal Server and the Policies key holds no such value; a policy is "
        "changed where it is made",
        note=_LETS_IN,
        lines=[f'reg add "{TERMINAL_SERVER}" /v fDenyTSConnections /t REG_DWORD /d 0 /f'],
    ),
    "fw-rdp-rule-disabled": PasteBlock(
        title="Enable the firewall rule for Remote Desktop",
        prompt="powershell",
        only_if=f"{_RULE} says Active=FALSE",
        note=_LETS_IN,
        lines=[f"Enable-NetFirewallRule -Name {_RULE}"],
    ),
    "agent-not-ready": PasteBlock(
        title="Start the agent again",
        prompt="cmd",
        only_if="STATE of RdAgent or WindowsAzureGuestAgent is STOPPED",
        note="Remote Desktop does not need the agent; with it this program can look inside again",
        lines=["net start RdAgent", "net start WindowsAzureGuestAgent"],
    ),
    "boot-safe-mode": PasteBlock(
        title="Leave safe mode",
        prompt="cmd",
        only_if="`bcdedit /enum` shows safeboot for the running system",
        note="restarts Windows",
        lines=['bcdedit /deletevalue "{current}" safeboot', "shutdown /r /t 0"],
    ),
}
"""The exact commands of faults whose repair is a few lines, and what has to be seen before they are typed."""


_HIVE = "HKLM\\BROKEN"
_OFFLINE_SERVER = _HIVE + r"\ControlSet001\Control\Terminal Server"

OFFLINE = [
    PasteBlock(
        title="On the repair VM, as administrator: load the registry of the copied disk and look",
        prompt="cmd",
        note="F: stands for the letter of the copied Windows; ControlSet001 for the set that Current names",
        lines=[
            rf"reg load {_HIVE} F:\Windows\System32\config\SYSTEM",
            rf"reg query {_HIVE}\Select /v Current",
            f'reg query "{_OFFLINE_SERVER}" /v fDenyTSConnections',
            rf"reg query {_HIVE}\ControlSet001\Services\TermService /v Start",
        ],
    ),
    PasteBlock(
        title="Allow Remote Desktop connections on the copied disk",
        prompt="cmd",
        only_if="fDenyTSConnections is 0x1 there",
        note=_LETS_IN,
        lines=[f'reg add "{_OFFLINE_SERVER}" /v fDenyTSConnections /t REG_DWORD /d 0 /f'],
    ),
    PasteBlock(
        title="Give Remote Desktop Services their default start type on the copied disk",
        prompt="cmd",
        only_if="Start is 0x4, which is Disabled",
        note=_LETS_IN,
        lines=[rf"reg add {_HIVE}\ControlSet001\Services\TermService /v Start /t REG_DWORD /d 3 /f"],
    ),
    PasteBlock(
        title="Unload the registry of the copied disk",
        prompt="cmd",
        lines=[f"reg unload {_HIVE}"],
    ),
]
"""The same repairs on a copy of the OS disk, where Windows itself cannot be entered."""


def step_block(step: Step) -> PasteBlock | None:
    """The commands that do what a planned step inside Windows would have done, or None for kinds that are not a few lines."""
    made = _lines(step)
    if made is None:
        return None
    prompt, lines = made
    note = step.approval and f"a person was to be asked: {step.approval}"
    return PasteBlock(title=step.title, prompt=prompt, note=note, faults=list(step.faults), lines=lines)


def _lines(step: Step) -> tuple[Prompt, list[str]] | None:
    target, desired = step.target, step.desired
    match step.kind:
        case "registry":
            return _registry(str(target.get("path", "")), desired)
        case "service_start" if desired in _START_TYPES and _plain_name(target.get("service")):
            return "cmd", [f"sc.exe config {target['service']} start= {_START_TYPES[str(desired)]}"]
        case "service_state" if desired in ("Running", "Stopped") and _plain_name(target.get("service")):
            return "cmd", [f"net {'start' if desired == 'Running' else 'stop'} {target['service']}"]
        case "service_restart" if _plain_name(target.get("service")):
            return "powershell", [f"Restart-Service -Name {target['service']} -Force"]
        case "firewall_rule" if isinstance(desired, bool) and _plain_name(target.get("rule")):
            return "powershell", [f"{'Enable' if desired else 'Disable'}-NetFirewallRule -Name {target['rule']}"]
        case "firewall_profile" if isinstance(desired, bool) and target.get("setting") == "allow_inbound_rules":
            profile = target.get("profile")
            if profile not in ("Domain", "Private", "Public"):
                return None
            return "powershell", [f"Set-NetFirewallProfile -Name {profile} -AllowInboundRules {desired}"]
        case _:
            return None


def _registry(path: str, desired: Any) -> tuple[Prompt, list[str]] | None:
    short, _, rest = path.partition("\\")
    subkey, _, name = rest.rpartition("\\")
    if short not in _KEYS or not _plain_name(name) or not all(_plain_name(one) for one in subkey.split("\\") if one):
        return None
    key = f"{_KEYS[short]}\\{subkey}" if subkey else _KEYS[short]
    if desired is None:
        return "cmd", [f'reg delete "{key}" /v {name} /f']
    if isinstance(desired, bool) or not isinstance(desired, int):
        return None
    return "cmd", [f'reg add "{key}" /v {name} /t REG_DWORD /d {desired} /f']


def _plain_name(value: object) -> bool:
    """Whether a name needs no quoting in either shell; another one is not made into a command."""
    return isinstance(value, str) and bool(value) and set(value) <= _WINDOWS_NAME
