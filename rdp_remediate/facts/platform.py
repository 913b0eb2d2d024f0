"""The VM as Azure shows it: power, agent, health, and who did what to it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from rdp_remediate.models.base import JsonObject

KEEP_RUNNING = ("keep-running", "keeprunning", "always-on", "alwayson")
SCHEDULE_TAGS = ("autoshutdown", "auto-shutdown", "shutdown", "schedule", "start-stop", "startstop", "power-schedule")


UPDATE_SCREENS = (
    "windows-update", "windows-update-undo", "getting-ready", "working-on-features", "checking-disk", "shutting-down",
    "restarting",
)  # fmt: skip
"""Boot pictures during which a restart does the damage."""

HANDS_SCREENS = ("bitlocker-recovery", "boot-error", "oobe")
"""Boot pictures that the next start shows again."""


@dataclass(frozen=True)
class Agent:
    """The guest agent's own status. Ready is the code ProvisioningState/succeeded (azure-facts.md 8)."""

    ready: bool
    code: str
    message: str
    version: str | None


@dataclass(frozen=True)
class Extension:
    """One extension with the code and the text of its first status, such as ProvisioningState/failed/1."""

    name: str
    type: str
    code: str
    message: str


@dataclass(frozen=True)
class VirtualMachine:
    """One VM with its instance view.

    Attributes:
        provisioning_code: The instance view's own status without its prefix, such as failed/OSProvisioningTimedOut.
        boot_diagnostics: Whether Azure keeps the serial log and the boot picture.
    """

    vm_id: str
    name: str
    location: str
    os_type: str | None
    power_state: str | None
    provisioning_state: str | None
    agent: Agent | None
    priority: str | None
    tags: Mapping[str, str]
    nic_ids: Sequence[str]
    computer_name: str | None
    extensions: Sequence[Extension]
    provisioning_code: str | None = None
    hibernated: bool = False
    boot_diagnostics: bool = False

    @property
    def entra_login(self) -> str | None:
        """The status of the extension that lets Entra users sign in, whatever it is called here; None: there is none."""
        return next((one.code for one in self.extensions if one.type.lower().endswith(".aadloginforwindows")), None)

    @property
    def running(self) -> bool:
        """The power state is running."""
        return self.power_state == "running"

    @property
    def keep_running(self) -> bool:
        """A tag says that this VM must not be off."""
        return any(k.lower() in KEEP_RUNNING and v.lower() not in ("false", "no", "0") for k, v in self.tags.items())

    @property
    def schedule_tag(self) -> str | None:
        """A tag that says that a schedule switches this VM off, or None."""
        for key, value in self.tags.items():
            if any(word in key.lower() for word in SCHEDULE_TAGS) and value.lower() not in ("false", "no", "off", ""):
                return f"{key}={value}"
        return None


@dataclass(frozen=True)
class Change:
    """One activity-log event that ended well."""

    at: datetime
    operation: str
    resource_id: str
    caller: str
    kind: Literal["person", "automation", "unknown"]
    principal_ids: tuple[str, ...]
    correlation_id: str | None = None


def read_vm(raw: JsonObject) -> VirtualMachine:
    """Reads a VM resource with its instance view.

    Raises:
        TypeError: The JSON is no VM.
        KeyError: The id is missing.
    """
    properties = _object(raw["properties"])
    view = _object(properties.get("instanceView") or {})
    statuses = [str(s.get("code", "")) for s in view.get("statuses") or [] if isinstance(s, dict)]
    power = _after("powerstate/", statuses)
    disk = _object(_object(properties.get("storageProfile") or {}).get("osDisk") or {})
    profile = _object(properties.get("networkProfile") or {})
    tags = raw.get("tags") or {}
    return VirtualMachine(
        vm_id=str(raw["id"]),
        name=str(raw.get("name") or str(raw["id"]).rsplit("/", 1)[-1]),
        location=str(raw.get("location") or ""),
        os_type=disk.get("osType"),
        power_state=power.lower() if power else None,
        provisioning_state=properties.get("provisioningState"),
        agent=_agent(view.get("vmAgent")),
        priority=properties.get("priority"),
        tags={str(k): str(v) for k, v in _object(tags).items()},
        nic_ids=[str(n["id"]) for n in profile.get("networkInterfaces") or [] if isinstance(n, dict) and n.get("id")],
        computer_name=view.get("computerName") or _object(properties.get("osProfile") or {}).get("computerName"),
        extensions=[_extension(e) for e in view.get("extensions") or [] if isinstance(e, dict)],
        provisioning_code=_after("provisioningstate/", statuses),
        hibernated=(_after("hibernationstate/", statuses) or "").lower() == "hibernated",
        boot_diagnostics=_keeps_boot_diagnostics(properties),
    )


def _after(prefix: str, codes: Sequence[str]) -> str | None:
    """The rest of the first status code with this prefix; the list is no fixed pair (azure-facts.md 8)."""
    return next((code[len(prefix) :] for code in codes if code.lower().startswith(prefix)), None)


def _extension(raw: JsonObject) -> Extension:
    status = _first(raw.get("statuses"))
    return Extension(
        name=str(raw.get("name", "")),
        type=str(raw.get("type", "")),
        code=str(status.get("code", "")),
        message=str(status.get("message") or status.get("displayStatus") or ""),
    )


def _keeps_boot_diagnostics(properties: JsonObject) -> bool:
    profile = properties.get("diagnosticsProfile")
    settings = profile.get("bootDiagnostics") if isinstance(profile, dict) else None
    return isinstance(settings, dict) and settings.get("enabled") is True


def power_word(vm: VirtualMachine) -> str:
    """Power and agent in one word, which a restart compares before it acts."""
    agent = "no agent" if vm.agent is None else "agent ready" if vm.agent.ready else "agent not ready"
    return f"{vm.power_state or 'in an unknown power state'}, {agent}"


def _object(value: Any) -> JsonObject:
    if not isinstance(value, dict):
        raise TypeError("expected a JSON object")
    return value


def _first(value: Any) -> JsonObject:
    return value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else {}


def _agent(raw: Any) -> Agent | None:
    if not isinstance(raw, dict):
        return None
    status = _first(raw.get("statuses"))
    code = str(status.get("code", ""))
    return Agent(
        ready=code.lower() == "provisioningstate/succeeded",
        code=code,
        message=str(status.get("message") or status.get("displayStatus") or ""),
        version=raw.get("vmAgentVersion"),
    )


def read_changes(events: Sequence[JsonObject]) -> list[Change]:
    """Reads activity-log events of the REST dialect, oldest first; what did not succeed or has no time is left out."""
    found = []
    for event in events:
        status = value_of(event.get("status")).lower()
        at = read_time(event.get("eventTimestamp"))
        if at is None or status not in ("succeeded", "success"):
            continue
        claims = event.get("claims") if isinstance(event.get("claims"), dict) else {}
        caller = str(event.get("caller") or "")
        found.append(
            Change(
                at=at,
                operation=value_of(event.get("operationName")),
                resource_id=str(event.get("resourceId") or event.get("resourceUri") or ""),
                caller=caller,
                kind=_kind(caller, claims or {}),
                principal_ids=_principals(caller, claims or {}),
                correlation_id=str(event.get("correlationId") or "") or None,
            )
        )
    return sorted(found, key=lambda change: change.at)


def value_of(word: Any) -> str:
    """The word of a status or an operation name, which the REST dialect wraps into an object."""
    return str(word.get("value") or "") if isinstance(word, dict) else str(word or "")


def _kind(caller: str, claims: Mapping[str, Any]) -> Literal["person", "automation", "unknown"]:
    if claims.get("idtyp") == "app" or re.fullmatch(r"[0-9a-fA-F-]{32,36}", caller):
        return "automation"
    if "@" in caller:
        return "person"
    return "unknown"


def _principals(caller: str, claims: Mapping[str, Any]) -> tuple[str, ...]:
    object_id = "http://schemas.microsoft.com/identity/claims/objectidentifier"
    ids = [caller, str(claims.get(object_id) or ""), str(claims.get("appid") or "")]
    return tuple(sorted({one.replace("-", "").lower() for one in ids if one}))


def read_time(text: Any) -> datetime | None:
    """An ISO time with up to seven fraction digits as aware UTC, or None when it is none."""
    if not isinstance(text, str):
        return None
    shortened = re.sub(r"(\.\d{6})\d+", r"\1", text.strip()).replace("Z", "+00:00")
    try:
        at = datetime.fromisoformat(shortened)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
