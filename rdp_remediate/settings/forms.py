"""How the texts of settings are written, and what reads them. A reader raises `UnusableError`; nothing is guessed."""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

_PRIVATE_IPV4 = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
_PRIVATE_IPV6 = ipaddress.IPv6Network("fc00::/7")
_WIDEST_PUBLIC_PREFIX = {4: 24, 6: 64}
_GUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)


class UnusableError(Exception):
    """Why a text cannot be the value of its setting."""


class Form(NamedTuple):
    """How the text of a setting is written, and what reads it; a reader raises `UnusableError`."""

    name: str
    read: Callable[[str], Any]


def _text(text: str) -> str:
    if not text.isprintable():
        raise UnusableError("it holds characters that cannot be printed")
    return text


def _word(text: str, known: tuple[str, ...]) -> str:
    if text.lower() not in known:
        raise UnusableError(f"known are {', '.join(known)}")
    return text.lower()


def _boolean(text: str) -> bool:
    word = text.lower()
    if word not in {"true", "false", "1", "0", "on", "off", "yes", "no"}:
        raise UnusableError("write true or false")
    return word in {"true", "1", "on", "yes"}


def _number(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise UnusableError(f"write a whole number from {least} to {most}")
    return int(text)


def _list(text: str) -> list[str]:
    """A JSON array of texts, or texts between commas, semicolons or line breaks."""
    if text.startswith("["):
        items = _json(text)
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise UnusableError("it is no JSON array of texts")
    else:
        items = re.split(r"[,;\r\n]", text)
    return [_text(item.strip()) for item in items if item.strip()]


def _resource_ids(text: str) -> frozenset[str]:
    ids = _list(text)
    for resource_id in ids:
        if not resource_id.lower().startswith("/subscriptions/") or "/providers/" not in resource_id.lower():
            raise UnusableError(f"'{resource_id[:80]}' is no ARM resource id")
    return frozenset(resource_id.rstrip("/").lower() for resource_id in ids)


def _guid(text: str) -> str:
    if not _GUID.fullmatch(text):
        raise UnusableError(f"'{text[:40]}' is no GUID")
    return text.lower()


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise UnusableError("it is no IP address") from None


def _url(text: str) -> str:
    """An https URL; plain http only to this computer, where tests and the lab listen."""
    try:
        parts = urlsplit(text)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    if not host or not text.isprintable() or " " in text or parts.username is not None:
        raise UnusableError("it is no URL")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise UnusableError("it must start with https://")
    return text


def is_loopback(host: str) -> bool:
    """Whether the host is this computer."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _sources(text: str) -> Mapping[str, tuple[str, ...]]:
    document = _json(text)
    if not isinstance(document, dict):
        raise UnusableError('it is no JSON object such as {"/subscriptions/…": ["203.0.113.0/28"]}')
    found: dict[str, tuple[str, ...]] = {}
    for scope, cidrs in document.items():
        if scope != "/" and not scope.lower().startswith("/subscriptions/"):
            raise UnusableError(f"'{scope[:80]}' is no ARM scope; write / or /subscriptions/…")
        if not isinstance(cidrs, list) or not all(isinstance(cidr, str) for cidr in cidrs):
            raise UnusableError(f"the value of '{scope[:80]}' is no array of CIDRs")
        key = scope_key(scope)
        if key in found:
            raise UnusableError(f"the scope '{scope[:80]}' stands there twice")
        found[key] = tuple(dict.fromkeys(_cidr(cidr.strip()) for cidr in cidrs))
    return MappingProxyType(found)


def _cidr(text: str) -> str:
    """One source. Wide public ranges are refused, since every rule and every "safe" rests on the sources."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        if "host bits" in str(error):
            raise UnusableError(
                f"'{text}' has host bits set; did you mean {ipaddress.ip_network(text, strict=False)}?"
            ) from None
        raise UnusableError(f"'{text[:60]}' is no CIDR; service tags and * are never a source") from None
    if isinstance(network, ipaddress.IPv4Network):
        private = any(network.subnet_of(own) for own in _PRIVATE_IPV4)
    else:
        private = network.subnet_of(_PRIVATE_IPV6)
    widest = _WIDEST_PUBLIC_PREFIX[network.version]
    if not private and network.prefixlen < widest:
        raise UnusableError(f"'{text}' is wider than a public source may be; the widest is /{widest}")
    return str(network)


def scope_key(scope: str) -> str:
    """An ARM scope or id as it is compared; the root scope is empty."""
    return scope.strip().rstrip("/").lower()


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UnusableError("it is not valid JSON") from None


def _mappings(text: str) -> tuple[str, ...]:
    mappings = tuple(_list(text))
    for mapping in mappings:
        if not re.fullmatch(
            r"(?:\[[0-9a-fA-F:.]+\]|[^\s\[\]:]+):\d{1,5}:(?:\[[0-9a-fA-F:.]+\]|[^\s\[\]:]+):\d{1,5}", mapping
        ):
            raise UnusableError(f"'{mapping[:80]}' is no mapping HOST:PORT:ADDR:PORT")
    return mappings


def one_of(*known: str) -> Form:
    """One of these words."""
    return Form(f"{', '.join(known[:-1])} or {known[-1]}", lambda text: _word(text, known))


def some_of(*known: str) -> Form:
    """A list of these words."""
    return Form(f"list of {', '.join(known)}", lambda text: frozenset(_word(item, known) for item in _list(text)))


def from_to(least: int, most: int, unit: str) -> Form:
    """A whole number within bounds."""
    return Form(unit, lambda text: _number(text, least, most))


URL = Form("https URL", _url)
ENDPOINT = Form("https URL", lambda text: _url(text).rstrip("/"))
TEXT = Form("text", _text)
SWITCH = Form("true or false", _boolean)
GUID = Form("GUID", _guid)
GUIDS = Form("list of GUIDs", lambda text: frozenset(_guid(item) for item in _list(text)))
ADDRESS = Form("IP address", _address)
TAGS = Form("list of NAME or NAME=VALUE", lambda text: frozenset(_list(text)))
RESOURCE_IDS = Form("list of ARM ids", _resource_ids)
RESOURCES = Form("list of names or ARM ids", lambda text: frozenset(map(scope_key, _list(text))))
SOURCES = Form("JSON object: ARM scope to array of CIDRs", _sources)
MAPPINGS = Form("list of HOST:PORT:ADDR:PORT", _mappings)
STORE = Form("tables, or path of an SQLite file", _text)
