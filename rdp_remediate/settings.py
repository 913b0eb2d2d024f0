"""Every setting in one place: its name, meaning, default, and how its text is read.

A setting `x` is read from the environment variable RDP_REMEDIATE_X: the app's settings in Azure, the shell's for the
command line. A wrong or mistyped setting stops the start with `UsageError`; nothing is guessed, since a mistyped
`kill_switch` must not pass as none. docs/settings.md is generated from here (`docs_text`).
"""

import difflib
import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlsplit

from rdp_remediate.errors import UsageError

PREFIX = "RDP_REMEDIATE_"

# Variables with the same prefix that are no settings: where a tool of the lab lies, and how tests run.
_NOT_SETTINGS = frozenset({"WINPS", "TEST_PROFILE", "ALLOWED_SKIPS"})

_PRIVATE_IPV4 = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
_PRIVATE_IPV6 = ipaddress.IPv6Network("fc00::/7")
_WIDEST_PUBLIC_PREFIX = {4: 24, 6: 64}
_GUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_DAY_S = 24 * 3600


class _UnusableError(Exception):
    """Why a text cannot be the value of its setting."""


Reader = Callable[[str], Any]


def _setting(default: Any, read: Reader, form: str, text: str, *, secret: bool = False) -> Any:
    """A field with its documentation; a secret one never shows in the repr. The default must be immutable."""
    metadata = {"read": read, "form": form, "text": text, "secret": secret}
    if isinstance(default, Mapping):
        return field(default_factory=lambda: default, metadata=metadata, repr=not secret)
    return field(default=default, metadata=metadata, repr=not secret)


def _text(text: str) -> str:
    if not text.isprintable():
        raise _UnusableError("it holds characters that cannot be printed")
    return text


def _word(*known: str) -> Reader:
    def read(text: str) -> str:
        word = text.lower()
        if word not in known:
            raise _UnusableError(f"known are {', '.join(known)}")
        return word

    return read


def _boolean(text: str) -> bool:
    word = text.lower()
    if word not in {"true", "false", "1", "0", "on", "off", "yes", "no"}:
        raise _UnusableError("write true or false")
    return word in {"true", "1", "on", "yes"}


def _number(least: int, most: int, unit: str = "") -> Reader:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text[:12]) <= most):
            raise _UnusableError(f"write a whole number from {least} to {most} {unit}".rstrip())
        return int(text)

    return read


def _list(text: str) -> list[str]:
    """A JSON array of texts, or texts between commas, semicolons or line breaks."""
    if text.startswith("["):
        items = _json(text)
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise _UnusableError("it is no JSON array of texts")
    else:
        items = re.split(r"[,;\r\n]", text)
    return [_text(item.strip()) for item in items if item.strip()]


def _words(*known: str) -> Reader:
    one = _word(*known)
    return lambda text: frozenset(one(item) for item in _list(text))


def _resource_ids(text: str) -> frozenset[str]:
    ids = _list(text)
    for resource_id in ids:
        if not resource_id.lower().startswith("/subscriptions/") or "/providers/" not in resource_id.lower():
            raise _UnusableError(f"'{resource_id[:80]}' is no ARM resource id")
    return frozenset(resource_id.rstrip("/").lower() for resource_id in ids)


def _nsg_names(text: str) -> frozenset[str]:
    return frozenset(item.rstrip("/").lower() for item in _list(text))


def _tags(text: str) -> frozenset[str]:
    return frozenset(_list(text))


def _guids(text: str) -> frozenset[str]:
    return frozenset(_guid(item) for item in _list(text))


def _guid(text: str) -> str:
    if not _GUID.fullmatch(text):
        raise _UnusableError(f"'{text[:40]}' is no GUID")
    return text.lower()


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise _UnusableError("it is no IP address") from None


def _url(text: str) -> str:
    """An https URL; plain http only to this computer, where tests and the lab listen."""
    try:
        parts = urlsplit(text)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    if not host or not text.isprintable() or " " in text:
        raise _UnusableError("it is no URL")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise _UnusableError("it must start with https://")
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _sources(text: str) -> Mapping[str, tuple[str, ...]]:
    document = _json(text)
    if not isinstance(document, dict):
        raise _UnusableError('it is no JSON object such as {"/subscriptions/…": ["203.0.113.0/28"]}')
    found: dict[str, tuple[str, ...]] = {}
    for scope, cidrs in document.items():
        if scope != "/" and not scope.lower().startswith("/subscriptions/"):
            raise _UnusableError(f"'{scope[:80]}' is no ARM scope; write / or /subscriptions/…")
        if not isinstance(cidrs, list) or not all(isinstance(cidr, str) for cidr in cidrs):
            raise _UnusableError(f"the value of '{scope[:80]}' is no array of CIDRs")
        key = _scope_key(scope)
        if key in found:
            raise _UnusableError(f"the scope '{scope[:80]}' stands there twice")
        found[key] = tuple(dict.fromkeys(_cidr(cidr.strip()) for cidr in cidrs))
    return MappingProxyType(found)


def _cidr(text: str) -> str:
    """One source. Wide public ranges are refused, since every rule and every "safe" rests on the sources."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        if "host bits" in str(error):
            raise _UnusableError(
                f"'{text}' has host bits set; did you mean {ipaddress.ip_network(text, strict=False)}?"
            ) from None
        raise _UnusableError(f"'{text[:60]}' is no CIDR; service tags and * are never a source") from None
    if isinstance(network, ipaddress.IPv4Network):
        private = any(network.subnet_of(own) for own in _PRIVATE_IPV4)
    else:
        private = network.subnet_of(_PRIVATE_IPV6)
    widest = _WIDEST_PUBLIC_PREFIX[network.version]
    if not private and network.prefixlen < widest:
        raise _UnusableError(f"'{text}' is wider than a public source may be; the widest is /{widest}")
    return str(network)


def _scope_key(scope: str) -> str:
    return scope.strip().rstrip("/").lower()


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise _UnusableError("it is not valid JSON") from None


def _mappings(text: str) -> tuple[str, ...]:
    mappings = tuple(_list(text))
    for mapping in mappings:
        if not re.fullmatch(
            r"(?:\[[0-9a-fA-F:.]+\]|[^\s\[\]:]+):\d{1,5}:(?:\[[0-9a-fA-F:.]+\]|[^\s\[\]:]+):\d{1,5}", mapping
        ):
            raise _UnusableError(f"'{mapping[:80]}' is no mapping HOST:PORT:ADDR:PORT")
    return mappings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What this installation may do, and where things are. The fields' meaning is in their own texts."""

    max_mode: Literal["observe", "approve", "auto"] = _setting(
        "observe",
        _word("observe", "approve", "auto"),
        "observe, approve or auto",
        "The most that any run may do. Tags and requests can only lower it. Observe changes nothing, but it may run a "
        "read-only script in the VM unless `guest_reads` is never.",
    )
    untagged: Literal["off", "observe", "approve", "auto"] = _setting(
        "observe",
        _word("off", "observe", "approve", "auto"),
        "off, observe, approve or auto",
        "The mode of a VM that neither it, its resource group nor its subscription has tagged `rdp-remediate`.",
    )
    unknown_author: Literal["act", "ask"] = _setting(
        "act",
        _word("act", "ask"),
        "act or ask",
        "Whether safe steps may open a door in mode auto that nobody is known to have closed on purpose.",
    )
    auto_risks: frozenset[str] = _setting(
        frozenset(),
        _words("disruptive", "exposing", "sensitive"),
        "list of disruptive, exposing, sensitive",
        "Risks beyond safe that mode auto may take without a person. What needs approval by design still waits.",
    )
    sources: Mapping[str, tuple[str, ...]] = _setting(
        MappingProxyType({}),
        _sources,
        "JSON object: ARM scope to array of CIDRs",
        "Addresses that may reach RDP, by ARM scope (`/` for all); the longest scope wins and does not add to wider "
        "ones. Without a source no NSG rule is planned. Public ranges: /24 (IPv4) and /64 (IPv6) at the widest.",
    )
    rule_ttl_s: int = _setting(
        8 * 3600,
        _number(300, 7 * _DAY_S, "seconds"),
        "seconds",
        "How long an NSG rule that was added lives before the timer removes it.",
    )
    settle_s: int = _setting(
        90,
        _number(0, 600, "seconds"),
        "seconds",
        "How long the effect of a network change is polled for. The lab sets 0.",
    )
    cooldown_s: int = _setting(
        3600, _number(0, 7 * _DAY_S, "seconds"), "seconds", "How long the same fix is not run again on the same VM."
    )
    writes_per_hour: int = _setting(
        20, _number(0, 1000), "number", "Changes that the whole installation may make in an hour; the rest waits."
    )
    blast_radius_limit: int = _setting(
        20, _number(1, 10_000), "number", "VMs that may stand behind an NSG for it to be changed without a person."
    )
    guest_reads: Literal["never", "asked"] = _setting(
        "asked",
        _word("never", "asked"),
        "never or asked",
        "Whether Run Command may read inside Windows when a person or a failed-RDP alert asks.",
    )
    rdp_alert_rules: frozenset[str] = _setting(
        frozenset(),
        _resource_ids,
        "list of ARM ids",
        "Alert rules whose alerts mean that somebody could not connect. A rule may also carry the custom property "
        "`rdp-remediate: failed-rdp`. Every other alert is a hint: no Run Command and no change.",
    )
    isolation_tags: frozenset[str] = _setting(
        frozenset(),
        _tags,
        "list of NAME or NAME=VALUE",
        "Tags that mark a VM as isolated on purpose; its door is not opened without a person.",
    )
    isolation_nsgs: frozenset[str] = _setting(
        frozenset(), _nsg_names, "list of names or ARM ids", "Network security groups that isolate on purpose."
    )
    kill_switch: bool = _setting(
        False,
        _boolean,
        "true or false",
        "Stops every change at once; it is read before each step, as is the flag of the same name in the store.",
    )
    workspace_id: str | None = _setting(
        None, _guid, "GUID", "The Log Analytics workspace that is asked for sign-in and flow logs."
    )
    own_principal_ids: frozenset[str] = _setting(
        frozenset(),
        _guids,
        "list of GUIDs",
        "Object ids of this app's identity, so that it neither follows its own changes nor takes them for a person's.",
    )
    identity_client_id: str | None = _setting(
        None, _guid, "GUID", "Client id of the user-assigned managed identity; none: the system-assigned one."
    )
    vantage_address: str | None = _setting(
        None,
        _address,
        "IP address",
        "The address that the app's own probes come from (its NAT gateway). Without it they prove less. It is never "
        "added to a rule.",
    )
    teams_webhook_url: str | None = _setting(
        None, _url, "https URL", "Teams Workflows webhook that gets each summary as a card.", secret=True
    )
    webhook_url: str | None = _setting(None, _url, "https URL", "Webhook that gets each report as JSON.", secret=True)
    event_grid_topic: str | None = _setting(
        None, _url, "https URL", "Event Grid custom topic that gets an event per run; the identity signs in to it."
    )
    store: str | None = _setting(
        None,
        _text,
        "tables, or path of an SQLite file",
        "Where runs, journal, locks and brakes are kept. Without a store nothing is changed.",
    )
    table_service_uri: str | None = _setting(
        None, _url, "https URL", "Table service of the storage account, with `store` = tables."
    )
    blob_service_uri: str | None = _setting(
        None, _url, "https URL", "Blob service of the storage account, with `store` = tables."
    )
    storage_connection: str | None = _setting(
        None,
        _text,
        "connection string",
        "In place of the two service URIs; for tests against Azurite only, since it holds a key.",
        secret=True,
    )
    arm_url: str = _setting(
        "https://management.azure.com", _url, "https URL", "Azure Resource Manager; the lab's address in the lab."
    )
    credential_scope: str | None = _setting(
        None, _text, "scope", "Scope of the token for Azure Resource Manager; none: `arm_url` with /.default."
    )
    log_analytics_url: str = _setting(
        "https://api.loganalytics.io/v1", _url, "https URL", "The Log Analytics query endpoint."
    )
    ca_bundle: str | None = _setting(
        None, _text, "path", "Certificate authorities to trust in place of the system's; the lab's in the lab."
    )
    connect_to: tuple[str, ...] = _setting(
        (),
        _mappings,
        "list of HOST:PORT:ADDR:PORT",
        "Lab only: connect to ADDR:PORT wherever HOST:PORT is asked for. An error unless `arm_url` is here.",
    )
    poll_interval_cap_s: int = _setting(
        30,
        _number(0, 300, "seconds"),
        "seconds",
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
        return _is_loopback(urlsplit(self.arm_url).hostname or "")

    @property
    def arm_scope(self) -> str:
        """The scope of the token for Azure Resource Manager."""
        return self.credential_scope or f"{self.arm_url}/.default"

    def sources_for(self, resource_id: str) -> tuple[str, ...]:
        """The sources of a resource: those of the longest configured scope that holds it; none if no scope does."""
        key = _scope_key(resource_id)
        by_scope = {_scope_key(scope): cidrs for scope, cidrs in self.sources.items()}
        holding = [scope for scope in by_scope if key == scope or key.startswith(scope + "/")]
        return by_scope[max(holding, key=len)] if holding else ()


def docs_text() -> str:
    """docs/settings.md, generated from the fields."""
    lines = [
        "# Settings",
        "",
        "Generated from `rdp_remediate/settings.py`; do not edit. Each is an environment variable: an application "
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
        lines.append(f"| `{_variable(item.name)}` | {item.metadata['form']} | {_default(item)} | {text} |")
    return "\n".join(lines) + "\n"


def _default(item: "Field[Any]") -> str:
    value = {} if item.default is MISSING else item.default
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None or value in ({}, (), frozenset()) else str(value)


def _read(item: "Field[Any]", text: str) -> Any:
    try:
        return item.metadata["read"](text)
    except _UnusableError as error:
        shown = "" if item.metadata["secret"] else f" is '{text[:60]}', which"
        raise UsageError(f"{_variable(item.name)}{shown} cannot be used: {error}.") from None


def _variable(name: str) -> str:
    return PREFIX + name.upper()
