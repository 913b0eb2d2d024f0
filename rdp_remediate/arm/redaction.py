"""The one redaction table, applied to everything that ARM returns before it is kept or shown.

What is taken out: signed URLs (SAS, poll URLs), extension settings, scripts and their output, user data, passwords,
keys and tokens. What the diagnosis needs (states, rules, addresses, callers) stays as ARM returned it.
"""

import json
import re
from collections.abc import Callable
from typing import Any

REDACTED = "[redacted]"

#: Keys whose whole value goes, whatever it is; compared in lower case.
SECRET_KEYS = frozenset(
    {
        "accesstoken",
        "access_token",
        "accountkey",
        "additionalunattendcontent",
        "adminpassword",
        "authorizationkey",
        "bootstraptoken",
        "clientsecret",
        "client_secret",
        "commandtoexecute",
        "connectionstring",
        "customdata",
        "password",
        "primarykey",
        "privatekey",
        "protectedparameters",
        "protectedsettings",
        "protectedsettingsfromkeyvault",
        "radiusserversecret",
        "refreshtoken",
        "refresh_token",
        "registrationtoken",
        "script",
        "secondarykey",
        "secret",
        "settings",
        "sharedkey",
        "storageaccountkey",
        "token",
        "userdata",
    }
)

#: JSON documents that Azure ships as a string: they are opened, cleaned and closed again.
EMBEDDED_KEYS = frozenset({"requestbody", "responsebody", "httprequest", "statusmessage", "claims", "authorization"})

#: The claims of an activity-log event that name who acted; names, addresses and token ids of a person go.
KEPT_CLAIMS = frozenset(
    {
        "appid",
        "appidacr",
        "idtyp",
        "oid",
        "xms_mirid",
        "http://schemas.microsoft.com/identity/claims/objectidentifier",
        "http://schemas.microsoft.com/identity/claims/tenantid",
    }
)

_URL_QUERY = re.compile(r"(https?://[^\s\"'<>?]+)\?[^\s\"'<>]+", re.IGNORECASE)
_API_VERSION = re.compile(r"[?&](api-version=[0-9A-Za-z.-]+)", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer|sharedaccesssignature|sharedkey)\s+[A-Za-z0-9._~+/=&%:-]{8,}", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*)?")
_ASSIGNED = re.compile(
    r"(?i)\b(password|passwd|pwd|accountkey|sharedaccesskey|client_secret|access_token|sig)(\s*[=:]\s*)(\"[^\"]*\"|[^\s,;&\"']+)"
)


def redact_text(text: str) -> str:
    """The text without signatures, tokens and assigned passwords; queries of URLs keep only api-version."""

    def without_query(match: re.Match[str]) -> str:
        version = _API_VERSION.search(match[0])
        return f"{match[1]}?{version[1]}" if version else f"{match[1]}?{REDACTED}"

    text = _URL_QUERY.sub(without_query, text)
    text = _BEARER.sub(lambda match: f"{match[1]} {REDACTED}", text)
    text = _JWT.sub(REDACTED, text)
    return _ASSIGNED.sub(lambda match: f"{match[1]}{match[2]}{REDACTED}", text)


def redact(value: Any) -> Any:
    """A copy of a JSON value without its secrets."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, list):
        return [redact(item) for item in value]
    if isinstance(value, dict):
        return {key: _redact_entry(str(key).lower(), item, value) for key, item in value.items()}
    return value


def _redact_entry(key: str, value: Any, owner: dict[str, Any]) -> Any:
    if key in SECRET_KEYS:
        return value if value is None else REDACTED
    if key == "message" and str(owner.get("code", "")).lower().startswith("componentstatus/std"):
        return REDACTED  # what a script printed
    if key == "claims":
        return _embedded(value, _kept_claims)
    if key in EMBEDDED_KEYS:
        return _embedded(value, redact)
    return redact(value)


def _kept_claims(claims: Any) -> Any:
    return {k: v for k, v in claims.items() if k.lower() in KEPT_CLAIMS} if isinstance(claims, dict) else REDACTED


def _embedded(value: Any, clean: Callable[[Any], Any]) -> Any:
    """Cleans a document, or a string that holds one; a string that is no JSON loses its content."""
    if not isinstance(value, str):
        return value if value is None else clean(value)
    if not value.strip():
        return value
    try:
        document = json.loads(value)
    except ValueError:
        return REDACTED
    return json.dumps(clean(document), separators=(",", ":"))
