"""Every setting in one place: its name, meaning and default.

A setting `x` is read from the environment variable RDP_REMEDIATE_X: the app's settings in Azure, the shell's for the
command line. A wrong or mistyped setting stops the start with `UsageError`; nothing is guessed, since a mistyped
`kill_switch` must not pass as none. docs/settings.md is generated from here (`docs_text`).
"""

import difflib
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlsplit

from rdp_remediate.errors import UsageError
from rdp_remediate.settings.forms import (
    ADDRESS,
    ENDPOINT,
    GUID,
    GUIDS,
    MAPPINGS,
    RESOURCE_IDS,
    RESOURCES,
    SOURCES,
    STORE,
    SWITCH,
    TAGS,
    TEXT,
    URL,
    Form,
    UnusableError,
    from_to,
    is_loopback,
    one_of,
    scope_key,
    some_of,
)

PREFIX = "RDP_REMEDIATE_"

# Variables with the same prefix that are no settings: where a tool of the lab lies, and how tests run.
_NOT_SETTINGS = frozenset({"WINPS", "TEST_PROFILE", "ALLOWED_SKIPS"})

_DAY_S = 24 * 3600


def _setting(default: Any, form: Form, text: str, *, secret: bool = False) -> Any:
    """A field with its documentation; a secret one never shows in the repr. The default must be immutable."""
    metadata = {"form": form, "text": text, "secret": secret}
    if isinstance(default, Mapping):
        return field(default_factory=lambda: default, metadata=metadata, repr=not secret)
    return field(default=default, metadata=metadata, repr=not secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What this installation may do, and where things are. The fields' meaning is in their own texts."""

    max_mode: Literal["observe", "approve", "auto"] = _setting(
        "observe",
        one_of("observe", "approve", "auto"),
        "The most that any run may do. Tags and requests can only lower it. Observe changes nothing, but it may run a "
        "read-only script in the VM unless `guest_reads` is never.",
    )
    untagged: Literal["off", "observe", "approve", "auto"] = _setting(
        "observe",
        one_of("off", "observe", "approve", "auto"),
        "The mode of a VM that neither it, its resource group nor its subscription has tagged `rdp-remediate`.",
    )
    unknown_author: Literal["act", "ask"] = _setting(
        "act",
        one_of("act", "ask"),
        "Whether safe steps may open a door in mode auto that nobody is known to have closed on purpose.",
    )
    auto_risks: frozenset[str] = _setting(
        frozenset(),
        some_of("disruptive", "exposing", "sensitive"),
        "Risks beyond safe that mode auto may take without a person. What needs approval by design still waits.",
    )
    sources: Mapping[str, tuple[str, ...]] = _setting(
        MappingProxyType({}),
        SOURCES,
        "Addresses that may reach RDP, by ARM scope (`/` for all); the longest scope wins and does not add to wider "
        "ones. Without a source no NSG rule is planned. Public ranges: /24 (IPv4) and /64 (IPv6) at the widest.",
    )
    rule_ttl_s: int = _setting(
        8 * 3600,
        from_to(300, 7 * _DAY_S, "seconds"),
        "How long an NSG rule that was added lives before the timer removes it.",
    )
    settle_s: int = _setting(
        90, from_to(0, 600, "seconds"), "How long the effect of a network change is polled for. The lab sets 0."
    )
    cooldown_s: int = _setting(
        3600, from_to(0, 7 * _DAY_S, "seconds"), "How long the same fix is not run again on the same VM."
    )
    writes_per_hour: int = _setting(
        20, from_to(0, 1000, "number"), "Changes that the whole installation may make in an hour; the rest waits."
    )
    blast_radius_limit: int = _setting(
        20, from_to(1, 10_000, "number"), "VMs that may stand behind an NSG for it to be changed without a person."
    )
    guest_reads: Literal["never", "asked"] = _setting(
        "asked",
        one_of("never", "asked"),
        "Whether Run Command may read inside Windows when a person or a failed-RDP alert asks.",
    )
    rdp_alert_rules: frozenset[str] = _setting(
        frozenset(),
        RESOURCE_IDS,
        "Alert rules whose alerts mean that somebody could not connect. A rule may also carry the custom property "
        "`rdp-remediate: failed-rdp`. Every other alert is a hint: no Run Command and no change.",
    )
    isolation_tags: frozenset[str] = _setting(
        frozenset(),
        TAGS,
        "Tags that mark a VM as isolated on purpose; its door is not opened without a person.",
    )
    isolation_nsgs: frozenset[str] = _setting(
        frozenset(), RESOURCES, "Network security groups that isolate on purpose."
    )
    kill_switch: bool = _setting(
        False,
        SWITCH,
        "Stops every change at once; it is read before each step, as is the flag of the same name in the store.",
    )
    workspace_id: str | None = _setting(
        None, GUID, "The Log Analytics workspace that is asked for sign-in and flow logs."
    )
    own_principal_ids: frozenset[str] = _setting(
        frozenset(),
        GUIDS,
        "Object ids of this app's identity, so that it neither follows its own changes nor takes them for a person's.",
    )
    identity_client_id: str | None = _setting(
        None, GUID, "Client id of the user-assigned managed identity; none: the system-assigned one."
    )
    vantage_address: str | None = _setting(
        None,
        ADDRESS,
        "The address that the app's own probes come from (its NAT gateway). Without it they prove less. It is never "
        "added to a rule.",
    )
    teams_webhook_url: str | None = _setting(
        None, URL, "Teams Workflows webhook that gets each summary as a card.", secret=True
    )
    webhook_url: str | None = _setting(None, URL, "Webhook that gets each report as JSON.", secret=True)
    event_grid_topic: str | None = _setting(
        None, ENDPOINT, "Event Grid custom topic that gets an event per run; the identity signs in to it."
    )
    store: str | None = _setting(
        None,
        STORE,
        "Where runs, journal, locks and brakes are kept. Without a store nothing is changed.",
    )
    table_service_uri: str | None = _setting(
        None, ENDPOINT, "Table service of the storage account, with `store` = tables."
    )
    blob_service_uri: str | None = _setting(
        None, ENDPOINT, "Blob service of the storage account, with `store` = tables."
    )
    storage_connection: str | None = _setting(
        None,
        TEXT,
        "In place of the two service URIs; for tests against Azurite only, since it holds a key.",
        secret=True,
    )
    arm_url: str = _setting(
        "https://management.azure.com", ENDPOINT, "Azure Resource Manager; the lab's address in the lab."
    )
    credential_scope: str | None = _setting(
        None, TEXT, "Scope of the token for Azure Resource Manager; none: `arm_url` with /.default."
    )
    log_analytics_url: str = _setting("https://api.loganalytics.io/v1", ENDPOINT, "The Log Analytics query endpoint.")
    ca_bundle: str | None = _setting(
        None, TEXT, "Certificate authorities to trust in place of the system's; the lab's in the lab."
    )
    connect_to: tuple[str, ...] = _setting(
        (),
        MAPPINGS,
        "Lab only: connect to ADDR:PORT wherever HOST:PORT is asked for. An error unless `arm_url` is the lab's.",
    )
    poll_interval_cap_s: int = _setting(
        30,
        from_to(0, 300, "seconds"),
        "The longest pause between two polls of an Azure operation, whatever Azure suggests. The lab sets 0 or 1.",
    )

    def __post_init__(self) -> None:
        """Settings that contradict each other are refused.

        Raises:
            UsageError: They do.
        """
        if self.connect_to and not self.in_lab:
            raise UsageError(
                f"{_variable('connect_to')} is for the lab only; remove it, or let {_variable('arm_url')} name the lab."
            )
        uris = (self.table_service_uri, self.blob_service_uri)
        if self.store == "tables" and self.storage_connection is None and None in uris:
            raise UsageError(
                f"{_variable('store')} is tables, so set {_variable('table_service_uri')} and "
                f"{_variable('blob_service_uri')} too."
            )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """The settings that an environment holds; an empty value is as good as none.

        Raises:
            UsageError: A value is wrong, a variable with our prefix is no setting, or two contradict each other.
        """
        known = {item.name: item for item in fields(cls)}
        values: dict[str, Any] = {}
        for variable, text in environment.items():
            if not variable.upper().startswith(PREFIX) or variable.upper().removeprefix(PREFIX) in _NOT_SETTINGS:
                continue
            name = variable.upper().removeprefix(PREFIX).lower()
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {_variable(close[0])}?" if close else "docs/settings.md lists them."
                raise UsageError(f"There is no setting {variable}; {hint}")
            if text.strip():
                values[name] = _read(known[name], text.strip())
        return cls(**values)

    @property
    def in_lab(self) -> bool:
        """Whether Azure Resource Manager is on this computer, which only the lab's is."""
        return is_loopback(urlsplit(self.arm_url).hostname or "")

    @property
    def arm_scope(self) -> str:
        """The scope of the token for Azure Resource Manager."""
        return self.credential_scope or f"{self.arm_url}/.default"

    def sources_for(self, resource_id: str) -> tuple[str, ...]:
        """The sources of a resource: those of the longest configured scope that holds it; none if no scope does."""
        key = scope_key(resource_id)
        by_scope = {scope_key(scope): cidrs for scope, cidrs in self.sources.items()}
        holding = [scope for scope in by_scope if key == scope or key.startswith(scope + "/")]
        return by_scope[max(holding, key=len)] if holding else ()


def docs_text() -> str:
    """docs/settings.md, generated from the fields."""
    lines = [
        "# Settings",
        "",
        "Generated from `rdp_remediate/settings`; do not edit. Each is an environment variable: an application "
        "setting of the function app, or a variable of the shell. A list is a JSON array, or texts between commas. An "
        "empty value is as good as none; a wrong value, or a name that starts with `RDP_REMEDIATE_` and is none of "
        "these, stops the start.",
        "",
        "| variable | form | default | meaning |",
        "|---|---|---|---|",
    ]
    for item in fields(Settings):
        secret = " **Secret**: never shown or logged." if item.metadata["secret"] else ""
        text = f"{item.metadata['text']}{secret}"
        lines.append(f"| `{_variable(item.name)}` | {item.metadata['form'].name} | {_default(item)} | {text} |")
    return "\n".join(lines) + "\n"


def _default(item: "Field[Any]") -> str:
    value = {} if item.default is MISSING else item.default
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None or value in ({}, (), frozenset()) else str(value)


def _read(item: "Field[Any]", text: str) -> Any:
    try:
        return item.metadata["form"].read(text)
    except UnusableError as error:
        shown = "" if item.metadata["secret"] else f" is '{text[:60]}', which"
        raise UsageError(f"{_variable(item.name)}{shown} cannot be used: {error}.") from None


def _variable(name: str) -> str:
    return PREFIX + name.upper()
